#!/usr/bin/env bats
# What dpm-clean removes from a root, and what it leaves.

setup() {
    clean=$BATS_TEST_DIRNAME/../../elements/dpm-clean/bin/dpm-clean
    root=$BATS_TEST_TMPDIR/root
    mkdir -p "$root/etc"
    # sudo is diskimage-builder's way to a root that belongs to root; this one does not.
    mkdir "$BATS_TEST_TMPDIR/bin"
    # shellcheck disable=SC2016 # the arguments of the fake
    printf '#!/bin/sh\nexec "$@"\n' >"$BATS_TEST_TMPDIR/bin/sudo"
    chmod +x "$BATS_TEST_TMPDIR/bin/sudo"
    PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

# with FILE...: files with something in them.
with() {
    local name
    for name in "$@"; do
        mkdir -p "$(dirname "$root/$name")"
        echo something >"$root/$name"
    done
}

@test "identity, network, state, logs and caches go" {
    gone=(
        etc/ssh/ssh_host_rsa_key etc/ssh/ssh_host_rsa_key.pub var/lib/systemd/random-seed
        etc/network/interfaces.d/eth0 etc/netplan/50-cloud-init.yaml etc/systemd/network/10-cloud-init-enc1.network
        etc/NetworkManager/system-connections/enc1.nmconnection etc/sysconfig/network-scripts/ifcfg-enc1
        var/lib/cloud/data/instance-id var/log/dpkg.log var/log/apt/term.log var/log/journal/0/system.journal
        var/lib/apt/lists/mirror_Packages var/cache/apt/pkgcache.bin var/cache/dnf/x/repomd.xml
        root/.bash_history tmp/.hidden var/tmp/1 etc/passwd- etc/dib-manifests/dib_environment
    )
    with "${gone[@]}"

    run "$clean" "$root"

    [ "$status" -eq 0 ]
    for name in "${gone[@]}"; do
        [ ! -e "$root/$name" ] || { echo "still there: $name"; return 1; }
    done
}

@test "the machine-id is empty, not missing and not uninitialized" {
    echo uninitialized >"$root/etc/machine-id"

    run "$clean" "$root"

    [ "$status" -eq 0 ]
    [ -f "$root/etc/machine-id" ]
    [ ! -s "$root/etc/machine-id" ]
}

@test "what belongs to the image stays" {
    kept=(
        etc/ssh/sshd_config etc/passwd etc/cloud/cloud.cfg.d/95-dpm-guest.cfg usr/lib/systemd/network/80-x.link
        etc/dib-manifests/dib-manifest-dpkg-image root/.bashrc
    )
    with "${kept[@]}"

    run "$clean" "$root"

    [ "$status" -eq 0 ]
    for name in "${kept[@]}"; do
        [ -s "$root/$name" ] || { echo "gone: $name"; return 1; }
    done
}

@test "a root with nothing to clean is no error" {
    run "$clean" "$root"

    [ "$status" -eq 0 ]
}

@test "no root given is an error that says how to call it" {
    run "$clean"

    [ "$status" -ne 0 ]
    [[ $output == *usage* ]]
}

# victim: files of the builder that nothing may touch, by the names that cleaning looks for.
victim() {
    victim=$BATS_TEST_TMPDIR/victim
    mkdir -p "$victim"/{tmp,ssh,log/apt,lists/sub,cloud}
    echo 0123456789abcdef >"$victim/machine-id"
    touch "$victim"/tmp/{file,.hidden} "$victim/ssh/ssh_host_rsa_key" "$victim"/log/{dpkg.log,apt/term.log} \
        "$victim/lists/sub/Packages" "$victim/cloud/instance"
    before=$(cd "$victim" && find . -type f -exec md5sum {} + | sort)
}

unharmed() {
    [ "$(cd "$victim" && find . -type f -exec md5sum {} + | sort)" = "$before" ] ||
        { find "$victim"; return 1; }
}

@test "links that lead out of the root reach nothing of the builder's" {
    [ "$(id -u)" = 0 ] || skip "needs root"
    victim
    mkdir -p "$root"/{etc,var/lib}
    up=$(printf '../%.0s' {1..40})
    ln -s "$victim/tmp" "$root/tmp"                # absolute, behind a pattern
    ln -s "$victim" "$root/var/lib/cloud"          # the folder itself
    ln -s "$up${victim#/}/log" "$root/var/log"     # relative, over the root
    ln -s "$victim/ssh" "$root/etc/ssh"
    ln -s "$victim" "$root/var/lib/apt"            # in the middle of a path: var/lib/apt/lists/*
    ln -s "$up${victim#/}/machine-id" "$root/etc/machine-id"
    ln -s "$up${victim#/}" "$root/var/tmp"

    run "$clean" "$root"

    unharmed
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
}

@test "links within the image are followed as they are at boot" {
    [ "$(id -u)" = 0 ] || skip "needs root"
    # Absolute links only to what no builder has: a program that is wrong would do its work there.
    data=/no-such-folder-of-the-builder
    mkdir -p "$root"/{usr/bin,etc,var}
    ln -s usr/bin "$root/bin"
    ln -s "$data/tmp" "$root/var/tmp" # as hardening guides have it, to /tmp
    ln -s "$data/log" "$root/var/log"
    ln -s "..$data/run" "$root/run"
    with usr/bin/tool "$data"/{log/dpkg.log,log/apt/term.log,log/other,tmp/1,run/cloud-init/result}

    run "$clean" "$root"

    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    [ -s "$root/bin/tool" ]
    [ -s "$root$data/log/other" ]
    [ "$(readlink "$root/var/tmp")" = "$data/tmp" ]
    for name in log/dpkg.log log/apt/term.log tmp/1 run/cloud-init; do
        [ ! -e "$root$data/$name" ] || { echo "still there: $name"; return 1; }
    done
}

@test "what is mounted in the root, as the builder's /dev is, is not in reach" {
    [ "$(id -u)" = 0 ] || skip "needs root"
    victim
    mkdir -p "$root/dev" "$root/var/log"
    ln -s /dev/tmp "$root/tmp"
    # shellcheck disable=SC2016 # for the inner shell
    run unshare --mount sh -c 'mount --bind "$1" "$2/dev" && mount --bind "$1/log" "$2/var/log" && "$3" "$2"' \
        sh "$victim" "$root" "$clean"

    unharmed
    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
}

@test "a partition of the image itself is cleaned too" {
    [ "$(id -u)" = 0 ] || skip "needs root"
    mkdir -p "$root/var" "$BATS_TEST_TMPDIR/partition/tmp"
    touch "$BATS_TEST_TMPDIR/partition/tmp/1"

    # shellcheck disable=SC2016 # for the inner shell
    DIB_MOUNTPOINTS='/|/var' run unshare --mount sh -c 'mount --bind "$1" "$2/var" && "$3" "$2"' \
        sh "$BATS_TEST_TMPDIR/partition" "$root" "$clean"

    [ "$status" -eq 0 ] || { echo "$output"; return 1; }
    [ ! -e "$BATS_TEST_TMPDIR/partition/tmp/1" ]
}
