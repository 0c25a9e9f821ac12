#!/usr/bin/env bats
# debian-dpm: what its first hook does to the build's own copy of the hooks.

setup() {
    element=$BATS_TEST_DIRNAME/../../elements/debian-dpm
    upstream=$(python3 -c 'import diskimage_builder as d; print(list(d.__path__)[0])')/elements
    export DIB_DEBUG_TRACE=0 TMP_HOOKS_PATH=$BATS_TEST_TMPDIR/hooks
    mkdir -p "$TMP_HOOKS_PATH/root.d"
    cp "$upstream/debootstrap/root.d/08-debootstrap" "$TMP_HOOKS_PATH/root.d"
    cp -r "$element/debian-dpm-files" "$element/bin" "$TMP_HOOKS_PATH"
    mkdir "$BATS_TEST_TMPDIR/bin"
    # shellcheck disable=SC2016 # the arguments of the fake
    printf '#!/bin/sh\nexec "$@"\n' >"$BATS_TEST_TMPDIR/bin/sudo"
    printf '#!/bin/sh\necho debootstrap 1.0.128\n' >"$BATS_TEST_TMPDIR/bin/debootstrap"
    # A base system of one program and one folder, as iputils-ping and systemd leave theirs.
    cat >"$BATS_TEST_TMPDIR/bin/mmdebstrap" <<'PYTHON'
#!/usr/bin/env python3
import os

root = os.environ["TARGET_ROOT"]
for folder in ("usr/bin", "var/log/journal"):
    os.makedirs(f"{root}/{folder}")
open(f"{root}/usr/bin/ping", "w").close()
# cap_net_raw=ep, and a default entry for the group adm.
os.setxattr(f"{root}/usr/bin/ping", "security.capability", bytes.fromhex("01000002" "0020" + 14 * "00"))
entries = "01000700ffffffff" "04000500ffffffff" "0800050004000000" "10000500ffffffff" "20000500ffffffff"
os.setxattr(f"{root}/var/log/journal", "system.posix_acl_default", bytes.fromhex("02000000" + entries))
PYTHON
    chmod +x "$BATS_TEST_TMPDIR/bin"/*
    PATH=$BATS_TEST_TMPDIR/bin:$PATH
}

# base NAME: makes the folder NAME the root of a build, and prints what is in it.
base() {
    mkdir "$BATS_TEST_TMPDIR/$1"
    TARGET_ROOT=$BATS_TEST_TMPDIR/$1 "$TMP_HOOKS_PATH/root.d/08-debootstrap" >&2
    python3 - "$BATS_TEST_TMPDIR/$1" <<'PYTHON'
import sys

from dpm_image import compare

for path, entry in sorted(compare.tree(sys.argv[1]).items()):
    print(path, entry.type, entry.mode, entry.owner, entry.attributes)
PYTHON
}

@test "the base system is the same when it is new and when it comes from the cache" {
    [ "$(id -u)" = 0 ] || skip "a capability needs root"
    "$element/root.d/01-debian-dpm"
    export DIB_IMAGE_CACHE=$BATS_TEST_TMPDIR DISTRO_NAME=debian DIB_RELEASE=bookworm ARCH=s390x
    export DIB_DISTRIBUTION_MIRROR=none DIB_DEBOOTSTRAP_CACHE=1 DIB_DEBIAN_USE_DEBOOTSTRAP_CACHE=1 DIB_OFFLINE=''

    new=$(base new)
    # From here on the base system cannot be made.
    rm "$BATS_TEST_TMPDIR/bin/mmdebstrap"
    cached=$(base cached)

    [[ $new == *"security.capability="*"system.posix_acl_default="* ]]
    [ "$cached" = "$new" ] || { diff <(echo "$new") <(echo "$cached"); return 1; }
}

@test "secure boot is refused by the first hook, with the reason" {
    DIB_DPM_SECURE_BOOT=1 run "$element/root.d/01-debian-dpm"

    [ "$status" -eq 1 ]
    [[ $output == "debian-dpm: DIB_DPM_SECURE_BOOT is set"*"not signed"* ]]
}

@test "a checkout's umask is not seen in the image" {
    chmod -R go= "$TMP_HOOKS_PATH"

    "$element/root.d/01-debian-dpm"

    [ "$(stat -c %a "$TMP_HOOKS_PATH/debian-dpm-files/etc/cloud/cloud.cfg.d/96-debian-dpm.cfg")" = 644 ]
    [ "$(stat -c %a "$TMP_HOOKS_PATH/debian-dpm-files/etc/cloud")" = 755 ]
    [ "$(stat -c %a "$TMP_HOOKS_PATH/debian-dpm-files/etc/initramfs-tools/hooks/debian-dpm")" = 755 ]
}

@test "the day on which the base system was made is not seen in the image" {
    root=$BATS_TEST_TMPDIR/root
    mkdir -p "$root/etc" "$root/boot"
    printf '%s\n' 'root:*:20783:0:99999:7:::' 'sshd:!:20783::::::' 'new:!:0:0:99999:7:::' >"$root/etc/shadow"
    touch -d @1735786800 "$root/boot/vmlinuz-6.1.0-50-s390x"
    touch -d @1704164400 "$root/boot/vmlinuz-6.1.0-9-s390x"

    "$element/post-install.d/85-debian-dpm-shadow" "$root"

    [ "$(cat "$root/etc/shadow")" = "root:*:20090:0:99999:7:::
sshd:!:20090::::::
new:!:0:0:99999:7:::" ]
}
