#!/usr/bin/env bats
# dpm-size: the disk's size follows from what is in the root, not from the builder's file system.

setup() {
    element=$BATS_TEST_DIRNAME/../../elements/dpm-size
    root=$BATS_TEST_TMPDIR/built
    mkdir "$root"
    # sudo is diskimage-builder's way to a root that belongs to root; this one does not.
    mkdir "$BATS_TEST_TMPDIR/bin"
    # shellcheck disable=SC2016 # the arguments of the fake
    printf '#!/bin/sh\nexec "$@"\n' >"$BATS_TEST_TMPDIR/bin/sudo"
    chmod +x "$BATS_TEST_TMPDIR/bin/sudo"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

# used FOLDER: the KiB that du counts.
used() {
    du -s "$1" | cut -f 1
}

# upstream FILE: a file of the diskimage-builder that is installed.
upstream() {
    python3 -c 'import sys, diskimage_builder as d; print(list(d.__path__)[0] + "/" + sys.argv[1])' "$1"
}

# block_device_phase VARIABLES ARGUMENTS: prints the size after diskimage-builder's own code has run the element's hook
# for $root, in a build that was called with these. It was 999936 before.
block_device_phase() {
    export TMP_BUILD_DIR=$BATS_TEST_TMPDIR TMP_HOOKS_PATH=$BATS_TEST_TMPDIR/hooks DIB_ROOT_FSTYPE=ext4
    rm -rf "$TMP_HOOKS_PATH"
    cp -r "$element" "$TMP_HOOKS_PATH"
    # In a shell of its own: it sets traps.
    # shellcheck disable=SC2016 # that shell's variables
    DIB_ENV=$1 DIB_ARGS=$2 _LIB=$(upstream lib) bash -e -c '
        source "$1"
        DIB_IMAGE_SIZE=999936
        eval "$2" >&2
        echo "$DIB_IMAGE_SIZE${IMAGE_BLOCK_DEVICE:+, and no block device}"
    ' bash "$(upstream lib/common-functions)" "$(grep -x 'eval_run_d block-device .*' "$(upstream lib/disk-image-create)")"
}

@test "the same files on file systems with other blocks give the same size" {
    mkdir "$root/a" "$root/b"
    for folder in "$root/a" "$root/b"; do
        truncate -s 3M "$folder/file"
        echo something >"$folder/small"
    done
    # Written out here, a hole there.
    dd if=/dev/zero of="$root/a/file" bs=1M count=3 conv=notrunc status=none

    [ "$(used "$root/a")" -gt "$(used "$root/b")" ]
    [ "$("$element/bin/dpm-size" "$root/a")" = "$("$element/bin/dpm-size" "$root/b")" ]
}

@test "the same files on ext4 and in memory give the same size" {
    [ "$(id -u)" = 0 ] || skip "loop devices need root"
    truncate -s 64M "$BATS_TEST_TMPDIR/disk"
    mkfs.ext4 -q -b 1024 -O ^has_journal "$BATS_TEST_TMPDIR/disk"
    mkdir "$root/disk" "$root/memory"
    mount -o loop "$BATS_TEST_TMPDIR/disk" "$root/disk"
    mount -t tmpfs tmpfs "$root/memory"
    for folder in "$root/disk" "$root/memory"; do
        mkdir "$folder/root"
        for name in $(seq 600); do
            head -c 5000 /dev/zero >"$folder/root/$name-a-name-that-is-rather-long"
        done
    done

    disk="$(used "$root/disk/root") $("$element/bin/dpm-size" "$root/disk/root")"
    memory="$(used "$root/memory/root") $("$element/bin/dpm-size" "$root/memory/root")"
    umount "$root/disk" "$root/memory"

    [ "${disk% *}" != "${memory% *}" ]
    [ "${disk#* }" = "${memory#* }" ]
}

@test "a file with two names counts once" {
    truncate -s 30M "$root/file"
    alone=$("$element/bin/dpm-size" "$root")

    ln "$root/file" "$root/again"

    [ "$("$element/bin/dpm-size" "$root")" = "$alone" ]
}

@test "what is removed before the image is finished does not count, but has room" {
    truncate -s 300M "$root/file"
    alone=$("$element/bin/dpm-size" "$root")
    mkdir -p "$root/var/log/apt" "$root/var/lib/apt/lists" "$root/var/cache/apt"

    truncate -s 40M "$root/var/log/apt/term.log" "$root/var/lib/apt/lists/mirror_Packages"
    some=$("$element/bin/dpm-size" "$root")
    truncate -s 900M "$root/var/cache/apt/pkgcache.bin"
    much=$("$element/bin/dpm-size" "$root")

    [ "$some" = "$alone" ]
    [ "$much" -gt $((1280 * 1024)) ]
}

@test "two fifths of the file system are free, and it is whole MiB" {
    truncate -s 300M "$root/file"

    [ "$("$element/bin/dpm-size" "$root")" = $((501 * 1024)) ]
}

@test "diskimage-builder takes the size, and ext4's journal comes to it" {
    truncate -s 300M "$root/file"

    [ "$(block_device_phase 'declare -x DIB_RELEASE="bookworm"' "-x -o image debian-dpm")" = $(((501 + 64) * 1024)) ]
}

@test "a size that was asked for stays" {
    [ "$(block_device_phase 'declare -x DIB_IMAGE_SIZE="5"' "-o image debian-dpm")" = 999936 ]
    [ "$(block_device_phase 'declare -x DIB_RELEASE="bookworm"' "--image-size 5 -o image debian-dpm")" = 999936 ]
}

@test "the whole images have the element" {
    for image in debian-dpm rhel-dpm; do
        grep -qx dpm-size "$element/../$image/element-deps"
    done
}
