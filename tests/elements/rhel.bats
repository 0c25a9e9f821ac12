#!/usr/bin/env bats
# rhel-dpm: what is mended of diskimage-builder's hooks, and what is done to the root.

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

    [ "$(grep -c mended <<<"$output")" -eq 4 ]
    [[ $output != *"left"* ]]
    for hook in root.d/10-rhel-cloud-image pre-install.d/01-override-yum-arch bin/extract-image cleanup.d/99-selinux-fixfiles-restore; do
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
    rm "$hooks/bin/extract-image" "$hooks/cleanup.d/99-selinux-fixfiles-restore"
    before=$(cat "$hooks"/*/*)

    run -0 "$element/bin/rhel-dpm-mend" "$hooks"

    [ "$(grep -c 'left .* alone' <<<"$output")" -eq 4 ]
    [ "$(cat "$hooks"/*/*)" = "$before" ]
}

@test "entries are named by zipl-dpm-bls alone" {
    hooks
    mkdir -p "$hooks/post-install.d"
    cp "$(python3 -c 'import diskimage_builder as d; print(list(d.__path__)[0])')/elements/rhel/post-install.d/03-reset-bls-entries" \
        "$hooks/post-install.d"

    "$element/bin/rhel-dpm-mend" "$hooks" >/dev/null

    [ -z "$(ls "$hooks/post-install.d")" ]
}

@test "the build labels all files: its hook stays, and nothing asks the first boot for it" {
    hooks
    touch "$root/.autorelabel"

    "$element/bin/rhel-dpm-mend" "$hooks" >/dev/null
    "$bin/rhel-dpm-clean" "$root"

    [ -e "$hooks/cleanup.d/99-selinux-fixfiles-restore" ]
    [ ! -e "$root/.autorelabel" ]
    # The order of dib-run-parts.
    [ "$(find "$hooks/cleanup.d" "$element/cleanup.d" "$element/../dpm-clean/cleanup.d" -type f -printf '%f\n' | LANG=C sort -n | tail -n 1)" = \
        99-t-rhel-dpm-labels ]
}

@test "the mended hook labels files with the image's setfiles, where upstream's labels none" {
    [ "$(id -u)" = 0 ] || skip "chroot needs root"
    setfiles=$(PATH=$PATH:/usr/sbin:/sbin command -v setfiles) || skip "no setfiles"
    hooks
    mkdir -p "$root"/{usr/sbin,proc,etc/selinux/targeted/contexts/files,tmp}
    for file in "$setfiles" $(ldd "$setfiles" | grep -o '/[^ ]*'); do
        mkdir -p "$root${file%/*}"
        cp "$file" "$root$file"
    done
    [ -e "$root/usr/sbin/setfiles" ] || cp "$setfiles" "$root/usr/sbin/"
    printf '%s\n' '/.* system_u:object_r:default_t:s0' '/etc(/.*)? system_u:object_r:etc_t:s0' \
        >"$root/etc/selinux/targeted/contexts/files/file_contexts"
    echo x >"$root/etc/file"
    export TARGET_ROOT=$root DIB_MOUNTPOINTS=/ DISTRO_NAME=rhel DIB_RELEASE=9 DIB_DEBUG_TRACE=0 TMPDIR=$BATS_TEST_TMPDIR
    label='import os, sys; print(os.getxattr(sys.argv[1], "security.selinux").decode().rstrip("\\0"))'

    run unshare --mount "$hooks/cleanup.d/99-selinux-fixfiles-restore"
    run -1 python3 -c "$label" "$root/etc/file"
    # Once it does, this part of rhel-dpm-mend can go.
    "$element/bin/rhel-dpm-mend" "$hooks" >/dev/null
    run -0 unshare --mount "$hooks/cleanup.d/99-selinux-fixfiles-restore"

    [ "$(python3 -c "$label" "$root/etc/file")" = system_u:object_r:etc_t:s0 ]
    [ "$(python3 -c "$label" "$root/tmp")" = system_u:object_r:default_t:s0 ]
    [ "$(python3 -c "$label" "$root")" = system_u:object_r:default_t:s0 ]
}

@test "a root that enforces SELinux without labels ends the build" {
    [ "$(id -u)" = 0 ] || skip "labels need root"
    mkdir -p "$root/etc/selinux" "$root/usr/lib/systemd"
    touch "$root/usr/lib/systemd/systemd" "$root/etc/machine-id"
    run -0 "$bin/rhel-dpm-labels" "$root"

    printf 'SELINUX=enforcing\nSELINUXTYPE=targeted\n' >"$root/etc/selinux/config"
    run -1 "$bin/rhel-dpm-labels" "$root"
    [[ $output == "rhel-dpm: /etc/selinux/config switches SELinux on, and /usr/lib/systemd/systemd has no label"* ]]

    label='import os, sys; [os.setxattr(path, "security.selinux", b"system_u:object_r:init_exec_t:s0\\0") for path in sys.argv[1:]]'
    python3 -c "$label" "$root/usr/lib/systemd/systemd" 2>/dev/null || skip "this kernel or file system takes no labels"
    run -1 "$bin/rhel-dpm-labels" "$root"
    [[ $output == *"/etc/machine-id has no label"* ]]
    python3 -c "$label" "$root/etc/machine-id"
    run -0 "$bin/rhel-dpm-labels" "$root"
    sed -i s/enforcing/disabled/ "$root/etc/selinux/config"
    run -0 "$bin/rhel-dpm-labels" "$root"
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

# satellite: what diskimage-builder's registration with one leaves: its package (rpm -Uvh), and what that and `register`
# write. rpm, its database and the erasing are real.
satellite() {
    command -v rpmbuild || skip "no rpmbuild"
    [ "$(id -u)" = 0 ] || skip "rpm --root needs root"
    printf '%s\n' 'Name: katello-ca-consumer-sat.example.com' 'Version: 1' 'Release: 1' 'Summary: x' 'License: x' 'BuildArch: noarch' \
        '%description' x '%install' 'install -D -m 644 /dev/null %{buildroot}/etc/rhsm/ca/katello-server-ca.pem' \
        '%files' /etc/rhsm/ca/katello-server-ca.pem >"$BATS_TEST_TMPDIR/katello.spec"
    rpmbuild --quiet -bb --define "_topdir $BATS_TEST_TMPDIR/rpmbuild" "$BATS_TEST_TMPDIR/katello.spec" >&2
    rpm --root "$root" --nodeps --noscripts -i "$BATS_TEST_TMPDIR"/rpmbuild/RPMS/noarch/*.rpm
    sed -i 's/^hostname = .*/hostname = sat.example.com/' "$root/etc/rhsm/rhsm.conf"
    cp "$root/etc/rhsm/rhsm.conf" "$root/etc/rhsm/rhsm.conf.kat-backup"
    mkdir -p "$root/etc/pki/ca-trust/source/anchors"
    touch "$root"/etc/rhsm/ca/katello-default-ca.pem "$root"/etc/pki/ca-trust/source/anchors/{katello-server-ca.pem,own.pem}
}

@test "a Satellite server leaves nothing: neither its package nor its name" {
    mkdir -p "$root/etc/rhsm/ca"
    printf '[server]\nhostname = subscription.rhsm.redhat.com\n' >"$root/etc/rhsm/rhsm.conf"
    chmod 640 "$root/etc/rhsm/rhsm.conf"
    echo kept >"$root/etc/rhsm/ca/redhat-uep.pem"
    "$bin/rhel-dpm-rhsm" save "$root"
    satellite

    "$bin/rhel-dpm-rhsm" restore "$root"

    [ -z "$(rpm --root "$root" -qa)" ]
    run -1 grep -rl sat.example.com "$root/etc"
    [ "$(cat "$root/etc/rhsm/rhsm.conf")" = "[server]
hostname = subscription.rhsm.redhat.com" ]
    [ "$(stat -c %a "$root/etc/rhsm/rhsm.conf")" = 640 ]
    [ "$(cd "$root/etc" && find rhsm pki -type f | sort)" = "pki/ca-trust/source/anchors/own.pem
rhsm/ca/redhat-uep.pem
rhsm/rhsm.conf" ]
}

@test "an image without a subscription manager is no error" {
    "$bin/rhel-dpm-rhsm" save "$root"
    "$bin/rhel-dpm-rhsm" restore "$root"

    [ -z "$(find "$root/etc" -type f)" ]
}

@test "the registration is between what saves its configuration and what puts it back" {
    upstream=$(python3 -c 'import diskimage_builder as d; print(list(d.__path__)[0])')/elements/rhel-common

    # The order of dib-run-parts.
    for phase in pre-install.d finalise.d; do
        find "$upstream/$phase" "$element/$phase" -type f -printf '%f\n' | LANG=C sort -n | grep -e rhel-dpm -e registration -e unregister
    done >"$BATS_TEST_TMPDIR/order"
    [ "$(cat "$BATS_TEST_TMPDIR/order")" = "00-02-rhel-dpm
00-rhel-registration
60-unregister
65-rhel-dpm" ]
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
    run -0 "$element/rhel-dpm-files/usr/libexec/rhel-dpm/interfaces-by-mac" "$@" "$root"
}

# has PROFILE KEY: its value, wherever in the file.
has() {
    sed -n "s/^$2=//p" "$root/etc/NetworkManager/system-connections/$1.nmconnection"
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

@test "a NIC that another one takes the place of: each profile is for the MAC that it was written for" {
    interface enc1 0a:00:00:00:00:11 device
    interface enc4 0a:00:00:00:00:12 device
    profile cloud-init-enc1 '[ethernet]' 'mac-address=0A:00:00:00:00:11'
    profile cloud-init-enc4 '[ethernet]' 'mac-address=0A:00:00:00:00:12'
    by_mac

    # The next boot: the second port was swapped for another one, and cloud-init found no data.
    echo 0a:00:00:00:00:13 >"$root/sys/class/net/enc4/address"
    by_mac

    [ "$(has cloud-init-enc1 interface-name)" = enc1 ]
    [ -z "$(has cloud-init-enc4 interface-name)" ]
    [ "$(has cloud-init-enc4 mac-address)" = 0A:00:00:00:00:12 ]
    [ "$(grep -A 1 '^\[ethernet\]$' "$root/etc/NetworkManager/system-connections/cloud-init-enc4.nmconnection" | tail -n 1)" = \
        mac-address=0A:00:00:00:00:12 ]
    [ "$output" = "cloud-init-enc4.nmconnection: 0a:00:00:00:00:12 is gone" ]

    # And one with the first one there again.
    echo 0a:00:00:00:00:12 >"$root/sys/class/net/enc4/address"
    by_mac
    [ "$(has cloud-init-enc4 interface-name)" = enc4 ]
    [ "$(grep -c . "$root/etc/NetworkManager/system-connections/cloud-init-enc4.nmconnection")" -eq 8 ]
}

@test "a NIC with another device number takes its profile along, and a newer profile for it replaces that" {
    interface enc4 0a:00:00:00:00:12 device
    profile cloud-init-enc4 '[ethernet]' 'mac-address=0A:00:00:00:00:12' '[user]' 'org.freedesktop.NetworkManager.origin=cloud-init'
    by_mac
    mv "$root/sys/class/net/enc4" "$root/sys/class/net/enc7"

    by_mac
    [ "$(has cloud-init-enc4 interface-name)" = enc7 ]
    [ "$(has cloud-init-enc4 org.freedesktop.NetworkManager.origin)" = cloud-init ]

    profile cloud-init-enc7 '[ethernet]' 'mac-address=0A:00:00:00:00:12'
    by_mac
    [ "$(ls "$root/etc/NetworkManager/system-connections")" = cloud-init-enc7.nmconnection ]
    [ "$(has cloud-init-enc7 interface-name)" = enc7 ]
}

@test "a bridge's profile has a MAC of its own, and stays as it is" {
    interface enc1 0a:00:00:00:00:11 device
    profile cloud-init-br0 'interface-name=br0' '[bridge]' 'mac-address=0A:00:00:00:00:11'
    sed -i s/type=ethernet/type=bridge/ "$root/etc/NetworkManager/system-connections/cloud-init-br0.nmconnection"

    by_mac

    [ "$(has cloud-init-br0 interface-name)" = br0 ]
    [ "$(has cloud-init-br0 mac-address)" = 0A:00:00:00:00:11 ]
}

@test "after cloud-init's second stage NetworkManager is told what has changed, and only that" {
    printf '#!/bin/sh\necho "nmcli $*"\n[ "$*" != "--wait 30 connection up uuid 2" ]\n' >"$BATS_TEST_TMPDIR/bin/nmcli"
    chmod +x "$BATS_TEST_TMPDIR/bin/nmcli"
    interface enc1 0a:00:00:00:00:11 device
    interface enc4 0a:00:00:00:00:12 device
    interface enc7 0a:00:00:00:00:13 device
    profile cloud-init-enc1 uuid=1 '[ethernet]' 'mac-address=0A:00:00:00:00:11'
    by_mac
    profile cloud-init-enc4 uuid=2 '[ethernet]' 'mac-address=0A:00:00:00:00:12'
    profile cloud-init-enc7 uuid=3 '[ethernet]' 'mac-address=0A:00:00:00:00:13'

    by_mac --activate
    [ "$(grep nmcli <<<"$output")" = "nmcli connection reload
nmcli --wait 30 connection up uuid 2
nmcli --wait 30 connection up uuid 3" ]

    by_mac --activate
    [ -z "$output" ]
}
