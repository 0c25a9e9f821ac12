#!/bin/bash
# dracut's module "dpm": an image that is IPLed over FCP finds its own root disk. /usr/lib/dpm-guest/ipl.sh tells more.

# dracut reads it into its own shell, calls these functions, and brings those that they call.
# dib-lint: disable=sete setu setpipefail dibdebugtrace

# Part of every initramfs on s390x, but for that of kdump, whose memory is counted, and which has the disk that it dumps to
# from mkdumprd (kdump-utils; it says so with IN_KDUMP).
check() {
    [ -z "${IN_KDUMP:-}" ] || return 1
    [[ ${DRACUT_ARCH:-$(uname -m)} == s390* ]] || return 1
    [ -e "${dracutsysrootdir:-}/usr/lib/dpm-guest/ipl.sh" ] || return 1
}

depends() {
    return 0
}

installkernel() {
    # In an initramfs for one machine the disks of that machine decide; it need not have any here.
    hostonly='' instmods zfcp sd_mod
}

install() {
    inst_simple /usr/lib/dpm-guest/ipl.sh
    inst_multiple modprobe sleep
    # From s390utils; without it the files in sysfs are written to.
    inst_multiple -o chzdev
    # Once udev has handled what was there at first: what firmware, rd.zfcp= and rd.zdev= asked other modules for is
    # under way then, and is left alone.
    # shellcheck disable=SC2154 # dracut sets it
    inst_hook initqueue 20 "$moddir/dpm-ipl.sh"
    # Without it there is no queue in an initramfs where no other module has asked for one.
    dracut_need_initqueue
    inst_hook initqueue/finished 20 "$moddir/dpm-ipl-done.sh"
}
