"""``dpm-guest setmac``: one interface gets the MAC that the kernel command line names."""

from __future__ import annotations

from dpm_guest.console import Console
from dpm_guest.errors import InterfaceError, InvalidIdError
from dpm_guest.ids import CcwId
from dpm_guest.netdev import set_mac
from dpm_guest.sysfs import Sysfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dpm_guest.wanted import Wanted


def setmac(wanted: Wanted, name: str, tree: Sysfs, console: Console, dry_run: bool) -> int:
    """Give one NIC its MAC and read it back.

    Args:
        name: a bus id, a device number or the name of an interface
        dry_run: say what would be done, do nothing

    Returns:
        0 when the MAC is as wanted (or none is wanted), 1 when a dry run would set it.

    Raises:
        InterfaceError: there is no such NIC, or it cannot have that MAC.
    """
    bus_id = _find(name, tree)
    if bus_id is None:
        raise InterfaceError(f"{name} is no bus id, device number or interface of a ccw device")
    nic = wanted.named(bus_id)
    if nic is None:
        named = ", ".join(nic.bus_id for nic in wanted.nics) or "none"
        raise InterfaceError(f"{bus_id}: not on the kernel command line, which names: {named}")
    device = tree.device(bus_id)
    where = f"{bus_id} {device.interface}"
    if nic.mac is None:
        console.notice(f"{bus_id}: the kernel command line names no MAC for it, any will do")
        return 0
    if device.interface is None:
        raise InterfaceError(f"{bus_id} has no interface; see 'dpm-guest status' for why")
    if device.master:
        console.notice(f"{where}: port of {device.master}, which decides on its MAC: left alone")
        return 0
    if device.mac == nic.mac:
        console.step(f"{where}: has MAC {nic.mac} already")
        return 0
    reason = nic.mac.why_unusable()
    if reason:
        raise InterfaceError(f"{where}: {reason}: no card takes it; MAC {device.mac} stays")
    if dry_run:
        print(f"{where}: MAC {device.mac} would become {nic.mac}")
        return 1
    try:
        set_mac(device.ifindex, nic.mac)
    except InterfaceError as error:
        raise InterfaceError(f"{where}: setting the MAC failed: {error}") from error
    now = tree.device(bus_id).mac
    if now != nic.mac:
        raise InterfaceError(f"{where}: MAC {nic.mac} was set but reads back as {now}")
    console.notice(f"{where}: MAC {device.mac} became {now}")
    return 0


def _find(name: str, tree: Sysfs) -> CcwId | None:
    try:
        return CcwId.parse(name)
    except InvalidIdError:
        return tree.bus_id_of(name)
