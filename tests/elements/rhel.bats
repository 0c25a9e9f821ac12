#!/usr/bin/env bats
# rhel-dpm: what is said before a build, what is mended of diskimage-builder's hooks, what is done to the root.

bats_require_minimum_version 1.5.0

setup() {
    top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    element=$top/elements/rhel-dpm
    root=$BATS_TEST_TMPDIR/root
    mkdir -p "$root/etc" "$BATS_TEST_TMPDIR/bin"
    # sudo is diskimage-builder's way to a root that belongs to root; this one does not.
    # shellcheck disable=SC2016 # the arguments of the fake
    printf '#!/bin/sh\nexec "$@"\n' >"$BATS_TEST_TMPDIR/bin/sudo"
    chmod +x "$BATS_TEST_TMPDIR/bin/sudo"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH
    # diskimage-builder copies the programs of all elements into one folder.
    bin=$BATS_TEST_TMPDIR/hooks-bin
    mkdir "$bin"
    cp "$top"/elements/{rhel-dpm,dpm-clean}/bin/* "$bin/"
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

@test "the build's first hook is the check, and it ends the build" {
    ready
    export TMP_HOOKS_PATH=$BATS_TEST_TMPDIR/hooks
    mkdir "$TMP_HOOKS_PATH"
    cp -r "$element/bin" "$TMP_HOOKS_PATH/"

    run -0 "$element/root.d/01-rhel-dpm-check"
    DIB_LOCAL_IMAGE='' run -1 "$element/root.d/01-rhel-dpm-check"

    [[ $output == "rhel-dpm: DIB_LOCAL_IMAGE is not set"* ]]
}

# hooks: the hooks of the diskimage-builder that is installed, as a build's own copy.
hooks() {
    hooks=$BATS_TEST_TMPDIR/hooks
    local upstream
    upstream=$(python3 -c 'import diskimage_builder as d; print(list(d.__path__)[0])')/elements
    mkdir -p "$hooks"/{bin,root.d,pre-install.d,cleanup.d}
    cp "$upstream/rhel/root.d/10-rhel-cloud-image" "$hooks/root.d/"
    cp "$upstream/rpm-distro/pre-install.d/01-override-yum-arch" "$hooks/pre-install.d/"
    cp "$upstream/sysprep/bin/extract-image" "$hooks/bin/"
    cp "$upstream/selinux-fixfiles-restore/cleanup.d/99-selinux-fixfiles-restore" "$hooks/cleanup.d/"
}

# foreign: the machine is not s390x, whatever it is.
foreign() {
    printf '#!/bin/sh\necho x86_64\n' >"$BATS_TEST_TMPDIR/bin/uname"
    chmod +x "$BATS_TEST_TMPDIR/bin/uname"
}

@test "upstream still refuses s390x: this fails once it does not, and rhel-dpm-mend can go" {
    hooks

    ARCH=s390x TARGET_ROOT=$root run ! "$hooks/root.d/10-rhel-cloud-image"
    [[ $output == *"only supports"* ]]
    ARCH=s390x YUM=dnf DISTRO_NAME=rhel run ! "$hooks/pre-install.d/01-override-yum-arch"
    [[ $output == *"Unknown arch 's390x'"* ]]
    # shellcheck disable=SC2016 # the hook's own variables
    grep -qF 'bin/tar $TAROPTS -cz . > $WORKING/tmp.tar' "$hooks/bin/extract-image"
}

@test "all places are mended in upstream's hooks as they are installed" {
    hooks
    foreign

    run -0 "$element/bin/rhel-dpm-mend" "$hooks"

    [ "$(grep -c mended <<<"$output")" -eq 3 ]
    [[ $output != *"left"* ]]
    for hook in root.d/10-rhel-cloud-image pre-install.d/01-override-yum-arch bin/extract-image; do
        bash -n "$hooks/$hook"
    done
}

@test "the mended hook unpacks the image that DIB_LOCAL_IMAGE names" {
    hooks
    "$element/bin/rhel-dpm-mend" "$hooks" >/dev/null
    # shellcheck disable=SC2016 # the arguments of the fake
    printf '#!/bin/sh\necho "extract-image $*"\n' >"$hooks/bin/extract-image"

    ARCH=s390x TARGET_ROOT=$root TMP_HOOKS_PATH=$hooks DIB_LOCAL_IMAGE=/images/rhel.qcow2 \
        run -0 "$hooks/root.d/10-rhel-cloud-image"

    [ "$output" = "extract-image rhel.qcow2 rhel.qcow2.tgz /images/rhel.qcow2 /images/rhel.qcow2" ]
}

@test "the mended hook tells dnf its architecture" {
    hooks
    "$element/bin/rhel-dpm-mend" "$hooks" >/dev/null
    mkdir -p "$root/etc"
    sed -i "s#/etc/dnf#$root/etc/dnf#g" "$hooks/pre-install.d/01-override-yum-arch"

    ARCH=s390x YUM=dnf DISTRO_NAME=rhel run -0 "$hooks/pre-install.d/01-override-yum-arch"

    [ "$(cat "$root/etc/dnf/vars/basearch")" = s390x ]
    [ "$(cat "$root/etc/dnf/vars/arch")" = s390x ]
}

@test "a hook that knows s390x, or is not as it was, is left alone" {
    hooks
    foreign
    sed -i 's/ppc64le"/ppc64le s390x"/' "$hooks/root.d/10-rhel-cloud-image"
    sed -i 's/arm64 aarch64/aarch64/' "$hooks/pre-install.d/01-override-yum-arch"
    rm "$hooks/bin/extract-image"
    before=$(cat "$hooks"/*/*)

    DIB_DPM_SELINUX_LABELS=build run -0 "$element/bin/rhel-dpm-mend" "$hooks"

    [ "$(grep -c 'left .* alone' <<<"$output")" -eq 3 ]
    [ "$(cat "$hooks"/*/*)" = "$before" ]
}

@test "labels are left to the first boot, or to the build where that is asked for" {
    hooks

    DIB_DPM_SELINUX_LABELS=build "$element/bin/rhel-dpm-mend" "$hooks" >/dev/null
    DIB_DPM_SELINUX_LABELS=build "$bin/rhel-dpm-clean" "$root"
    [ -e "$hooks/cleanup.d/99-selinux-fixfiles-restore" ]
    [ ! -e "$root/.autorelabel" ]

    "$element/bin/rhel-dpm-mend" "$hooks" >/dev/null
    "$bin/rhel-dpm-clean" "$root"
    [ ! -e "$hooks/cleanup.d/99-selinux-fixfiles-restore" ]
    [ -e "$root/.autorelabel" ]
}

@test "the build's subscription and the builder's devices do not stay in the image" {
    gone=(etc/pki/consumer/cert.pem etc/pki/entitlement/1.pem etc/yum.repos.d/redhat.repo
        etc/udev/rules.d/41-zfcp-host-0.0.1900.rules)
    for file in "${gone[@]}" etc/udev/rules.d/70-own.rules etc/yum.repos.d/own.repo; do
        mkdir -p "$root/$(dirname "$file")"
        echo x >"$root/$file"
    done

    "$bin/rhel-dpm-clean" "$root"

    for file in "${gone[@]}"; do
        [ ! -e "$root/$file" ] || { echo "still there: $file"; return 1; }
    done
    [ -s "$root/etc/udev/rules.d/70-own.rules" ]
    [ -s "$root/etc/yum.repos.d/own.repo" ]
}

@test "links that lead out of the root reach nothing of the builder's" {
    [ "$(id -u)" = 0 ] || skip "needs root"
    victim=$BATS_TEST_TMPDIR/victim
    mkdir -p "$victim"/{consumer,entitlement,rules.d,rhsm} "$root"/{etc/udev,var/lib}
    touch "$victim"/{consumer/cert.pem,entitlement/1.pem,rules.d/41-x.rules,rhsm/facts,redhat.repo}
    echo mine >"$victim/labels"
    before=$(cd "$victim" && find . -type f -exec md5sum {} + | sort)
    up=$(printf '../%.0s' {1..40})
    ln -s "$victim" "$root/etc/pki"
    ln -s "$up${victim#/}/rules.d" "$root/etc/udev/rules.d"
    ln -s "$victim/rhsm" "$root/var/lib/rhsm"
    ln -s "$victim" "$root/etc/yum.repos.d"
    ln -s "$victim/labels" "$root/.autorelabel"

    run -0 "$bin/rhel-dpm-clean" "$root"

    [ "$(cd "$victim" && find . -type f -exec md5sum {} + | sort)" = "$before" ]
    [ ! -L "$root/.autorelabel" ]
    [ "$(cat "$root/.autorelabel")" = -F ]
}

# interface NAME MAC [device]
interface() {
    mkdir -p "$root/sys/class/net/$1"
    echo "$2" >"$root/sys/class/net/$1/address"
    [ -z "${3:-}" ] || mkdir "$root/sys/class/net/$1/device"
}

# profile NAME LINE...: as cloud-init writes them.
profile() {
    local folder=$root/etc/NetworkManager/system-connections name=$1
    shift
    mkdir -p "$folder"
    printf '# Generated by cloud-init. Changes will be lost.\n\n[connection]\nid=%s\ntype=ethernet\n' "$name" \
        >"$folder/$name.nmconnection"
    printf '%s\n' "$@" >>"$folder/$name.nmconnection"
    chmod 600 "$folder/$name.nmconnection"
}

by_mac() {
    run -0 "$element/rhel-dpm-files/usr/libexec/rhel-dpm/interfaces-by-mac" "$root"
}

@test "a profile gets the name of the interface that has its MAC, in place of the MAC" {
    interface enc1 0a:00:00:00:00:11 device
    interface enc4 0a:00:00:00:00:12 device
    profile cloud-init-enc1 '[ethernet]' 'mac-address=0A:00:00:00:00:11' 'mtu=1500'

    by_mac

    [ "$output" = "cloud-init-enc1.nmconnection: 0a:00:00:00:00:11 is enc1" ]
    file=$root/etc/NetworkManager/system-connections/cloud-init-enc1.nmconnection
    [ "$(sed -n '/^\[connection\]$/{n;p}' "$file")" = interface-name=enc1 ]
    run ! grep -q mac-address "$file"
    grep -qx mtu=1500 "$file"
    [ "$(stat -c %a "$file")" = 600 ]
}

@test "a bond has the MAC of its member, and is not taken for it" {
    interface bond0 0a:00:00:00:00:11
    interface enc1 0a:00:00:00:00:11 device
    profile cloud-init-enc1 '[ethernet]' 'mac-address=0A:00:00:00:00:11'

    by_mac

    grep -qx interface-name=enc1 "$root/etc/NetworkManager/system-connections/cloud-init-enc1.nmconnection"
}

@test "profiles without MAC, with an unknown one, or of others stay as they are" {
    interface enc1 0a:00:00:00:00:11 device
    profile cloud-init-bond0 'interface-name=bond0'
    profile cloud-init-enc9 '[ethernet]' 'mac-address=0A:00:00:00:00:99'
    profile mine '[ethernet]' 'mac-address=0A:00:00:00:00:11'
    before=$(cat "$root"/etc/NetworkManager/system-connections/*)

    by_mac
    by_mac

    [ -z "$output" ]
    [ "$(cat "$root"/etc/NetworkManager/system-connections/*)" = "$before" ]
}

@test "an image without profiles is no error" {
    by_mac
    [ -z "$output" ]
}
