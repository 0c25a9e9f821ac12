"""What is right of a NIC, and what has to be done where it is not. Decides; does nothing."""

from __future__ import annotations

from dpm_guest.bootparams import NicParams
from dpm_guest.sysfs import QETH, VIRTIO, Device

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Wrong = Callable[[NicParams, Device], "str | None"]
    Effect = Callable[[NicParams, Device], dict[str, object]]

APPEAR = "appear"
GROUP = "group"
OFFLINE = "offline"
LAYER2 = "layer2"
PORT = "port"
ONLINE = "online"
INTERFACE = "interface"
UDEV = "udev"
MAC = "mac"


class _Step:
    """One thing that may have to be done.

    Args:
        doing: a line for the console
        cure: what a person should look at when it fails
        wrong: what is wrong that this step puts right: None where nothing is, '' where there are
            no words for it (yet)
        effect: the attributes of the device that it changes
    """

    def __init__(self, doing: str, cure: str, wrong: Wrong, effect: Effect) -> None:
        self.doing = doing
        self.cure = cure
        self.wrong = wrong
        self.effect = effect


def _not_there(nic: NicParams, device: Device) -> str | None:
    if device.missing:
        which = ", ".join(device.missing)
        return f"{which} hidden by cio_ignore" if device.hidden else f"no device {which}"
    return None if device.kind else "the kernel does not say yet what it is"


def _no_interface(nic: NicParams, device: Device) -> str | None:
    if device.kind == VIRTIO and not device.online:
        return "offline"
    if device.interface:
        return None
    return "no interface" if device.online else ""


def _other_mac(nic: NicParams, device: Device) -> str | None:
    """A port of a bond has the MAC that the bond wants."""
    if nic.mac is None or device.mac == nic.mac or device.master:
        return None
    if not device.interface:
        return ""
    return nic.mac.why_unusable() or f"MAC is {device.mac}, not {nic.mac}"


_STEPS = {
    APPEAR: _Step(
        "waiting for its devices to appear",
        "is the NIC in the partition, its adapter and CHPID online? see HMC, lscss, "
        "/proc/cio_ignore",
        _not_there,
        lambda nic, it: {"missing": (), "kind": it.kind or QETH},
    ),
    GROUP: _Step(
        "grouping its three devices",
        "are its three devices of one OSA or HiperSockets card and in no other group? "
        "see /sys/bus/ccw/devices/{bus_id}/cutype and group_device",
        lambda nic, it: None if it.kind != QETH or it.grouped else "not grouped",
        lambda nic, it: {"grouped": True, "layer2": -1, "port": 0, "online": False},
    ),
    OFFLINE: _Step(
        "taking it offline",
        "is its interface in use? see dmesg",
        lambda nic, it: None,  # nobody wants it for itself
        lambda nic, it: {"online": False},
    ),
    LAYER2: _Step(
        "setting layer 2",
        "does the card support layer 2? see dmesg and 'modinfo qeth_l2'",
        # Where nobody has decided, a device comes up in layer 2: an offline one is not wrong.
        lambda nic, it: (
            None if it.kind != QETH or it.layer2 == 1 else "layer 3, not layer 2" * it.online
        ),
        lambda nic, it: {"layer2": 1},
    ),
    PORT: _Step(
        "setting port {port}",
        "does the adapter have a port {port}? most have 0, some 0 and 1, HiperSockets 0",
        lambda nic, it: (
            None if it.kind != QETH or it.port == nic.port else f"port {it.port}, not {nic.port}"
        ),
        lambda nic, it: {"port": nic.port},
    ),
    ONLINE: _Step(
        "bringing it online",
        "see dmesg, the CHPID's state (lschp) and the adapter's on the HMC",
        lambda nic, it: None if it.kind != QETH or it.online else "offline",
        lambda nic, it: {"online": True, "interface": it.interface or "new"},
    ),
    INTERFACE: _Step(
        "waiting for its interface",
        "see dmesg; is the driver for it (qeth_l2, virtio_net) in the image?",
        _no_interface,
        lambda nic, it: {"online": True, "interface": it.interface or "new"},
    ),
    UDEV: _Step(
        "waiting for udev to finish with its interface",
        "see 'udevadm settle' and 'journalctl -u systemd-udevd'",
        lambda nic, it: None,  # sysfs does not show it
        lambda nic, it: {},
    ),
    MAC: _Step(
        "setting the MAC {mac}",
        "does the card take {mac}? see dmesg",
        _other_mac,
        lambda nic, it: {"mac": nic.mac},
    ),
}
"""In the order in which they are needed."""

# Before these are done, nothing else can be known.
_FIRST_OF_ALL = (APPEAR, GROUP)
# qeth refuses to change these of an online device, even to the value that they have (EPERM,
# qeth_core_sys.c), so they cost an offline.
_ONLY_OFFLINE = (LAYER2, PORT)


def next_step(nic: NicParams, device: Device) -> str | None:
    """The next thing to do to bring `device` up as `nic` says, or None when it is up."""
    step = _next(nic, device)
    return None if step == MAC else step


def steps(nic: NicParams, device: Device) -> tuple[str, ...]:
    """All steps from `device` as it is to a NIC that is right, as far as can be told beforehand."""
    from copy import copy  # 1 ms that `status` need not pay

    model = copy(device)
    found = []
    while (step := _next(nic, model)) is not None:
        found.append(step)
        vars(model).update(_STEPS[step].effect(nic, model))
    return tuple(found)


def _next(nic: NicParams, device: Device) -> str | None:
    for name, step in _STEPS.items():
        if step.wrong(nic, device) is not None:
            return OFFLINE if name in _ONLY_OFFLINE and device.online else name
    return None


def differences(nic: NicParams, device: Device) -> tuple[str, ...]:
    """Why `device` is not what `nic` asks for, in words; empty where it is."""
    if not is_network_device(device):
        return (f"{device.bus_id} is no network device but {device.kind}",)
    reasons = []
    for name, step in _STEPS.items():
        if reason := step.wrong(nic, device):
            reasons.append(reason)
            if name in _FIRST_OF_ALL:
                break
    return tuple(reasons)


def is_right(nic: NicParams, device: Device) -> bool:
    """Whether `device` is what `nic` asks for."""
    return not differences(nic, device)


def wrong_mac(nic: NicParams, device: Device) -> bool:
    """Whether the interface needs another MAC."""
    return _other_mac(nic, device) is not None


def is_network_device(device: Device) -> bool:
    """Whether it is a device that can become a NIC, as far as is known."""
    return device.kind in (QETH, VIRTIO, "")


def curable(nic: NicParams, device: Device) -> bool:
    """Whether a NIC that is not as wanted may be so at another try, with nothing else changed."""
    if not is_network_device(device):
        return False
    bad_mac = nic.mac is not None and bool(nic.mac.why_unusable())
    return not (bad_mac and next_step(nic, device) is None)


def describe(step: str, nic: NicParams) -> str:
    """A step in words, for a line on the console; for a MAC that no card takes, why."""
    unusable = nic.mac.why_unusable() if step == MAC and nic.mac is not None else None
    return unusable or _filled(_STEPS[step].doing, nic)


def cure(step: str, nic: NicParams) -> str:
    """What a person should look at when a step fails."""
    return _filled(_STEPS[step].cure, nic)


def _filled(text: str, nic: NicParams) -> str:
    return text.format(bus_id=nic.bus_id, port=nic.port, mac=nic.mac)
