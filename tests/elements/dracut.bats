#!/usr/bin/env bats
#
# dracut's module "dpm": what it brings into an initramfs, and how dracut's initqueue runs it.

bats_require_minimum_version 1.5.0

setup() {
    files=$BATS_TEST_DIRNAME/../../elements/dpm-ipl/dpm-ipl-files
    module=$files/usr/lib/dracut/modules.d/95dpm
    export DPM_ROOT=$BATS_TEST_TMPDIR/root
    export dracutsysrootdir=$DPM_ROOT
    mkdir -p "$DPM_ROOT"/{run,proc,dev,usr/lib/dpm-guest,fake/fcp,sys/firmware/ipl,sys/bus/ccw/devices}
    mkdir -p "$DPM_ROOT"/sys/bus/scsi/devices
    cp "$files/usr/lib/dpm-guest/ipl.sh" "$DPM_ROOT/usr/lib/dpm-guest/"
    wwpn=0x50050763070bc5e3
    lun=0x4010402200000000
    echo "root=LABEL=img" >"$DPM_ROOT/proc/cmdline"
    : >"$DPM_ROOT/dev/kmsg"
}

# install: what the module asks dracut for, with dracut's functions as fakes that say it. dracut_need_initqueue does what
# dracut's own does (057: dracut-init.sh:153, 107: dracut-init.sh:184); no other function of it asks for the queue.
# shellcheck disable=SC2034,SC2317 # for module-setup.sh
install() {
    (
        moddir=$module initdir=$DPM_ROOT
        mkdir -p "$initdir/lib/dracut"
        dracut_need_initqueue() { : >"$initdir/lib/dracut/need-initqueue"; }
        inst_simple() { echo "file $1"; }
        inst_multiple() { echo "programs $*"; }
        inst_hook() { echo "hook $1 ${3##*/}"; }
        instmods() { echo "drivers $* (hostonly '${hostonly-unset}')"; }
        # shellcheck source=/dev/null
        . "$module/module-setup.sh"
        "$@"
    )
}

@test "library, hooks and drivers go into the initramfs; chzdev where there is one" {
    hostonly=yes run -0 install installkernel
    [ "$output" = "drivers zfcp sd_mod (hostonly '')" ]

    run -0 install install

    grep -qx "file /usr/lib/dpm-guest/ipl.sh" <<<"$output"
    grep -qx "programs -o chzdev" <<<"$output"
    grep -qx "hook initqueue dpm-ipl.sh" <<<"$output"
    grep -qx "hook initqueue/finished dpm-ipl-done.sh" <<<"$output"
}

@test "only an initramfs for s390x has it" {
    DRACUT_ARCH=s390x run -0 install check
    DRACUT_ARCH=x86_64 run -1 install check
}

@test "kdump's initramfs has neither the module nor the drivers of disks that a partition might have" {
    conf=$BATS_TEST_DIRNAME/../../elements/rhel-dpm/rhel-dpm-files/etc/dracut.conf.d/90-rhel-dpm.conf

    DRACUT_ARCH=s390x IN_KDUMP=1 run -1 install check
    # shellcheck disable=SC2016 # for the inner shell
    read_conf='add_dracutmodules= add_drivers=; . "$1"; echo $add_dracutmodules $add_drivers'
    IN_KDUMP=1 run -0 bash -euc "$read_conf" bash "$conf"
    [ -z "$output" ]
    run -0 bash -euc "$read_conf" bash "$conf"
    [[ $output == "dpm zfcp "* ]]
}

# queue: dracut's initqueue, as far as it matters: rounds until all files of "finished" succeed, in an initramfs where
# something has asked for it (modules.d/98dracut-systemd/dracut-initqueue.service:12, ConditionPathExists).
queue() {
    install install >/dev/null
    rounds=0
    [ -e "$DPM_ROOT/lib/dracut/need-initqueue" ] || return 0
    until (
        # shellcheck source=/dev/null
        . "$module/dpm-ipl-done.sh"
    ); do
        rounds=$((rounds + 1))
        [ "$rounds" -lt 5 ] || return 1
        # shellcheck source=/dev/null
        . "$module/dpm-ipl.sh"
    done
}

@test "the initqueue does not end before the hook ran, and it runs once" {
    # With no device there it says so; a second run would say it twice.
    echo fcp >"$DPM_ROOT/sys/firmware/ipl/ipl_type"
    echo 0.0.1900 >"$DPM_ROOT/sys/firmware/ipl/device"
    echo "$wwpn" >"$DPM_ROOT/sys/firmware/ipl/wwpn"
    echo "$lun" >"$DPM_ROOT/sys/firmware/ipl/lun"
    mkdir -p "$DPM_ROOT/sys/bus/ccw/drivers/zfcp"
    export DPM_IPL_TENTHS=1

    queue
    # shellcheck source=/dev/null
    . "$module/dpm-ipl.sh"

    [ "$rounds" -eq 1 ]
    [ "$(cat "$DPM_ROOT/dev/kmsg")" = "<3>dpm-ipl: 0.0.1900: there is no such device; is the HBA in the partition, and not ignored?" ]
}

@test "an IPL from anything else ends the initqueue at once, and says nothing" {
    echo ccw >"$DPM_ROOT/sys/firmware/ipl/ipl_type"

    queue

    [ "$rounds" -eq 1 ]
    [ ! -s "$DPM_ROOT/dev/kmsg" ]
}

@test "the hook leaves no variables of the library in dracut's shell" {
    echo ccw >"$DPM_ROOT/sys/firmware/ipl/ipl_type"

    queue

    [ -z "${dpm_ipl_paths+set}" ]
    [ "$(type -t dpm_ipl_main)" != function ]
}
