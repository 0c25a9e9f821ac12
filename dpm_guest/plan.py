"""What differs from what is wanted, and what has to be done next. Decides; does nothing."""

from __future__ import annotations

from dpm_guest.bootparams import NicParams
from dpm_guest.sysfs import QETH, VIRTIO, Device

# The steps that bring a NIC up, in the order in which they are needed.
APPEAR = "appear"
GROUP = "group"
OFFLINE = "offline"
LAYER2 = "layer2"
PORT = "port"
ONLINE = "online"
INTERFACE = "interface"
# What follows once it is up.
UDEV = "udev"
MAC = "mac"

_LOOK_AT = {
    APPEAR: "is the NIC in the partition, its adapter and CHPID online? see HMC, lscss, "
    "/proc/cio_ignore",
    GROUP: "are its three devices of one OSA or HiperSockets card and in no other group? "
    "see /sys/bus/ccw/devices/{bus_id}/cutype and group_device",
    OFFLINE: "is its interface in use? see dmesg",
    LAYER2: "does the card support layer 2? see dmesg and 'modinfo qeth_l2'",
    PORT: "does the adapter have a port {port}? most have 0, some 0 and 1, HiperSockets 0",
    ONLINE: "see dmesg, the CHPID's state (lschp) and the adapter's on the HMC",
    INTERFACE: "see dmesg; is the driver for it (qeth_l2, virtio_net) in the image?",
    UDEV: "see 'udevadm settle' and 'journalctl -u systemd-udevd'",
    MAC: "does the card take {mac}? see dmesg",
}


def next_step(nic: NicParams, device: Device) -> str | None:
    """The next thing to do to bring `device` up as `nic` says, or None when it is up.

    layer2 and portno of an online qeth device can't be written, not even the value that they have
    (EPERM), so a wrong one costs an offline (``qeth_core_sys.c``).
    """
    if device.missing or not device.kind:
        return APPEAR
    if device.kind == QETH:
        if not device.grouped:
            return GROUP
        if wrong_layer(device) or wrong_port(nic, device):
            if device.online:
                return OFFLINE
            return LAYER2 if wrong_layer(device) else PORT
        if not device.online:
            return ONLINE
    return None if device.interface else INTERFACE


def steps(nic: NicParams, device: Device) -> tuple[str, ...]:
    """All steps from `device` as it is to a NIC that is up, as far as can be told beforehand."""
    from copy import copy  # 1 ms that `status` need not pay

    model = copy(device)
    found = []
    while (step := next_step(nic, model)) is not None:
        found.append(step)
        if step == APPEAR:
            model.missing, model.kind = (), model.kind or QETH
        elif step == GROUP:
            model.grouped, model.layer2, model.port, model.online = True, -1, 0, False
        elif step in (OFFLINE, ONLINE):
            model.online = step == ONLINE
        elif step == LAYER2:
            model.layer2 = 1
        elif step == PORT:
            model.port = nic.port
        if step in (ONLINE, INTERFACE):
            model.interface = model.interface or "new"
    return tuple(found)


def wrong_layer(device: Device) -> bool:
    return device.layer2 != 1


def wrong_port(nic: NicParams, device: Device) -> bool:
    return device.port != nic.port


def wrong_mac(nic: NicParams, device: Device) -> bool:
    """Whether the interface needs another MAC. A port of a bond has the one that the bond wants."""
    return nic.mac is not None and device.mac != nic.mac and not device.master


def is_network_device(device: Device) -> bool:
    """Whether it is a device that can become a NIC, as far as is known."""
    return device.kind in (QETH, VIRTIO, "")


def differences(nic: NicParams, device: Device, ignored: bool) -> tuple[str, ...]:
    """Why `device` is not what `nic` asks for, in words; empty where it is.

    Args:
        ignored: whether cio_ignore hides a missing device
    """
    if not is_network_device(device):
        return (f"{device.bus_id} is no network device but {device.kind}",)
    if device.missing:
        which = ", ".join(device.missing)
        return (f"{which} hidden by cio_ignore" if ignored else f"no device {which}",)
    reasons = []
    if device.kind == QETH and not device.grouped:
        return ("not grouped",)
    if device.kind == QETH:
        if device.online and wrong_layer(device):
            reasons.append("layer 3, not layer 2")
        if wrong_port(nic, device):
            reasons.append(f"port {device.port}, not {nic.port}")
    if not device.online:
        reasons.append("offline")
    elif not device.interface:
        reasons.append("no interface")
    if device.interface and nic.mac is not None and wrong_mac(nic, device):
        reasons.append(nic.mac.why_unusable() or f"MAC is {device.mac}, not {nic.mac}")
    return tuple(reasons)


def curable(nic: NicParams, device: Device) -> bool:
    """Whether a NIC that is not as wanted may be so at another try, with nothing else changed."""
    if not is_network_device(device):
        return False
    bad_mac = nic.mac is not None and bool(nic.mac.why_unusable())
    return not (bad_mac and next_step(nic, device) is None)


def describe(step: str, nic: NicParams) -> str:
    """A step in words, for a line on the console."""
    return {
        APPEAR: "waiting for its devices to appear",
        GROUP: "grouping its three devices",
        OFFLINE: "taking it offline",
        LAYER2: "setting layer 2",
        PORT: f"setting port {nic.port}",
        ONLINE: "bringing it online",
        INTERFACE: "waiting for its interface",
        UDEV: "waiting for udev to finish with its interface",
        MAC: f"setting the MAC {nic.mac}",
    }[step]


def look_at(step: str, nic: NicParams) -> str:
    """What a person should look at when a step fails."""
    return _LOOK_AT[step].format(bus_id=nic.bus_id, port=nic.port, mac=nic.mac)
