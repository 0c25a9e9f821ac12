#!/usr/bin/env bats
# rhel-dpm-try: whether a base image can be mounted here, and whether its programs run here. The disks and the daemon are
# real; the program is of this machine, but for one.

bats_require_minimum_version 1.5.0

setup() {
    [ "$(id -u)" = 0 ] || skip "mounts need root"
    [ -c /dev/fuse ] || skip "no /dev/fuse"
    try=$BATS_TEST_DIRNAME/../../elements/rhel-dpm/bin/rhel-dpm-try
    image=$BATS_TEST_TMPDIR/base.qcow2
    tree=$BATS_TEST_TMPDIR/tree
    mkdir -p "$tree/bin"
    cp "$(command -v busybox)" "$tree/bin/busybox"
    for program in sh sleep true; do
        ln "$tree/bin/busybox" "$tree/bin/$program"
    done
    # It may not be linked statically.
    for library in $(ldd "$tree/bin/busybox" 2>/dev/null | grep -o '/[^ ]*'); do
        mkdir -p "$tree${library%/*}"
        cp "$library" "$tree$library"
    done
}

# left: what a try could leave behind. Another one may be under way on this machine, for a moment.
left() {
    losetup --list --noheadings --output BACK-FILE | grep '^/mnt/disk' || true
    grep -e ' /mnt/disk ' -e ' /mnt/root ' -e '^tmpfs /mnt ' /proc/mounts || true
}

# program LINE...: the base's /bin/true, a shell script.
program() {
    rm "$tree/bin/true"
    printf '%s\n' '#!/bin/sh' "$@" >"$tree/bin/true"
    chmod +x "$tree/bin/true"
}

# disk [FEATURE-BYTE]: a qcow2 with a partition for /boot and one for the root.
disk() {
    local raw=$BATS_TEST_TMPDIR/raw
    rm -f "$raw"
    truncate -s 40M "$raw"
    # An MBR: two Linux partitions, at 1 MiB and at 9 MiB, and its signature.
    printf '\0\0\0\0\203\0\0\0\0\010\0\0\0\100\0\0' | dd of="$raw" bs=1 seek=446 conv=notrunc status=none
    printf '\0\0\0\0\203\0\0\0\0\110\0\0\0\360\0\0' | dd of="$raw" bs=1 seek=462 conv=notrunc status=none
    printf '\125\252' | dd of="$raw" bs=1 seek=510 conv=notrunc status=none
    mke2fs -q -F -t ext4 -L boot -E offset=1048576 "$raw" 8M
    mke2fs -q -F -t ext4 -O ^metadata_csum -E offset=9437184 -d "$tree" "$raw" 30M
    # The highest byte of s_feature_incompat: features of tomorrow's.
    [ "$#" -eq 0 ] || printf '%b' "$1" | dd of="$raw" bs=1 seek=$((9437184 + 1024 + 99)) conv=notrunc status=none
    qemu-img convert -O qcow2 "$raw" "$image"
    digest=$(md5sum "$image")
}

unharmed() {
    # What the kernel does of it is not done at once.
    for ((tries = 0; tries < 600; tries++)); do
        [ -n "$(left)" ] || break
        sleep 0.1
    done
    [ -z "$(left)" ] || { left; return 1; }
    [ "$(md5sum "$image")" = "$digest" ]
}

@test "a base image that is mounted and whose programs run is nothing to speak of" {
    disk

    run -0 "$try" "$image"

    [ -z "$output" ]
    unharmed
}

@test "a file system with features that this kernel does not know is refused, with the kernel's version" {
    disk '\100'

    run -1 "$try" "$image"

    [[ $output == "rhel-dpm: DIB_LOCAL_IMAGE names $image, and this machine's kernel ($(uname -r)) cannot mount its file system of the kind ext4: "* ]]
    [ "${#lines[@]}" -eq 1 ]
    unharmed
}

@test "a program that needs instructions which nobody here has is refused, and it is said what is too old" {
    program 'kill -ILL $$'
    disk

    run -1 "$try" "$image"

    [[ $output == *"instructions that this machine's QEMU does not have"*"a newer qemu-user-static has them" ]]
    unharmed
}

@test "the program is run as nobody" {
    # shellcheck disable=SC2016 # for the program
    program 'echo "$(id -u) $(id -g) $(id -G)" >&2; exit 3'
    ln "$tree/bin/busybox" "$tree/bin/id"
    disk

    run -1 "$try" "$image"

    [[ $output == *": 65534 65534 65534" ]]
}

@test "a program that does not run is refused with what chroot says" {
    program 'echo cannot >&2; exit 3'
    disk

    run -1 "$try" "$image"

    [[ $output == *"its /bin/true does not run on this machine: cannot" ]]
    unharmed
}

@test "programs of another machine end a build; before it, a machine that knows none of s390x is only told" {
    # An ELF header of a machine that nobody has a handler for (68HC05).
    rm "$tree/bin/true"
    printf '\177ELF\001\002\001\0\0\0\0\0\0\0\0\0\0\002\0\110\0\0\0\001' >"$tree/bin/true"
    chmod +x "$tree/bin/true"
    disk

    run -1 "$try" --build "$image"

    [[ $output == "rhel-dpm: DIB_LOCAL_IMAGE names $image, and its /bin/true does not run on this machine: "* ]]
    if [ ! -e /proc/sys/fs/binfmt_misc/qemu-s390x ] && [ "$(uname -m)" != s390x ]; then
        run -0 "$try" "$image"
        [[ $output == *"was not tried: no program for s390x is registered in binfmt_misc" ]]
    fi
    unharmed
}

@test "a try that is killed leaves nothing: no mount, no loop device, no process" {
    mark=$((100000 + RANDOM))
    program "exec sleep $mark"
    disk

    "$try" "$image" &
    pid=$!
    until pgrep -f "^sleep $mark\$" >/dev/null; do
        kill -0 "$pid"
        sleep 0.1
    done
    kill -KILL "$pid"

    unharmed
    run -1 pgrep -f "^sleep $mark\$"
}

@test "without root, and of what is compressed, it says that nothing was tried" {
    disk
    chmod 755 "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test"
    mkdir "$BATS_TEST_TMPDIR/nobody"
    cp "$try" "$BATS_TEST_TMPDIR/nobody/"
    chmod -R a+rX "$BATS_TEST_TMPDIR/nobody" "$image"
    printf '#!/bin/sh\nexit 1\n' >"$BATS_TEST_TMPDIR/nobody/sudo"
    chmod 755 "$BATS_TEST_TMPDIR/nobody/sudo"

    PATH=$BATS_TEST_TMPDIR/nobody:/usr/bin:/bin run -0 setpriv --reuid nobody --clear-groups \
        python3 "$BATS_TEST_TMPDIR/nobody/rhel-dpm-try" "$image"
    [ "$output" = "rhel-dpm: $image was not tried: that takes root" ]
    xz --keep "$image"
    run -0 "$try" "$image.xz"
    [ "$output" = "rhel-dpm: $image.xz was not tried: it is compressed" ]
}

@test "a disk without partitions is not its matter" {
    disk
    qemu-img create -q -f qcow2 "$BATS_TEST_TMPDIR/empty.qcow2" 1M

    run -0 "$try" --build "$BATS_TEST_TMPDIR/empty.qcow2"

    [ -z "$output" ]
}
