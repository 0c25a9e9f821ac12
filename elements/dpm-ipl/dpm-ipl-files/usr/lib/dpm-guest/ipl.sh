# shellcheck shell=sh
#
# Brings the disk online that the partition was IPLed from over FCP, so that the root file system
# on it is found without its path being written anywhere in the image.
#
#   /sys/firmware/ipl/ipl_type = fcp     the device, WWPN and LUN beside it are one path
#   rd.zfcp=<bus id>[,<WWPN>,<LUN>]      one more path each; may be repeated. Without WWPN and LUN
#                                        the LUNs are left to zfcp's automatic LUN scan
#   rd.zfcp=ipldev                       means the IPL device, which is brought online anyway
#
# To deactivate all of it, specify rd.dpm=0 on the kernel command line.
#
# This is a library: an initramfs sources it and calls dpm_ipl_main. It needs nothing but a POSIX
# shell, sleep and modprobe: an initramfs may have klibc's tools and no more. Where s390-tools' chzdev
# is there, it is asked first. Nothing here ends the boot: a path that fails costs one line that says
# why. What is online already, whoever did it, is left alone.
#
# What the kernel does is in drivers/s390/scsi/zfcp_sysfs.c and zfcp_unit.c, and in the book
# "Device Drivers, Features, and Commands", chapter "SCSI-over-Fibre Channel device driver".

# A root of its own, for tests.
: "${DPM_ROOT=}"
# How long to wait for a device, a port and a disk each, in tenths of seconds. A port login takes
# up to some seconds; a path that is dead must not hold the boot for long.
: "${DPM_IPL_TENTHS:=100}"

# dpm_ipl_log PRIORITY TEXT: into the kernel's log, hence onto the console and into the journal.
dpm_ipl_log() {
    if [ -w "$DPM_ROOT/dev/kmsg" ]; then
        echo "<$1>dpm-ipl: $2" >>"$DPM_ROOT/dev/kmsg"
    else
        echo "dpm-ipl: $2" >&2
    fi
}

dpm_ipl_error() {
    dpm_ipl_log 3 "$1"
}

dpm_ipl_info() {
    dpm_ipl_log 6 "$1"
}

# dpm_ipl_read FILE: sets REPLY to its first line, or to nothing where it cannot be read.
dpm_ipl_read() {
    REPLY=
    # The caller looks at REPLY; a file without a line end makes read fail after it has read.
    { read -r REPLY <"$DPM_ROOT$1"; } 2>/dev/null || :
}

# dpm_ipl_is FILE VALUE: whether the file's first line is that.
dpm_ipl_is() {
    dpm_ipl_read "$1"
    [ "$REPLY" = "$2" ]
}

# dpm_ipl_write FILE VALUE
dpm_ipl_write() {
    { echo "$2" >"$DPM_ROOT$1"; } 2>/dev/null
}

dpm_ipl_modprobe() {
    modprobe -q "$1"
}

# dpm_ipl_chzdev TYPE ID: has chzdev configure the device, in the running system only; fails where it
# cannot, or is not there.
dpm_ipl_chzdev() {
    command -v chzdev >/dev/null || return 1
    chzdev --enable --active --yes --no-root-update --no-settle --quiet "$1" "$2" >/dev/null 2>&1 </dev/null
}

# dpm_ipl_wait COMMAND...: until it is true; fails when that takes too long.
dpm_ipl_wait() {
    dpm_ipl_tries=$DPM_IPL_TENTHS
    until "$@"; do
        [ "$dpm_ipl_tries" -gt 0 ] || return 1
        dpm_ipl_tries=$((dpm_ipl_tries - 1))
        sleep 0.1
    done
}

dpm_ipl_exists() {
    [ -e "$DPM_ROOT$1" ]
}

# dpm_ipl_lower TEXT: sets REPLY to it with its hex digits in lower case, as the kernel writes them.
# There is no tr in an initramfs.
dpm_ipl_lower() {
    REPLY=
    dpm_ipl_rest=$1
    while [ -n "$dpm_ipl_rest" ]; do
        case $dpm_ipl_rest in
        A*) REPLY=${REPLY}a ;;
        B*) REPLY=${REPLY}b ;;
        C*) REPLY=${REPLY}c ;;
        D*) REPLY=${REPLY}d ;;
        E*) REPLY=${REPLY}e ;;
        F*) REPLY=${REPLY}f ;;
        X*) REPLY=${REPLY}x ;;
        *) REPLY=$REPLY${dpm_ipl_rest%"${dpm_ipl_rest#?}"} ;;
        esac
        dpm_ipl_rest=${dpm_ipl_rest#?}
    done
}

dpm_ipl_digit='[0123456789abcdefABCDEF]'
dpm_ipl_4=$dpm_ipl_digit$dpm_ipl_digit$dpm_ipl_digit$dpm_ipl_digit
dpm_ipl_16=$dpm_ipl_4$dpm_ipl_4$dpm_ipl_4$dpm_ipl_4

# dpm_ipl_add SOURCE BUS-ID [WWPN LUN]: adds the path to dpm_ipl_paths, once. SOURCE is what names
# it, for the error where it is damaged.
dpm_ipl_add() {
    # The variables are patterns, and meant to be.
    # shellcheck disable=SC2254
    case $2 in
    $dpm_ipl_digit.$dpm_ipl_digit.$dpm_ipl_4) dpm_ipl_path=$2 ;;
    $dpm_ipl_4) dpm_ipl_path=0.0.$2 ;;
    *)
        dpm_ipl_error "$1: '$2' is not a bus id such as 0.0.1900"
        return
        ;;
    esac
    dpm_ipl_source=$1
    shift 2
    if [ "$#" -ne 0 ] && [ "$#" -ne 2 ]; then
        dpm_ipl_error "$dpm_ipl_source: both WWPN and LUN follow the bus id, or neither"
        return
    fi
    for dpm_ipl_number in "$@"; do
        # shellcheck disable=SC2254
        case $dpm_ipl_number in
        0[xX]$dpm_ipl_16) dpm_ipl_path=$dpm_ipl_path,$dpm_ipl_number ;;
        *)
            dpm_ipl_error "$dpm_ipl_source: '$dpm_ipl_number' is not 0x and 16 hex digits"
            return
            ;;
        esac
    done
    dpm_ipl_lower "$dpm_ipl_path"
    case " $dpm_ipl_paths " in
    *" $REPLY "*) ;;
    *) dpm_ipl_paths="$dpm_ipl_paths $REPLY" ;;
    esac
}

# dpm_ipl_split TEXT SOURCE: as dpm_ipl_add, with the parts of TEXT joined by commas.
dpm_ipl_split() {
    dpm_ipl_ifs=$IFS
    IFS=,
    set -f
    # The dot keeps an empty last part from getting lost.
    # shellcheck disable=SC2086
    set -- "$2" $1.
    set +f
    IFS=$dpm_ipl_ifs
    case $# in
    2) dpm_ipl_add "$1" "${2%.}" ;;
    3) dpm_ipl_add "$1" "$2" "${3%.}" ;;
    4) dpm_ipl_add "$1" "$2" "$3" "${4%.}" ;;
    *) dpm_ipl_error "$1: not <bus id>[,<WWPN>,<LUN>]" ;;
    esac
}

# dpm_ipl_ipldev: adds the path that the partition was IPLed over, if that was FCP. A dump from FCP
# (fcp_dump) has no root file system there.
dpm_ipl_ipldev() {
    dpm_ipl_is /sys/firmware/ipl/ipl_type fcp || return 0
    dpm_ipl_read /sys/firmware/ipl/device
    dpm_ipl_device=$REPLY
    dpm_ipl_read /sys/firmware/ipl/wwpn
    dpm_ipl_wwpn=$REPLY
    dpm_ipl_read /sys/firmware/ipl/lun
    if [ -n "$dpm_ipl_wwpn" ] && [ -n "$REPLY" ]; then
        dpm_ipl_add /sys/firmware/ipl "$dpm_ipl_device" "$dpm_ipl_wwpn" "$REPLY"
    else
        dpm_ipl_error "/sys/firmware/ipl names no WWPN or no LUN: only the device is brought online"
        dpm_ipl_add /sys/firmware/ipl "$dpm_ipl_device"
    fi
}

# dpm_ipl_cmdline: reads /proc/cmdline; fails where it says to do nothing.
dpm_ipl_cmdline() {
    dpm_ipl_read /proc/cmdline
    # Words are split at blanks, and no word is a pattern for files.
    set -f
    # shellcheck disable=SC2086
    set -- $REPLY
    set +f
    for dpm_ipl_word in "$@"; do
        case $dpm_ipl_word in
        rd.dpm=0) return 1 ;;
        rd.zfcp=ipldev) ;;
        rd.zfcp=*) dpm_ipl_split "${dpm_ipl_word#rd.zfcp=}" "$dpm_ipl_word" ;;
        esac
    done
}

# dpm_ipl_appear BUS-ID: waits for the device, and frees it where the kernel was told to ignore it.
dpm_ipl_appear() {
    dpm_ipl_exists "/sys/bus/ccw/devices/$1" && return
    if dpm_ipl_exists /proc/cio_ignore; then
        dpm_ipl_write /proc/cio_ignore "free $1" || :
        # Waits until the kernel has sensed what was freed.
        dpm_ipl_write /proc/cio_settle 1 || :
    fi
    dpm_ipl_wait dpm_ipl_exists "/sys/bus/ccw/devices/$1"
}

# dpm_ipl_online BUS-ID: brings the FCP device online, unless it is.
dpm_ipl_online() {
    if ! dpm_ipl_appear "$1"; then
        dpm_ipl_error "$1: there is no such device; is the HBA in the partition, and not ignored?"
        return 1
    fi
    if ! dpm_ipl_wait dpm_ipl_exists "/sys/bus/ccw/drivers/zfcp/$1"; then
        dpm_ipl_read "/sys/bus/ccw/devices/$1/devtype"
        dpm_ipl_error "$1: not an FCP device (device type ${REPLY:-unknown}), or zfcp is missing"
        return 1
    fi
    dpm_ipl_is "/sys/bus/ccw/devices/$1/online" 1 && return
    dpm_ipl_chzdev zfcp-host "$1" || dpm_ipl_write "/sys/bus/ccw/devices/$1/online" 1 || :
    # Read back, whatever the write said: somebody else may have been faster.
    dpm_ipl_is "/sys/bus/ccw/devices/$1/online" 1 && return
    dpm_ipl_read "/sys/bus/ccw/devices/$1/availability"
    dpm_ipl_error "$1: cannot be set online (availability: ${REPLY:-unknown})"
    return 1
}

# dpm_ipl_scans BUS-ID: whether zfcp finds LUNs by itself behind the device: with NPIV only.
dpm_ipl_scans() {
    dpm_ipl_is /sys/module/zfcp/parameters/allow_lun_scan Y || return 1
    for dpm_ipl_host in "$DPM_ROOT/sys/bus/ccw/devices/$1"/host*/fc_host/host*; do
        dpm_ipl_is "${dpm_ipl_host#"$DPM_ROOT"}/port_type" "NPIV VPORT" && return
    done
    return 1
}

# dpm_ipl_disk BUS-ID WWPN LUN: whether the disk is there; sets REPLY to its name.
dpm_ipl_disk() {
    for dpm_ipl_scsi in "$DPM_ROOT"/sys/bus/scsi/devices/*:*:*:*; do
        dpm_ipl_scsi=${dpm_ipl_scsi#"$DPM_ROOT"}
        if dpm_ipl_is "$dpm_ipl_scsi/hba_id" "$1" && dpm_ipl_is "$dpm_ipl_scsi/wwpn" "$2" &&
            dpm_ipl_is "$dpm_ipl_scsi/fcp_lun" "$3"; then
            for dpm_ipl_block in "$DPM_ROOT$dpm_ipl_scsi"/block/*; do
                REPLY=${dpm_ipl_block##*/}
                [ -e "$dpm_ipl_block" ] && return
            done
        fi
    done
    return 1
}

# dpm_ipl_lun BUS-ID WWPN LUN: sees to it that the disk is there.
dpm_ipl_lun() {
    dpm_ipl_disk "$@" && return
    dpm_ipl_port=/sys/bus/ccw/devices/$1/$2
    if ! dpm_ipl_wait dpm_ipl_exists "$dpm_ipl_port"; then
        dpm_ipl_error "$1: no port $2 in the fabric; look at zoning and cables"
        return 1
    fi
    if dpm_ipl_scans "$1"; then
        dpm_ipl_wait dpm_ipl_disk "$@" && return
    fi
    dpm_ipl_exists "$dpm_ipl_port/$3" || dpm_ipl_chzdev zfcp-lun "$1:$2:$3" || :
    if ! dpm_ipl_exists "$dpm_ipl_port/$3" && ! dpm_ipl_write "$dpm_ipl_port/unit_add" "$3"; then
        dpm_ipl_error "$1: port $2 takes no LUN $3"
        return 1
    fi
    dpm_ipl_wait dpm_ipl_disk "$@" && return
    dpm_ipl_reason="no disk came of it"
    dpm_ipl_is "$dpm_ipl_port/failed" 1 && dpm_ipl_reason="the port failed"
    dpm_ipl_is "$dpm_ipl_port/$3/failed" 1 && dpm_ipl_reason="the LUN failed"
    dpm_ipl_is "$dpm_ipl_port/$3/access_denied" 1 && dpm_ipl_reason="access is denied"
    dpm_ipl_error "$1: LUN $3 behind port $2: $dpm_ipl_reason; is it masked for this HBA?"
    return 1
}

# dpm_ipl_path BUS-ID [WWPN LUN]: brings one path online, from the device to the disk.
dpm_ipl_path() {
    dpm_ipl_online "$1" || return
    if [ "$#" -gt 1 ]; then
        dpm_ipl_lun "$@" || return
        dpm_ipl_info "$1: disk $REPLY is LUN $3 behind port $2"
    elif dpm_ipl_scans "$1"; then
        dpm_ipl_info "$1: online; zfcp looks for its LUNs"
    else
        dpm_ipl_error "$1: online, but without NPIV and zfcp.allow_lun_scan=1 no LUN is looked for"
    fi
}

# dpm_ipl_main: all paths, side by side, so that they take as long as the slowest one.
dpm_ipl_main() {
    dpm_ipl_paths=
    dpm_ipl_cmdline || return 0
    dpm_ipl_ipldev
    [ -n "$dpm_ipl_paths" ] || return 0
    dpm_ipl_exists /sys/bus/ccw/drivers/zfcp || dpm_ipl_modprobe zfcp || :
    for dpm_ipl_each in $dpm_ipl_paths; do
        (
            IFS=,
            # shellcheck disable=SC2086
            set -- $dpm_ipl_each
            unset IFS
            dpm_ipl_path "$@"
        ) &
    done
    wait
    return 0
}
