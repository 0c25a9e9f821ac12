#!/usr/bin/env bats
#
# The FCP IPL device in an initramfs: elements/dpm-ipl.

bats_require_minimum_version 1.5.0

setup() {
    export IPL_LIBRARY="$BATS_TEST_DIRNAME/../../elements/dpm-ipl/dpm-ipl-files/usr/lib/dpm-guest/ipl.sh"
    export DPM_ROOT="$BATS_TEST_TMPDIR/root"
    # What does not come within 0.2 s does not come at all here.
    export DPM_IPL_TENTHS=2
    wwpn=0x50050763070bc5e3
    lun=0x4010402200000000
    mkdir -p "$DPM_ROOT"/{proc,dev,fake/fcp,sys/bus/ccw/devices,sys/bus/scsi/devices}
    mkdir -p "$DPM_ROOT/sys/module/zfcp/parameters"
    echo Y >"$DPM_ROOT/sys/module/zfcp/parameters/allow_lun_scan"
    echo "root=LABEL=cloudimg-rootfs" >"$DPM_ROOT/proc/cmdline"
    : >"$DPM_ROOT/dev/kmsg"
}

fake() {
    sh "$BATS_TEST_DIRNAME/ipl_fake_kernel.sh" "$@"
}

# hba BUS-ID [WWPN LUN]: the machine has this FCP device, with a LUN behind it
hba() {
    mkdir -p "$DPM_ROOT/fake/fcp/$1/ports"
    [ "$#" = 1 ] || mkdir -p "$DPM_ROOT/fake/fcp/$1/ports/$2/$3"
    fake fake_device "$1"
}

# ipled TYPE [DEVICE [WWPN LUN]]
ipled() {
    mkdir -p "$DPM_ROOT/sys/firmware/ipl"
    echo "$1" >"$DPM_ROOT/sys/firmware/ipl/ipl_type"
    [ -z "${2:-}" ] || echo "$2" >"$DPM_ROOT/sys/firmware/ipl/device"
    [ -z "${3:-}" ] || echo "$3" >"$DPM_ROOT/sys/firmware/ipl/wwpn"
    [ -z "${4:-}" ] || echo "$4" >"$DPM_ROOT/sys/firmware/ipl/lun"
}

boot() {
    run -0 --separate-stderr fake dpm_ipl_main
    [ -z "$output" ]
    said=$(cat "$DPM_ROOT/dev/kmsg")
    writes=$(cat "$DPM_ROOT/fake/writes" 2>/dev/null || true)
}

disk() {
    [ -e "$DPM_ROOT/sys/bus/scsi/devices/${1#?.?.}:0:0:${2#0x}/block" ]
}

@test "the IPL device comes online and its LUN is added" {
    ipled fcp 0.0.1900 "$wwpn" "$lun"
    hba 0.0.1900 "$wwpn" "$lun"

    boot

    disk 0.0.1900 "$lun"
    [ "$writes" = "/sys/bus/ccw/devices/0.0.1900/online 1
/sys/bus/ccw/devices/0.0.1900/$wwpn/unit_add $lun" ]
    [ "$said" = "<6>dpm-ipl: 0.0.1900: disk sd-1900 is LUN $lun behind port $wwpn" ]
    [ "$(cat "$DPM_ROOT/fake/modules")" = zfcp ]
}

@test "with NPIV the LUN scan finds the disk and no LUN is added" {
    ipled fcp 0.0.1900 "$wwpn" "$lun"
    hba 0.0.1900 "$wwpn" "$lun"
    touch "$DPM_ROOT/fake/fcp/0.0.1900/npiv"

    boot

    disk 0.0.1900 "$lun"
    [ "$writes" = "/sys/bus/ccw/devices/0.0.1900/online 1" ]
}

@test "with NPIV a LUN that the scan does not find is added" {
    ipled fcp 0.0.1900 "$wwpn" "$lun"
    hba 0.0.1900 "$wwpn" 0x4010402200000001
    touch "$DPM_ROOT/fake/fcp/0.0.1900/npiv"

    boot

    [[ $writes == *"unit_add $lun" ]]
    [[ $said == "<3>dpm-ipl: 0.0.1900: LUN $lun behind port $wwpn: no disk came of it;"* ]]
}

@test "a second run touches nothing" {
    ipled fcp 0.0.1900 "$wwpn" "$lun"
    hba 0.0.1900 "$wwpn" "$lun"
    boot
    rm "$DPM_ROOT/fake/writes" "$DPM_ROOT/fake/modules"

    boot

    [ -z "$writes" ]
    [ ! -e "$DPM_ROOT/fake/modules" ]
}

@test "a device that is online already is not written to, its missing LUN is added" {
    ipled fcp 0.0.1900 "$wwpn" "$lun"
    hba 0.0.1900 "$wwpn" "$lun"
    fake dpm_ipl_modprobe zfcp
    fake fake_online /sys/bus/ccw/devices/0.0.1900/online

    boot

    [ "$writes" = "/sys/bus/ccw/devices/0.0.1900/$wwpn/unit_add $lun" ]
    disk 0.0.1900 "$lun"
}

@test "every rd.zfcp is brought up beside the IPL device, each once" {
    ipled fcp 0.0.1900 "$wwpn" "$lun"
    hba 0.0.1900 "$wwpn" "$lun"
    hba 0.0.1a00 0x50050763071bc5e3 "$lun"
    echo "rd.zfcp=0.0.1A00,0X50050763071BC5E3,$lun rd.zfcp=ipldev rd.zfcp=1900,$wwpn,$lun" \
        >"$DPM_ROOT/proc/cmdline"

    boot

    disk 0.0.1900 "$lun"
    disk 0.0.1a00 "$lun"
    [ "$(grep -c online <<<"$writes")" = 2 ]
    [ "$(grep -c unit_add <<<"$writes")" = 2 ]
}

@test "rd.zfcp counts without an FCP IPL too" {
    ipled eckd 0.0.0100
    hba 0.0.1a00 "$wwpn" "$lun"
    echo "rd.zfcp=0.0.1a00,$wwpn,$lun" >"$DPM_ROOT/proc/cmdline"

    boot

    disk 0.0.1a00 "$lun"
}

@test "a path that fails says why, and the others go on" {
    ipled fcp 0.0.1900 "$wwpn" "$lun"
    hba 0.0.1900 "$wwpn" "$lun"
    touch "$DPM_ROOT/fake/fcp/0.0.1900/dead"
    hba 0.0.1a00 "$wwpn" "$lun"
    echo "rd.zfcp=0.0.1a00,$wwpn,$lun" >"$DPM_ROOT/proc/cmdline"

    boot

    [[ $said == *"<3>dpm-ipl: 0.0.1900: cannot be set online (availability: boxed)"* ]]
    [ "$(grep -c '<3>' <<<"$said")" = 1 ]
    disk 0.0.1a00 "$lun"
}

@test "bus id alone: LUNs are left to the scan" {
    hba 0.0.1900 "$wwpn" "$lun"
    touch "$DPM_ROOT/fake/fcp/0.0.1900/npiv"
    echo "rd.zfcp=0.0.1900" >"$DPM_ROOT/proc/cmdline"

    boot

    [ "$said" = "<6>dpm-ipl: 0.0.1900: online; zfcp looks for its LUNs" ]
    disk 0.0.1900 "$lun"
}

@test "bus id alone without NPIV: it is said that nothing looks for LUNs" {
    hba 0.0.1900 "$wwpn" "$lun"
    echo "rd.zfcp=0.0.1900" >"$DPM_ROOT/proc/cmdline"

    boot

    [[ $said == "<3>dpm-ipl: 0.0.1900: online, but without NPIV"* ]]
}

@test "an IPL device without WWPN is brought online, and it is said" {
    ipled fcp 0.0.1900
    hba 0.0.1900 "$wwpn" "$lun"
    touch "$DPM_ROOT/fake/fcp/0.0.1900/npiv"

    boot

    [[ $said == "<3>dpm-ipl: /sys/firmware/ipl names no WWPN or no LUN"* ]]
    disk 0.0.1900 "$lun"
}

@test "a device that is not there is said to be missing" {
    ipled fcp 0.0.1900 "$wwpn" "$lun"

    boot

    [[ $said == "<3>dpm-ipl: 0.0.1900: there is no such device;"* ]]
}

@test "a port that is not in the fabric is said to be missing" {
    ipled fcp 0.0.1900 "$wwpn" "$lun"
    hba 0.0.1900 0x50050763071bc5e3 "$lun"

    boot

    [[ $said == "<3>dpm-ipl: 0.0.1900: no port $wwpn in the fabric;"* ]]
}

@test "a LUN that the storage refuses is said to be" {
    ipled fcp 0.0.1900 "$wwpn" "$lun"
    hba 0.0.1900 "$wwpn" "$lun"
    touch "$DPM_ROOT/fake/fcp/0.0.1900/ports/$wwpn/denied"

    boot

    [[ $said == "<3>dpm-ipl: 0.0.1900: LUN $lun behind port $wwpn: access is denied;"* ]]
}

@test "a device that is no HBA is said to be none" {
    ipled fcp 0.0.0100 "$wwpn" "$lun"
    fake fake_device 0.0.0100
    echo 3390/0c >"$DPM_ROOT/sys/bus/ccw/devices/0.0.0100/devtype"

    boot

    [[ $said == "<3>dpm-ipl: 0.0.0100: not an FCP device (device type 3390/0c)"* ]]
    [ -z "$writes" ]
}

@test "a device that cio_ignore hides is freed" {
    ipled fcp 0.0.1900 "$wwpn" "$lun"
    mkdir -p "$DPM_ROOT/fake/fcp/0.0.1900/ports/$wwpn/$lun"
    touch "$DPM_ROOT/fake/fcp/0.0.1900/ignored" "$DPM_ROOT/proc/cio_ignore"

    boot

    [[ $writes == "/proc/cio_ignore free 0.0.1900"* ]]
    disk 0.0.1900 "$lun"
}

@test "chzdev is asked first where it is there, and nothing is written besides" {
    ipled fcp 0.0.1900 "$wwpn" "$lun"
    hba 0.0.1900 "$wwpn" "$lun"
    touch "$DPM_ROOT/fake/chzdev"

    boot

    disk 0.0.1900 "$lun"
    [ "$writes" = "chzdev zfcp-host 0.0.1900
chzdev zfcp-lun 0.0.1900:$wwpn:$lun" ]
}

@test "what chzdev cannot do is done without it" {
    ipled fcp 0.0.1900 "$wwpn" "$lun"
    hba 0.0.1900 "$wwpn" "$lun"
    printf '#!/bin/sh\necho "$*" >>"%s"\nexit 5\n' "$BATS_TEST_TMPDIR/asked" >"$BATS_TEST_TMPDIR/chzdev"
    chmod +x "$BATS_TEST_TMPDIR/chzdev"

    run -5 env "PATH=$BATS_TEST_TMPDIR:$PATH" sh -c ". '$IPL_LIBRARY'; dpm_ipl_chzdev zfcp-host 0.0.1900"
    boot

    [[ $(cat "$BATS_TEST_TMPDIR/asked") == *"--active"*"zfcp-host 0.0.1900" ]]
    disk 0.0.1900 "$lun"
}

@test "what firmware, rd.zfcp or rd.zdev brought online is left alone" {
    ipled fcp 0.0.1900 "$wwpn" "$lun"
    hba 0.0.1900 "$wwpn" "$lun"
    boot
    rm "$DPM_ROOT/fake/writes"
    touch "$DPM_ROOT/fake/chzdev"

    boot

    [ -z "$writes" ]
    [[ $said == *"disk sd-1900 is LUN $lun"* ]]
}

@test "a second path to the disk comes up beside the first; neither is taken away" {
    ipled fcp 0.0.1900 "$wwpn" "$lun"
    hba 0.0.1900 "$wwpn" "$lun"
    hba 0.0.1a00 0x50050763071bc5e3 "$lun"
    touch "$DPM_ROOT/fake/fcp/0.0.1a00/npiv"
    boot
    disk 0.0.1900 "$lun"
    run ! disk 0.0.1a00 "$lun"

    # Later, in the running system, an administrator sets the second HBA online.
    run -0 fake fake_bind 0.0.1a00
    run -0 fake fake_online /sys/bus/ccw/devices/0.0.1a00/online

    disk 0.0.1900 "$lun"
    disk 0.0.1a00 "$lun"
}

@test "nothing is done after an IPL from anything else" {
    hba 0.0.1900 "$wwpn" "$lun"
    echo "rd.zfcp=ipldev" >"$DPM_ROOT/proc/cmdline"

    for type in ccw eckd nvme fcp_dump nss unknown; do
        ipled "$type" 0.0.1900 "$wwpn" "$lun"
        boot
        [ -z "$writes$said" ]
        [ ! -e "$DPM_ROOT/fake/modules" ]
    done
}

@test "nothing is done where there is no /sys/firmware/ipl" {
    hba 0.0.1900 "$wwpn" "$lun"

    boot

    [ -z "$writes$said" ]
}

@test "rd.dpm=0 switches all of it off" {
    ipled fcp 0.0.1900 "$wwpn" "$lun"
    hba 0.0.1900 "$wwpn" "$lun"
    echo "rd.zfcp=0.0.1900,$wwpn,$lun rd.dpm=0 quiet" >"$DPM_ROOT/proc/cmdline"

    boot

    [ -z "$writes$said" ]
}

@test "a damaged rd.zfcp is named with its reason, and the IPL device comes up" {
    ipled fcp 0.0.1900 "$wwpn" "$lun"
    hba 0.0.1900 "$wwpn" "$lun"
    while IFS='|' read -r text reason; do
        echo "rd.zfcp=$text quiet" >"$DPM_ROOT/proc/cmdline"
        : >"$DPM_ROOT/dev/kmsg"

        boot

        [[ $said == "<3>dpm-ipl: rd.zfcp=$text: $reason"$'\n'* ]]
        disk 0.0.1900 "$lun"
    done <<TABLE
|'' is not a bus id such as 0.0.1900
0.0.19|'0.0.19' is not a bus id such as 0.0.1900
0.0.19g0|'0.0.19g0' is not a bus id such as 0.0.1900
*|'*' is not a bus id such as 0.0.1900
0.0.1900,|both WWPN and LUN follow the bus id, or neither
0.0.1900,$wwpn|both WWPN and LUN follow the bus id, or neither
0.0.1900,$wwpn,$lun,1|not <bus id>[,<WWPN>,<LUN>]
0.0.1900,$wwpn,|'' is not 0x and 16 hex digits
0.0.1900,$wwpn,0x4010|'0x4010' is not 0x and 16 hex digits
0.0.1900,${wwpn#0x},$lun|'${wwpn#0x}' is not 0x and 16 hex digits
TABLE
}

@test "without a kernel log it says its lines on standard error" {
    rm "$DPM_ROOT/dev/kmsg"
    ipled fcp 0.0.1900 "$wwpn" "$lun"

    run -0 --separate-stderr fake dpm_ipl_main

    # shellcheck disable=SC2154 # bats sets it
    [[ $stderr == "dpm-ipl: 0.0.1900: there is no such device;"* ]]
}

@test "the shells of an initramfs, busybox's and klibc's, take it" {
    ran=0
    for shell in "busybox sh" /usr/lib/klibc/bin/sh; do
        command -v "${shell%% *}" >/dev/null || continue
        ran=$((ran + 1))
        rm -rf "$DPM_ROOT"
        setup
        ipled fcp 0.0.1900 "$wwpn" "$lun"
        hba 0.0.1900 "$wwpn" "$lun"
        echo "rd.zfcp=0.0.1A00" >"$DPM_ROOT/proc/cmdline"

        # shellcheck disable=SC2086 # a program and its argument
        $shell "$BATS_TEST_DIRNAME/ipl_fake_kernel.sh" dpm_ipl_main

        disk 0.0.1900 "$lun"
        grep -q "<3>dpm-ipl: 0.0.1a00: there is no such device" "$DPM_ROOT/dev/kmsg"
    done
    [ "$ran" -gt 0 ] || skip "neither busybox nor klibc-utils is installed"
}

@test "a write that the kernel refuses fails and says nothing itself" {
    run ! sh -c ". '$IPL_LIBRARY'; dpm_ipl_write /no/such/file 1"

    [ -z "$output" ]
}
