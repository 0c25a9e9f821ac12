# shellcheck shell=sh
#
# Runs dpm_ipl_main in a root of its own, DPM_ROOT, in which a kernel answers what is written: the
# channel subsystem, zfcp and the SCSI layer, as far as ipl.sh looks at them (Linux 6.1,
# drivers/s390/scsi/zfcp_sysfs.c, zfcp_scsi.c, drivers/s390/cio/blacklist.c).
#
# What the machine has is in DPM_ROOT/fake:
#   fcp/<bus id>/ports/<WWPN>/<LUN>     an FCP device, the ports in its fabric, the LUNs behind them
#   fcp/<bus id>/{npiv,dead,ignored}    marks: NPIV; cannot be set online; hidden by cio_ignore
#   fcp/<bus id>/ports/<WWPN>/denied    mark: every LUN that is added there is refused
#   chzdev                              mark: s390-tools' chzdev is there
#   writes, modules                     what was written and loaded, in order; what chzdev was asked for

set -eu
: "${DPM_ROOT:?}"
# shellcheck disable=SC1090 # the test says which
. "$IPL_LIBRARY"

fake=$DPM_ROOT/fake

dpm_ipl_modprobe() {
    echo "$1" >>"$fake/modules"
    mkdir -p "$DPM_ROOT/sys/bus/ccw/drivers/zfcp"
    for device in "$fake"/fcp/*; do
        [ -e "$device/ignored" ] || fake_bind "${device##*/}"
    done
}

dpm_ipl_write() {
    echo "$1 $2" >>"$fake/writes"
    case $1 in
    /proc/cio_ignore) fake_free "${2#free }" ;;
    /sys/bus/ccw/devices/*/online) fake_online "$1" ;;
    /sys/bus/ccw/devices/*/unit_add) fake_unit_add "${1%/unit_add}" "$2" ;;
    esac
}

# What chzdev does is the kernel's work in the end.
dpm_ipl_chzdev() {
    [ -e "$fake/chzdev" ] || return 1
    echo "chzdev $1 $2" >>"$fake/writes"
    case $1 in
    zfcp-host) fake_online "/sys/bus/ccw/devices/$2/online" ;;
    zfcp-lun)
        bus=${2%%:*}
        port=${2#*:}
        fake_unit_add "/sys/bus/ccw/devices/$bus/${port%:*}" "${port#*:}"
        ;;
    esac
}

fake_bind() {
    mkdir -p "$DPM_ROOT/sys/bus/ccw/drivers/zfcp/$1"
}

fake_free() {
    [ -e "$fake/fcp/$1/ignored" ] || return 1
    rm "$fake/fcp/$1/ignored"
    fake_device "$1"
    fake_bind "$1"
}

# fake_device BUS-ID: as the kernel shows it before it is online
fake_device() {
    mkdir -p "$DPM_ROOT/sys/bus/ccw/devices/$1"
    echo 0 >"$DPM_ROOT/sys/bus/ccw/devices/$1/online"
    echo 1732/03 >"$DPM_ROOT/sys/bus/ccw/devices/$1/devtype"
    echo good >"$DPM_ROOT/sys/bus/ccw/devices/$1/availability"
}

fake_online() {
    bus=${1%/online}
    bus=${bus##*/}
    device=$DPM_ROOT/sys/bus/ccw/devices/$bus
    # The real one refuses a value that it has already.
    [ "$(cat "$device/online")" = 0 ] || return 1
    if [ -e "$fake/fcp/$bus/dead" ]; then
        echo boxed >"$device/availability"
        return 1
    fi
    mkdir -p "$device/host0/fc_host/host0"
    if [ -e "$fake/fcp/$bus/npiv" ]; then
        echo "NPIV VPORT" >"$device/host0/fc_host/host0/port_type"
    else
        echo "NPort (fabric via point-to-point)" >"$device/host0/fc_host/host0/port_type"
    fi
    for port in "$fake/fcp/$bus"/ports/0x*; do
        [ -e "$port" ] || continue
        mkdir -p "$device/${port##*/}"
        if [ -e "$fake/fcp/$bus/npiv" ]; then
            for lun in "$port"/0x*; do
                [ ! -e "$lun" ] || fake_disk "$bus" "${port##*/}" "${lun##*/}"
            done
        fi
    done
    echo 1 >"$device/online"
}

fake_unit_add() {
    bus=${1%/*}
    bus=${bus##*/}
    mkdir -p "$DPM_ROOT$1/$2"
    if [ -e "$fake/fcp/$bus/ports/${1##*/}/denied" ]; then
        echo 1 >"$DPM_ROOT$1/$2/access_denied"
    elif [ -e "$fake/fcp/$bus/ports/${1##*/}/$2" ]; then
        fake_disk "$bus" "${1##*/}" "$2"
    fi
}

# fake_disk BUS-ID WWPN LUN
fake_disk() {
    scsi=$DPM_ROOT/sys/bus/scsi/devices/${1#?.?.}:0:0:${3#0x}
    mkdir -p "$scsi/block/sd-${1#?.?.}"
    echo "$1" >"$scsi/hba_id"
    echo "$2" >"$scsi/wwpn"
    echo "$3" >"$scsi/fcp_lun"
}

"$@"
