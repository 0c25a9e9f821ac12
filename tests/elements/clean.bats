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
