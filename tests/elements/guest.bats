#!/usr/bin/env bats
# Where dpm-guest takes the agent from, what it tells cloud-init, and what debian-dpm asks mmdebstrap for.

setup() {
    top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    export elements=$top/elements
    export TMP_HOOKS_PATH=$BATS_TEST_TMPDIR/hooks
    mkdir "$TMP_HOOKS_PATH"
}

# What diskimage-builder exports for hooks: the elements and their folders.
get_image_element_array() {
    echo "['dpm-guest']='$elements/dpm-guest' ['debian-dpm']='$elements/debian-dpm'"
}

@test "the agent comes from the checkout that the element is in" {
    export -f get_image_element_array

    run "$top/elements/dpm-guest/extra-data.d/50-dpm-guest"

    [ "$status" -eq 0 ]
    cmp "$top/dpm_guest/bootparams.py" "$TMP_HOOKS_PATH/dpm-guest-root/usr/lib/dpm-guest/dpm_guest/bootparams.py"
    [ -x "$TMP_HOOKS_PATH/dpm-guest-root/usr/bin/dpm-guest" ]
}

@test "DIB_DPM_SOURCE names another checkout" {
    mkdir -p "$BATS_TEST_TMPDIR/source/tools"
    # shellcheck disable=SC2016 # the argument of the fake
    printf '#!/bin/sh\nmkdir "$1" && echo other >"$1/agent"\n' >"$BATS_TEST_TMPDIR/source/tools/install-guest"
    chmod +x "$BATS_TEST_TMPDIR/source/tools/install-guest"

    DIB_DPM_SOURCE=$BATS_TEST_TMPDIR/source run "$top/elements/dpm-guest/extra-data.d/50-dpm-guest"

    [ "$status" -eq 0 ]
    [ "$(cat "$TMP_HOOKS_PATH/dpm-guest-root/agent")" = other ]
}

# cloud: cloud-init's configuration as the hook writes it, each list and value in a line of its own.
cloud() {
    root=$BATS_TEST_TMPDIR/root
    (
        # shellcheck source=/dev/null
        . "$top/elements/dpm-guest/environment.d/50-dpm-guest.bash"
        "$top/elements/dpm-guest/install.d/55-dpm-guest-cloud-init" "$root"
    )
}

@test "cloud-init is not left to ds-identify, which finds nothing on a machine without DMI" {
    cloud

    # How ds-identify reads it (tools/ds-identify: read_config).
    [ "$(sed -n 's/^policy: *//p' "$root/etc/cloud/ds-identify.cfg")" = enabled ]
    [ ! -e "$top/elements/debian-dpm/debian-dpm-files/etc/cloud/ds-identify.cfg" ]
}

@test "the network is described at every boot, in the words of cloud-init" {
    cloud

    grep -qx 'datasource_list: \[ ConfigDrive, OpenStack, None \]' "$root/etc/cloud/cloud.cfg.d/95-dpm-guest.cfg"
    # EventScope and EventType (cloudinit/event.py).
    grep -qx 'updates: { network: { when: \[ boot-new-instance, boot, boot-legacy \] } }' "$root/etc/cloud/cloud.cfg.d/95-dpm-guest.cfg"
}

@test "the documents show those who build images otherwise what the hook writes" {
    cloud

    while read -r line; do
        grep -qFx "   $line" "$top/doc/source/packages.rst"
    done < <(grep -rhv -e '^#' -e '^$' "$root/etc/cloud")
}

# environment NAME: a variable as debian-dpm's environment leaves it, outside of the image.
environment() {
    export TARGET_ROOT=$BATS_TEST_TMPDIR/root
    (
        PATH=$BATS_TEST_TMPDIR/bin:$PATH
        # shellcheck source=/dev/null
        . "$top/elements/debian-dpm/environment.d/09-debian-dpm.bash"
        echo "${!1}"
    )
}

# apt: an apt-get that knows these mirrors, one `release mirror` a line.
apt() {
    mkdir -p "$BATS_TEST_TMPDIR/bin"
    # shellcheck disable=SC2016 # the arguments of the fake
    printf '#!/bin/sh\nfor filter; do case $filter in Release:*) release=${filter#Release: } ;; esac; done\n' \
        >"$BATS_TEST_TMPDIR/bin/apt-get"
    # shellcheck disable=SC2016
    printf 'echo "%s" | sed -n "s/^$release //p"\n' "$1" >>"$BATS_TEST_TMPDIR/bin/apt-get"
    chmod +x "$BATS_TEST_TMPDIR/bin/apt-get"
}

@test "all packages of the image are part of the base system" {
    apt ""

    run environment DIB_MMDEBSTRAP_EXTRA_ARGS

    [ "$status" -eq 0 ]
    [[ $output == --include=linux-image-s390x,* ]]
    [[ $output == *,openssh-server,* ]]
}

@test "mirrors are those of this machine's apt for the release" {
    apt "bookworm http://mirror.example/debian
bookworm-security http://mirror.example/security"

    [ "$(environment DIB_DISTRIBUTION_MIRROR)" = http://mirror.example/debian ]
    [ "$(environment DIB_DEBIAN_SECURITY_MIRROR)" = http://mirror.example/security ]
}

@test "without a mirror of the release diskimage-builder's default stays" {
    apt "trixie http://mirror.example/debian"

    [ -z "$(environment DIB_DISTRIBUTION_MIRROR)" ]
}

@test "a mirror that the caller names wins" {
    apt "bookworm http://mirror.example/debian"

    [ "$(DIB_DISTRIBUTION_MIRROR=http://other.example environment DIB_DISTRIBUTION_MIRROR)" = http://other.example ]
}
