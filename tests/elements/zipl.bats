#!/usr/bin/env bats
# The boot loader's hooks: where zipl installs to, and what it boots. With a fake /sys and a fake root.

bats_require_minimum_version 1.5.0

setup() {
    bin=$BATS_TEST_DIRNAME/../../elements/zipl-dpm/bin
    export DIB_DPM_SYSFS=$BATS_TEST_TMPDIR/sys
    root=$BATS_TEST_TMPDIR/root
    mkdir -p "$root/etc" "$root/boot"
}

# loop NAME MAJOR:MINOR FILE OFFSET: a loop device in the fake /sys.
loop() {
    mkdir -p "$DIB_DPM_SYSFS/block/$1/loop" "$DIB_DPM_SYSFS/dev/block"
    echo "$3" >"$DIB_DPM_SYSFS/block/$1/loop/backing_file"
    echo "$4" >"$DIB_DPM_SYSFS/block/$1/loop/offset"
    ln -s "../../block/$1" "$DIB_DPM_SYSFS/dev/block/$2"
}

@test "a partition that is part of a file belongs to the loop device that shows all of it" {
    loop loop3 7:3 /images/other.raw 0
    loop loop4 7:4 /images/image0.raw 0
    loop loop5 7:5 /images/image0.raw 1048576

    run "$bin/zipl-dpm-target" 7:5

    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "targetbase=/dev/loop4" ]
    [ "${lines[1]}" = "targettype=SCSI" ]
    [ "${lines[2]}" = "targetblocksize=512" ]
    [ "${lines[3]}" = "targetoffset=2048" ]
}

@test "a partition that is part of a loop device belongs to that" {
    loop loop0 7:0 /images/image0.raw 0
    loop loop1 7:1 /dev/loop0 1048576

    run "$bin/zipl-dpm-target" 7:1

    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "targetbase=/dev/loop0" ]
    [ "${lines[3]}" = "targetoffset=2048" ]
}

@test "a partition that device-mapper maps lies where its table says" {
    mkdir -p "$DIB_DPM_SYSFS/dev/block/253:0/dm" "$DIB_DPM_SYSFS/dev/block/7:0"
    printf 'MAJOR=7\nMINOR=0\nDEVNAME=loop0\n' >"$DIB_DPM_SYSFS/dev/block/7:0/uevent"
    mkdir "$BATS_TEST_TMPDIR/bin"
    # shellcheck disable=SC2016 # the arguments of the fake
    printf '#!/bin/sh\n[ "$*" = "table -j 253 -m 0" ] && echo "0 4194304 linear 7:0 2048"\n' >"$BATS_TEST_TMPDIR/bin/dmsetup"
    chmod +x "$BATS_TEST_TMPDIR/bin/dmsetup"

    PATH=$BATS_TEST_TMPDIR/bin:$PATH run "$bin/zipl-dpm-target" 253:0

    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "targetbase=/dev/loop0" ]
    [ "${lines[3]}" = "targetoffset=2048" ]
}

@test "a partition without its disk is an error that names both" {
    loop loop5 7:5 /images/image0.raw 1048576

    run "$bin/zipl-dpm-target" 7:5

    [ "$status" -eq 1 ]
    [[ $output == *7:5*/images/image0.raw* ]]
}

# number FOLDER: of its device, by another program than ours.
number() {
    python3 -c 'import os, sys; device = os.stat(sys.argv[1]).st_dev; print(f"{os.major(device)}:{os.minor(device)}")' "$1"
}

@test "a folder's device is found with the stat of EL 9" {
    for folder in "$root" /proc /dev/shm /; do
        [ "$("$bin/zipl-dpm-target" --number "$folder")" = "$(number "$folder")" ]
    done
}

@test "numbers of many digits are taken apart as glibc does it" {
    mkdir "$BATS_TEST_TMPDIR/bin"
    # shellcheck disable=SC2016 # the variable of the fake
    printf '#!/bin/sh\necho "$FAKE"\n' >"$BATS_TEST_TMPDIR/bin/stat"
    chmod +x "$BATS_TEST_TMPDIR/bin/stat"
    for pair in 7:0 7:255 7:256 253:12 259:1048575 4095:255 4096:1 1000000:70000; do
        FAKE=$(python3 -c "import os; print(os.makedev(${pair%:*}, ${pair#*:}))")

        [ "$(FAKE=$FAKE PATH=$BATS_TEST_TMPDIR/bin:$PATH "$bin/zipl-dpm-target" --number /)" = "$pair" ] ||
            { echo "$pair"; return 1; }
    done
}

# devices DRIVER: /boot is on a device of this driver.
devices() {
    local major
    major=$(number "$root/boot")
    mkdir -p "$root/proc" "$root/lib/s390-tools"
    printf 'Character devices:\n%3d other\n\nBlock devices:\n%3d %s\n999 late\n' "${major%:*}" "${major%:*}" "$1" \
        >"$root/proc/devices"
}

@test "zipl finds our helper for the driver of /boot's device, and afterwards the package's own" {
    devices loop
    mkdir "$BATS_TEST_TMPDIR/bin"
    printf '#!/bin/sh\nls "%s/lib/s390-tools"\necho "zipl $*"\n' "$root" >"$BATS_TEST_TMPDIR/bin/zipl"
    chmod +x "$BATS_TEST_TMPDIR/bin/zipl"

    DIB_DPM_ROOT=$root PATH=$BATS_TEST_TMPDIR/bin:$PATH run "$bin/zipl-dpm-run" -V
    [ "$status" -eq 0 ]
    [ "$output" = "zipl_helper.loop
zipl -V" ]
    [ -z "$(ls "$root/lib/s390-tools")" ]

    devices device-mapper
    echo theirs >"$root/lib/s390-tools/zipl_helper.device-mapper"
    DIB_DPM_ROOT=$root PATH=$BATS_TEST_TMPDIR/bin:$PATH run "$bin/zipl-dpm-run"
    [ "${lines[0]}" = zipl_helper.device-mapper ]
    [ "$(cat "$root/lib/s390-tools/zipl_helper.device-mapper")" = theirs ]
}

@test "a device without a driver ends zipl-dpm-run before zipl is called" {
    devices loop
    sed -i '/ loop$/d' "$root/proc/devices"

    DIB_DPM_ROOT=$root run "$bin/zipl-dpm-run"

    [ "$status" -eq 1 ]
    [[ $output == *"/proc/devices has no driver"* ]]
}

@test "Debian's section boots the newest kernel, by the links that kernels keep" {
    touch "$root"/boot/vmlinuz-6.1.0-9-s390x "$root"/boot/vmlinuz-6.1.0-50-s390x
    ln -s boot/vmlinuz-6.1.0-9-s390x "$root/vmlinuz"

    run "$bin/zipl-dpm-classic" "$root" "root=LABEL=img console=ttysclp0"

    [ "$status" -eq 0 ]
    [ "$(readlink "$root/boot/vmlinuz")" = vmlinuz-6.1.0-50-s390x ]
    [ "$(readlink "$root/boot/initrd.img")" = initrd.img-6.1.0-50-s390x ]
    [ ! -L "$root/vmlinuz" ]
    grep -qx 'image = /boot/vmlinuz' "$root/etc/zipl.conf"
    grep -qx 'parameters = "root=LABEL=img console=ttysclp0"' "$root/etc/zipl.conf"
}

# zipl: a program in the root that does what matters of zipl: it goes by zipl.conf, and writes to the disk that the target
# is on (s390-tools, zipl/src/install.c: install_scsi). /proc is on none.
zipl() {
    mkdir -p "$root"/usr/sbin "$root"/boot
    cat >"$root/usr/sbin/zipl" <<ZIPL
#!/bin/sh
target=\$(sed -n 's/^target *= *//p' "$root/etc/zipl.conf") || exit 1
[ "\$target" = /boot ] || exit 1
echo written >>"$BATS_TEST_TMPDIR/disk"
ZIPL
    chmod 750 "$root/usr/sbin/zipl"
}

# el: a root of EL's, with s390utils' plug-ins of kernel-install.
el() {
    mkdir -p "$root"/{usr/lib/kernel/install.d,etc}
    printf '[defaultboot]\ndefaultauto\ntarget = /boot\n' >"$root/etc/zipl.conf"
    zipl
    # shellcheck disable=SC2016 # the variable of the plug-in
    printf '#!/bin/sh\n"$ROOT/usr/sbin/zipl" >/dev/null\n' >"$root/usr/lib/kernel/install.d/91-zipl.install"
    chmod +x "$root/usr/lib/kernel/install.d/91-zipl.install"
}

# kernel_install: systemd's, as far as it matters: a plug-in in /etc hides that of the same name in /usr/lib.
kernel_install() {
    local plugin hiding
    for plugin in "$root"/usr/lib/kernel/install.d/*.install; do
        hiding=$root/etc/kernel/install.d/${plugin##*/}
        [ ! -e "$hiding" ] || plugin=$hiding
        [ ! -x "$plugin" ] || ROOT=$root "$plugin" add || return
    done
}

@test "in a build of EL's nothing writes a boot record, and afterwards all is as it was" {
    el
    program=$(md5sum "$root/usr/sbin/zipl")
    kernel_install
    [ -s "$BATS_TEST_TMPDIR/disk" ] # it would
    rm "$BATS_TEST_TMPDIR/disk"

    "$bin/zipl-dpm-hold" "$root"
    "$bin/zipl-dpm-hold" "$root"
    kernel_install
    "$root/usr/sbin/zipl"
    [ ! -e "$BATS_TEST_TMPDIR/disk" ]

    "$bin/zipl-dpm-hold" --release "$root"
    [ "$(md5sum "$root/usr/sbin/zipl")" = "$program" ]
    [ "$(stat -c %a "$root/usr/sbin/zipl")" = 750 ]
    [ "$(find "$root/etc" "$root/usr" -name '*zipl*')" = "$root/usr/sbin/zipl
$root/usr/lib/kernel/install.d/91-zipl.install" ] || { find "$root"; return 1; }
}

@test "an update of zipl's package in the build changes nothing of that" {
    el
    "$bin/zipl-dpm-hold" "$root"
    # zipl.conf is a ghost of the package's (s390utils.spec): it stays.
    zipl
    echo "# new" >>"$root/usr/sbin/zipl"

    kernel_install
    run "$root/usr/sbin/zipl"
    [ "$status" -ne 0 ]
    [ ! -e "$BATS_TEST_TMPDIR/disk" ]

    "$bin/zipl-dpm-hold" --release "$root"
    grep -qx "# new" "$root/usr/sbin/zipl"
    [ "$(ls "$root/usr/sbin")" = zipl ]
}

@test "a plug-in that the image has for kernel-install itself is back afterwards" {
    el
    mkdir -p "$root/etc/kernel/install.d"
    echo own >"$root/etc/kernel/install.d/91-zipl.install"

    "$bin/zipl-dpm-hold" "$root"
    [ "$(readlink "$root/etc/kernel/install.d/91-zipl.install")" = /dev/null ]
    "$bin/zipl-dpm-hold" --release "$root"

    [ "$(cat "$root/etc/kernel/install.d/91-zipl.install")" = own ]
}

@test "zipl that comes only in the build finds a target that is on no disk" {
    el
    rm "$root/usr/sbin/zipl"
    "$bin/zipl-dpm-hold" "$root"
    zipl

    run "$root/usr/sbin/zipl"
    "$bin/zipl-dpm-hold" --release "$root"

    [ "$status" -ne 0 ]
    [ ! -e "$BATS_TEST_TMPDIR/disk" ]
    [ -x "$root/usr/sbin/zipl" ]
}

@test "in a build of Debian's zipl is diverted, and zipl.conf, without which its hooks do nothing, is away" {
    [ "$(id -u)" = 0 ] || skip "dpkg-divert needs root"
    for listed in /sbin/zipl /usr/sbin/zipl; do
        rm -rf "$root" && mkdir -p "$root"/{etc,usr/sbin,var/lib/dpkg/info,var/lib/dpkg/updates}
        ln -s usr/sbin "$root/sbin"
        touch "$root/var/lib/dpkg/status"
        echo "$listed" >"$root/var/lib/dpkg/info/s390-tools.list"
        echo 12.12 >"$root/etc/debian_version"
        printf '[defaultboot]\ndefault = linux\n[linux]\ntarget = /boot\n' >"$root/etc/zipl.conf"
        zipl
        program=$(md5sum "$root/usr/sbin/zipl")

        "$bin/zipl-dpm-hold" "$root"
        [ ! -e "$root/etc/zipl.conf" ]
        "$root/usr/sbin/zipl"
        [ ! -e "$BATS_TEST_TMPDIR/disk" ]
        [ "$(dpkg-divert --root="$root/" --truename "$listed")" = "$listed.dpm-saved" ]

        "$bin/zipl-dpm-hold" --release "$root"
        [ "$(md5sum "$root/usr/sbin/zipl")" = "$program" ]
        [ "$(dpkg-divert --root="$root/" --truename "$listed")" = "$listed" ]
        [ "$(ls "$root/usr/sbin")" = zipl ]
    done
}

@test "the build holds zipl in its first hook, and gives it back before it runs it" {
    element=$BATS_TEST_DIRNAME/../../elements/zipl-dpm
    upstream=$(python3 -c 'import diskimage_builder as d; print(list(d.__path__)[0])')/elements

    # The order of dib-run-parts.
    first=$(find "$upstream"/{base,dib-python,package-installs,rhel,rhel-common,rpm-distro,yum,dnf,debian-minimal,dpkg}/pre-install.d \
        "$element/pre-install.d" "$element"/../{debian-dpm,rhel-dpm,dpm-*}/pre-install.d -type f -printf '%f\n' 2>/dev/null | LANG=C sort -n | head -n 1)
    [ "$first" = 00-00-zipl-dpm ]
}

@test "zipl is given back before it is configured and run" {
    hooks=$BATS_TEST_TMPDIR/hooks
    mkdir -p "$hooks/bin"
    cp -r "$BATS_TEST_DIRNAME/../../elements/zipl-dpm/finalise.d" "$hooks"
    for program in zipl-dpm-hold zipl-dpm-bls zipl-dpm-classic zipl-dpm-run; do
        printf '#!/bin/sh\necho "%s $*"\n' "$program" >"$hooks/bin/$program"
        chmod +x "$hooks/bin/$program"
    done

    DIB_ROOT_LABEL=img DIB_ZIPL_DEFAULT_CMDLINE=quiet run "$hooks/finalise.d/50-zipl-dpm"

    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "zipl-dpm-hold --release /" ]
    [[ ${lines[1]} == zipl-dpm-*" / root=LABEL=img quiet"* ]]
    [ "${lines[2]}" = "zipl-dpm-run -V" ]
}

@test "a root without a kernel is an error" {
    run "$bin/zipl-dpm-classic" "$root" "root=LABEL=img"

    [ "$status" -ne 0 ]
    [[ $output == *"no kernel"* ]]
}

one_id=ffffffffffffffffffffffffffffffff

# kernel VERSION...: with an initramfs.
kernel() {
    local version
    for version in "$@"; do
        echo "kernel $version" >"$root/boot/vmlinuz-$version"
        echo "initramfs $version" >"$root/boot/initramfs-$version.img"
    done
}

# entry NAME VERSION [LINE...]: as kernel-install writes it, with further lines.
entry() {
    mkdir -p "$root/boot/loader/entries"
    printf 'title EL (%s)\nversion %s\nlinux /boot/vmlinuz-%s\ninitrd /boot/initramfs-%s.img\noptions root=/dev/vda1 quiet\n' \
        "$2" "$2" "$2" "$2" >"$root/boot/loader/entries/$1"
    [ "$#" -eq 2 ] || printf '%s\n' "${@:3}" >>"$root/boot/loader/entries/$1"
}

bls() {
    run -0 "$bin/zipl-dpm-bls" "$root" "root=LABEL=img console=ttysclp0"
}

@test "EL's entries get the parameters and paths of the running system; later kernels get them too" {
    kernel 5.14.0-1 5.14.0-2
    entry 0123-5.14.0-1.conf 5.14.0-1
    mkdir -p "$root/boot/loader/entries"
    # Of a /boot that was a file system of its own, with the white space and the variables that there are.
    # shellcheck disable=SC2016 # GRUB's
    printf 'title\tEL\n version 5.14.0-2\nlinux\t/vmlinuz-5.14.0-2\ninitrd \t /initramfs-5.14.0-2.img $tuned_initrd\noptions\t$kernelopts\n' \
        >"$root/boot/loader/entries/0123-5.14.0-2.conf"

    bls

    for version in 5.14.0-1 5.14.0-2; do
        entry=$root/boot/loader/entries/$one_id-0123-$version.conf
        grep -qx "linux /boot/vmlinuz-$version" "$entry"
        grep -qx "initrd /boot/initramfs-$version.img" "$entry"
        [ "$(grep options "$entry")" = "options root=LABEL=img console=ttysclp0" ]
        [ "$(grep -c -e linux -e initrd "$entry")" -eq 2 ]
    done
    [ "$(cat "$root/etc/kernel/cmdline")" = "root=LABEL=img console=ttysclp0" ]
    grep -qx defaultauto "$root/etc/zipl.conf"
    grep -qx 'target = /boot' "$root/etc/zipl.conf"
    [ "$(grep -c '^$\|secure' "$root/etc/zipl.conf")" -eq 0 ]
}

@test "all entries have the one id that kernel-install will use, whoever made them" {
    kernel 5.14.0-70.el9 5.14.0-570.el9
    entry 0123456789abcdef0123456789abcdef-5.14.0-70.el9.conf 5.14.0-70.el9
    entry $one_id-5.14.0-570.el9.conf 5.14.0-570.el9 "grub_class kernel"
    chmod 600 "$root"/boot/loader/entries/*
    printf 'PRETTY_HOSTNAME="A server"\nKERNEL_INSTALL_MACHINE_ID=0123456789abcdef0123456789abcdef\n' >"$root/etc/machine-info"

    bls

    [ "$(ls "$root/boot/loader/entries")" = "$one_id-5.14.0-570.el9.conf
$one_id-5.14.0-70.el9.conf" ]
    [ "$(stat -c %a "$root"/boot/loader/entries/* | sort -u)" = 600 ]
    grep -qx "grub_class kernel" "$root/boot/loader/entries/$one_id-5.14.0-570.el9.conf"
    [ "$(cat "$root/etc/machine-info")" = "PRETTY_HOSTNAME=\"A server\"
KERNEL_INSTALL_MACHINE_ID=$one_id" ]
    [[ $output == *"$one_id-5.14.0-570.el9.conf is booted"* ]]
}

@test "systemd's kernel-install then removes the entry of the kernel that it removes" {
    # The file is sourced by 252's, parsed as an environment file by later ones; a machine-id of the server's is there.
    [ "$(id -u)" = 0 ] || skip "chroot needs root"
    # EL 9 has 252. Debian 11's 247 does not know the file.
    version=$(systemctl --version 2>/dev/null | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
    [ "${version:-0}" -ge 252 ] || skip "systemd is ${version:-not there}"
    kernel 5.14.0-70.el9
    entry 0123456789abcdef0123456789abcdef-5.14.0-70.el9.conf 5.14.0-70.el9
    bls
    # What 20-zipl-kernel.install of s390utils does.
    mkdir "$BATS_TEST_TMPDIR/plugins"
    # shellcheck disable=SC2016 # for the plug-in
    printf '#!/bin/sh\necho "$1 $KERNEL_INSTALL_MACHINE_ID-$2.conf" >>"$FOUND"\n' >"$BATS_TEST_TMPDIR/plugins/20-zipl-kernel.install"
    chmod +x "$BATS_TEST_TMPDIR/plugins/20-zipl-kernel.install"
    echo fedcba9876543210fedcba9876543210 >"$root/etc/machine-id"

    # Its own files are the machine's: those of the root are put over them, in a namespace.
    # shellcheck disable=SC2016 # for the inner shell
    FOUND=$BATS_TEST_TMPDIR/found run unshare --mount sh -euc '
        touch /etc/machine-info
        mount --bind "$1/etc/machine-info" /etc/machine-info
        mount --bind "$1/etc/machine-id" /etc/machine-id
        mount --bind "$2" /usr/lib/kernel/install.d
        exec kernel-install remove 5.14.0-70.el9
    ' sh "$root" "$BATS_TEST_TMPDIR/plugins"

    [ "$(cat "$BATS_TEST_TMPDIR/found")" = "remove $(ls "$root/boot/loader/entries")" ]
}

@test "of two entries of one kernel one stays; one without its kernel goes" {
    kernel 5.14.0-70.el9
    entry 0123456789abcdef0123456789abcdef-5.14.0-70.el9.conf 5.14.0-70.el9
    entry $one_id-5.14.0-70.el9.conf 5.14.0-70.el9
    entry $one_id-5.14.0-60.el9.conf 5.14.0-60.el9
    printf 'title nothing\n' >"$root/boot/loader/entries/$one_id-none.conf"

    bls

    [ "$(ls "$root/boot/loader/entries")" = "$one_id-5.14.0-70.el9.conf" ]
    [ "$(grep -c '^title' "$root/boot/loader/entries/$one_id-5.14.0-70.el9.conf")" -eq 1 ]
}

@test "a rescue entry goes with its files, which are of another machine" {
    kernel 5.14.0-70.el9 0-rescue-0123456789abcdef0123456789abcdef
    entry $one_id-5.14.0-70.el9.conf 5.14.0-70.el9
    entry 0123456789abcdef0123456789abcdef-0-rescue.conf 0-rescue-0123456789abcdef0123456789abcdef

    bls

    [ -z "$(find "$root/boot" -name '*rescue*')" ]
    [ -e "$root/boot/vmlinuz-5.14.0-70.el9" ]
}

@test "a root whose entries name no kernel that is there is an error" {
    entry $one_id-5.14.0-60.el9.conf 5.14.0-60.el9

    run "$bin/zipl-dpm-bls" "$root" "root=LABEL=img"

    [ "$status" -eq 1 ]
    [[ $output == *"names a kernel that is there"* ]]
}

@test "secure boot is asked of zipl where kernel and stage 3 are signed, and refused elsewhere" {
    export DIB_DPM_SECURE_BOOT=1
    kernel 5.14.0-70.el9
    entry $one_id-5.14.0-70.el9.conf 5.14.0-70.el9
    mkdir -p "$root/lib/s390-tools"
    printf 'a signature~Module signature appended~\n' >"$root/lib/s390-tools/stage3.bin"

    run "$bin/zipl-dpm-bls" "$root" "root=LABEL=img"
    [ "$status" -eq 1 ]
    [[ $output == *"/boot/vmlinuz-5.14.0-70.el9 has no signature"* ]]

    printf 'a signature~Module signature appended~\n' >>"$root/boot/vmlinuz-5.14.0-70.el9"
    bls
    grep -qx 'secure = 1' "$root/etc/zipl.conf"

    run "$bin/zipl-dpm-classic" "$root" "root=LABEL=img"
    [ "$status" -eq 1 ]
    [[ $output == *"DIB_DPM_SECURE_BOOT"* ]]
}

@test "the newest kernel is the one of the table, in whichever order the files are named" {
    python3 - "$BATS_TEST_DIRNAME/../data/boot-entries.json" "$BATS_TEST_TMPDIR/cases" <<'PYTHON'
import json
import pathlib
import sys

for number, case in enumerate(json.load(open(sys.argv[1]))):
    folder = pathlib.Path(sys.argv[2], f"{number:02}")
    (folder / "entries").mkdir(parents=True)
    (folder / "name").write_text(case["name"] + "\n")
    (folder / "newest").write_text((case["newest"] or "none") + "\n")
    for name, text in case["entries"].items():
        (folder / "entries" / name).write_text(text)
PYTHON
    cases=0
    for case in "$BATS_TEST_TMPDIR"/cases/*; do
        for sort in sort "sort -r"; do
            mapfile -t files < <(find "$case/entries" -type f | $sort)
            found=$("$bin/zipl-dpm-newest" "${files[@]}") || found=none
            [ "${found##*/}" = "$(cat "$case/newest")" ] || { echo "$(cat "$case/name"): ${found##*/}"; return 1; }
        done
        cases=$((cases + 1))
    done
    [ "$cases" -gt 20 ]
}

@test "versions are compared as rpm does it" {
    command -v rpm || skip "no rpm"
    versions=(1 1.0 1.00 1a a 1~rc1 1~rc1.1 1~~ 1^a 1^1 1^~ 1..01 el9_6 570.el9 570.12.1.el9 70.el9 124.8.1.el10_1
        s390x s390x+debug Z 0 18446744073709551617 9223372036854775808 1_ '^' '~')
    each="in string.gmatch('${versions[*]}', '[^ ]+') do"
    rpm --eval "%{lua: for a $each for b $each print(a .. ' ' .. b .. ' ' .. rpm.vercmp(a, b) .. '\\n') end end}" \
        >"$BATS_TEST_TMPDIR/rpm"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/rpm")" -ge $((${#versions[@]} ** 2)) ]

    while read -r a b order; do
        [ -n "$order" ] || continue
        # The first of equals stays.
        forth=$("$bin/zipl-dpm-newest" "vmlinuz-$a" "vmlinuz-$b")
        [ "$order" -ne 1 ] || [ "$forth" = "vmlinuz-$a" ] || { echo "$a > $b: $forth"; return 1; }
        [ "$order" -ne 0 ] || [ "$forth" = "vmlinuz-$a" ] || { echo "$a = $b: $forth"; return 1; }
        [ "$order" -ne -1 ] || [ "$forth" = "vmlinuz-$b" ] || { echo "$a < $b: $forth"; return 1; }
    done <"$BATS_TEST_TMPDIR/rpm"
}
