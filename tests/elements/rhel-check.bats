#!/usr/bin/env bats
# rhel-dpm-check: what is said before a build, on the machine that builds.

bats_require_minimum_version 1.5.0

setup() {
    top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    element=$top/elements/rhel-dpm
    mkdir "$BATS_TEST_TMPDIR/bin"
    # sudo is diskimage-builder's way to a root that belongs to root; this one does not.
    # shellcheck disable=SC2016 # the arguments of the fake
    printf '#!/bin/sh\nexec "$@"\n' >"$BATS_TEST_TMPDIR/bin/sudo"
    chmod +x "$BATS_TEST_TMPDIR/bin/sudo"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH
    # What a build's copy of the programs is, with a base image that is not tried: tests of that are in rhel-try.bats.
    mkdir -p "$BATS_TEST_TMPDIR/rhel-dpm/bin"
    cp "$element"/bin/* "$BATS_TEST_TMPDIR/rhel-dpm/bin/"
    cp -r "$element/root.d" "$BATS_TEST_TMPDIR/rhel-dpm/"
    element=$BATS_TEST_TMPDIR/rhel-dpm
    echo 'import sys; sys.exit()' >"$element/bin/rhel-dpm-try"
    for name in "${!DIB_@}" "${!REG_@}"; do
        unset "$name"
    done
}

# disk NAME [BYTES-AT OFFSET]...: a qcow2 whose disk has these bytes (printf escapes) at these places.
disk() {
    local name=$BATS_TEST_TMPDIR/$1 raw=$BATS_TEST_TMPDIR/disk.raw
    shift
    rm -f "$raw"
    truncate -s 64K "$raw"
    while [ "$#" -gt 0 ]; do
        # shellcheck disable=SC2059 # the bytes are escapes
        printf "$1" | dd of="$raw" bs=1 seek="$2" conv=notrunc status=none
        shift 2
    done
    qemu-img convert -O qcow2 "$raw" "$name"
}

# ready: everything that a build needs.
ready() {
    disk rhel-9-s390x-kvm.qcow2 zIPL 0
    export ARCH=s390x DIB_RELEASE=9 DIB_LOCAL_IMAGE=$BATS_TEST_TMPDIR/rhel-9-s390x-kvm.qcow2
    export REG_METHOD=portal REG_ACTIVATION_KEY=hush-hush REG_ORG=1234567
}

# refused TEXT: the check fails with one sentence that has the text.
refused() {
    run --separate-stderr "$element/bin/rhel-dpm-check"

    [ "$status" -eq 1 ]
    [ -z "$output" ]
    # shellcheck disable=SC2154 # bats sets it
    [ "$(wc -l <<<"$stderr")" -eq 1 ]
    [[ $stderr == "rhel-dpm: "*"$1"* ]] || { echo "$stderr"; return 1; }
    [[ $stderr != *hush-hush* ]]
}

@test "with image and subscription there is nothing to say" {
    ready

    run -0 "$element/bin/rhel-dpm-check"

    [ -z "$output" ]
}

@test "repositories are enough without a subscription, and so is a refusal of one" {
    ready
    unset REG_METHOD REG_ACTIVATION_KEY REG_ORG
    touch "$BATS_TEST_TMPDIR/own.repo"

    DIB_YUM_REPO_CONF=$BATS_TEST_TMPDIR/own.repo run -0 "$element/bin/rhel-dpm-check"
    REG_METHOD=disable run -0 "$element/bin/rhel-dpm-check"
}

@test "another architecture is refused" {
    ready
    ARCH=amd64 refused "the architecture is amd64"
}

@test "another release is refused" {
    ready
    DIB_RELEASE=8 refused "DIB_RELEASE is 8"
}

@test "no base image is refused, and it is said which one" {
    ready
    DIB_LOCAL_IMAGE='' refused "DIB_LOCAL_IMAGE is not set; it names the RHEL 9 KVM guest image for s390x"
}

@test "a base image that is not there, or no qcow2, is refused" {
    ready
    DIB_LOCAL_IMAGE=$BATS_TEST_TMPDIR/none.qcow2 refused "not a file that can be read"
    echo text >"$BATS_TEST_TMPDIR/text.qcow2"
    DIB_LOCAL_IMAGE=$BATS_TEST_TMPDIR/text.qcow2 refused "not a qcow2 image"
    printf 'QFI\373 and nothing more' >"$BATS_TEST_TMPDIR/half.qcow2"
    DIB_LOCAL_IMAGE=$BATS_TEST_TMPDIR/half.qcow2 refused "cannot be read"
}

@test "a base image of another architecture is known by its name" {
    ready
    cp "$DIB_LOCAL_IMAGE" "$BATS_TEST_TMPDIR/rhel-9.6-x86_64-kvm.qcow2"
    DIB_LOCAL_IMAGE=$BATS_TEST_TMPDIR/rhel-9.6-x86_64-kvm.qcow2 refused "by its name an image for another architecture"
}

@test "a base image of another architecture is known by what it boots with" {
    ready
    # GRUB's jump; a GUID partition table with an EFI partition second; one with a PReP partition; an MBR's PReP.
    disk bios.qcow2 '\353\143\220' 0
    disk uefi.qcow2 'EFI PART' 512 'x' 1024 '\050\163\052\301\037\370\322\021\272\113\000\240\311\076\311\073' 1152
    disk prep.qcow2 'EFI PART' 512 '\070\055\032\236\022\306\026\103\252\046\213\111\122\036\132\213' 1024
    disk mbr.qcow2 '\101' 450

    DIB_LOCAL_IMAGE=$BATS_TEST_TMPDIR/bios.qcow2 refused "boots on x86_64, not on s390x"
    DIB_LOCAL_IMAGE=$BATS_TEST_TMPDIR/uefi.qcow2 refused "boots on UEFI, not on s390x"
    DIB_LOCAL_IMAGE=$BATS_TEST_TMPDIR/prep.qcow2 refused "boots on POWER, not on s390x"
    DIB_LOCAL_IMAGE=$BATS_TEST_TMPDIR/mbr.qcow2 refused "boots on POWER, not on s390x"
}

@test "a base image that names another file is refused, and nobody opens that" {
    ready
    disk base.qcow2 zIPL 0
    cd "$BATS_TEST_TMPDIR"
    qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 backing.qcow2
    qemu-img create -q -f qcow2 -o data_file=data.raw,data_file_raw=on data.qcow2 64K
    # For a true one, qemu-img needs a machine that is not busy.
    cp base.qcow2 luks.qcow2
    printf '\002' | dd of=luks.qcow2 bs=1 seek=35 conv=notrunc status=none
    cp base.qcow2 unknown.qcow2
    printf '\040' | dd of=unknown.qcow2 bs=1 seek=79 conv=notrunc status=none
    cp base.qcow2 old.qcow2
    printf '\001' | dd of=old.qcow2 bs=1 seek=7 conv=notrunc status=none
    xz --keep backing.qcow2
    # Whatever program of QEMU's is called now has looked too late.
    printf '#!/bin/sh\ntouch called\n' >bin/qemu-img
    chmod +x bin/qemu-img

    DIB_LOCAL_IMAGE=$PWD/backing.qcow2 refused "has a backing file"
    DIB_LOCAL_IMAGE=$PWD/data.qcow2 refused "has its data in another file"
    DIB_LOCAL_IMAGE=$PWD/luks.qcow2 refused "is encrypted"
    DIB_LOCAL_IMAGE=$PWD/unknown.qcow2 refused "features that are unknown here"
    DIB_LOCAL_IMAGE=$PWD/old.qcow2 refused "is a qcow2 of version 1"
    DIB_LOCAL_IMAGE=$PWD/backing.qcow2.xz refused "has a backing file"
    [ ! -e called ]
}

@test "a base image of any kind that is one file is taken" {
    ready
    for options in compat=0.10 compression_type=zstd extended_l2=on; do
        qemu-img convert -O qcow2 -o "$options" "$DIB_LOCAL_IMAGE" "$BATS_TEST_TMPDIR/kind.qcow2"

        DIB_LOCAL_IMAGE=$BATS_TEST_TMPDIR/kind.qcow2 run -0 "$element/bin/rhel-dpm-check"
        xz --force "$BATS_TEST_TMPDIR/kind.qcow2"
        DIB_LOCAL_IMAGE=$BATS_TEST_TMPDIR/kind.qcow2.xz run -0 "$element/bin/rhel-dpm-check"
    done
}

@test "a disk that says nothing of its architecture is taken" {
    ready
    disk blank.qcow2

    DIB_LOCAL_IMAGE=$BATS_TEST_TMPDIR/blank.qcow2 run -0 "$element/bin/rhel-dpm-check"
}

@test "neither subscription nor repositories is refused" {
    ready
    REG_METHOD='' refused "packages need a subscription or repositories"
    DIB_YUM_REPO_CONF=$BATS_TEST_TMPDIR/none.repo refused "DIB_YUM_REPO_CONF names"
}

@test "half a subscription is refused, and what is missing is named" {
    ready
    REG_METHOD=rhn refused "REG_METHOD is rhn"
    REG_ORG='' refused "REG_ACTIVATION_KEY is set and REG_ORG is not"
    REG_ACTIVATION_KEY='' refused "needs REG_ACTIVATION_KEY and REG_ORG"
    REG_METHOD=satellite refused "REG_SAT_URL"
    DIB_RELEASE=10 refused "RHEL 10 needs REG_REPOS"
}

@test "RHEL 10 takes an activation key at the portal, and no longer a user or an attachment" {
    ready
    export DIB_RELEASE=10 REG_REPOS=rhel-10-for-s390x-baseos-rpms

    run -0 "$element/bin/rhel-dpm-check"
    REG_AUTO_ATTACH=true refused "REG_AUTO_ATTACH is set"
    unset REG_ACTIVATION_KEY REG_ORG
    export REG_USER=somebody REG_PASSWORD=hush-hush
    refused "RHEL 10 registers at the portal with an activation key"
    DIB_RELEASE=9 run -0 "$element/bin/rhel-dpm-check"
    # Its hook attaches nothing there.
    REG_METHOD=satellite REG_SAT_URL=https://sat.example.com run -0 "$element/bin/rhel-dpm-check"
}

@test "secure boot is asked for by 1, and by nothing else" {
    ready

    DIB_DPM_SECURE_BOOT=1 run -0 "$element/bin/rhel-dpm-check"
    DIB_DPM_SECURE_BOOT=yes refused "DIB_DPM_SECURE_BOOT is yes; it is 1 or 0"
}

@test "labels are written in the build, and nobody else is asked for them" {
    ready

    DIB_DPM_SELINUX_LABELS=build run -0 "$element/bin/rhel-dpm-check"
    DIB_DPM_SELINUX_LABELS=boot refused "DIB_DPM_SELINUX_LABELS is boot, and labels are written in the build"
}

@test "the build's first hook is the check, and it ends the build" {
    ready
    export TMP_HOOKS_PATH=$BATS_TEST_TMPDIR/hooks
    mkdir "$TMP_HOOKS_PATH"
    cp -r "$element/bin" "$TMP_HOOKS_PATH/"

    run -0 "$element/root.d/01-rhel-dpm-check"
    DIB_LOCAL_IMAGE='' run -1 "$element/root.d/01-rhel-dpm-check"

    [[ $output == "rhel-dpm: DIB_LOCAL_IMAGE is not set"* ]]
}
