#!/usr/bin/env bats
# The stand-ins for a kernel without device-mapper, with fakes of what they call.

setup() {
    bin=$(cd "$BATS_TEST_DIRNAME/../../image-build/stand-ins" && pwd)
    fakes=$BATS_TEST_TMPDIR/fakes
    mkdir "$fakes"
    said=$BATS_TEST_TMPDIR/said
    : >"$said"
}

# fake NAME STATUS: a command that notes its arguments.
fake() {
    printf '#!/bin/sh\necho "%s $*" >>"%s"\nexit %s\n' "$1" "$said" "$2" >"$fakes/$1"
    chmod +x "$fakes/$1"
}

@test "fstrim: what the real one says is passed on" {
    fake fstrim 0

    PATH=$bin:$fakes:$PATH run "$bin/fstrim" --verbose /mnt

    [ "$status" -eq 0 ]
    grep -qx 'fstrim --verbose /mnt' "$said"
    [[ $output != *"not trimmed"* ]]
}

@test "fstrim: a file system that cannot be trimmed is said, and no error" {
    fake fstrim 1

    PATH=$bin:$fakes:$PATH run "$bin/fstrim" --verbose /mnt

    [ "$status" -eq 0 ]
    [[ $output == *"not trimmed"* ]]
}

@test "kpartx maps the partitions of an MBR, and unmaps them" {
    [ "$(id -u)" = 0 ] || skip "loop devices need root"
    image=$BATS_TEST_TMPDIR/disk.raw
    truncate -s 8M "$image"
    # An MBR with one Linux partition: 2048 sectors in, 8192 long (little endian), and the signature.
    printf '\200\0\0\0\203\0\0\0\0\010\0\0\0\040\0\0' | dd of="$image" bs=1 seek=446 conv=notrunc status=none
    printf '\125\252' | dd of="$image" bs=1 seek=510 conv=notrunc status=none
    printf 'first sector' | dd of="$image" bs=512 seek=2048 conv=notrunc status=none
    disk=$(losetup --find --show "$image")

    run "$bin/kpartx" -uvs "$disk"
    part=/dev/mapper/${disk##*/}p1
    content=$(head -c 12 "$part" || true)
    size=$(blockdev --getsz "$part" || true)
    "$bin/kpartx" -d "$disk"
    losetup -d "$disk"

    [ "$status" -eq 0 ]
    [ "$content" = "first sector" ]
    [ "$size" = 8192 ]
    [ ! -e "$part" ]
    [ -z "$(losetup -j "$image")" ]
}

@test "sudo finds the stand-ins, and nothing else of the caller's PATH" {
    [ -x /usr/bin/sudo ] || skip "no sudo"
    [ "$(id -u)" = 0 ] || skip "sudo may ask for a password"
    fake blkid 0

    PATH=$bin:$fakes:$PATH run "$bin/sudo" -E sh -c 'command -v dmsetup; command -v blkid'

    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "$bin/dmsetup" ]
    [ "${lines[1]}" != "$fakes/blkid" ]
}

@test "sudo: options with values are options" {
    [ -x /usr/bin/sudo ] || skip "no sudo"
    [ "$(id -u)" = 0 ] || skip "sudo may ask for a password"

    for options in "-u nobody" "-unobody" "-nu nobody" "--user nobody" "--user=nobody" "-E -u nobody --"; do
        # shellcheck disable=SC2086 # words
        PATH=$bin:$PATH run "$bin/sudo" $options id -un

        [ "$output" = nobody ] || { echo "$options: $output"; return 1; }
    done
    # shellcheck disable=SC2016 # for the inner shell
    PATH=$bin:$PATH run "$bin/sudo" WORD=here sh -c 'echo "$WORD $1"' sh -u
    [ "$output" = "here -u" ]
}

@test "kpartx takes a file too, and leaves no loop device of it" {
    [ "$(id -u)" = 0 ] || skip "loop devices need root"
    image=$BATS_TEST_TMPDIR/disk.raw
    truncate -s 8M "$image"
    printf '\200\0\0\0\203\0\0\0\0\010\0\0\0\040\0\0' | dd of="$image" bs=1 seek=446 conv=notrunc status=none
    printf '\125\252' | dd of="$image" bs=1 seek=510 conv=notrunc status=none

    run "$bin/kpartx" -av "$image"
    mapped=$(losetup --noheadings --output NAME,OFFSET -j "$image" | awk '$2 == 0 { print $1 }')
    part=/dev/mapper/${mapped##*/}p1
    size=$(blockdev --getsz "$part" || true)
    "$bin/kpartx" -d "$image"

    [ "$status" -eq 0 ]
    [ "$size" = 8192 ]
    [ ! -e "$part" ]
    [ -z "$(losetup -j "$image")" ]
}
