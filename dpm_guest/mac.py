"""The MAC of an interface, and all that is done about it.

udev is told it before the device comes online (`udevlink`), so that it is right from the first
moment. When udev has finished with the interface (`watch`), the MAC is read back, and set where it
is another one (`netdev`).
"""

from __future__ import annotations

from dpm_guest.console import Console, words
from dpm_guest.errors import InterfaceError, InvalidIdError
from dpm_guest.ids import CcwId
from dpm_guest.sysfs import Sysfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from dpm_guest.bootparams import NicParams
    from dpm_guest.jobs import Clock, Job
    from dpm_guest.sysfs import Device
    from dpm_guest.wanted import Wanted

_ROUNDS = 3  # how often a MAC that somebody else changes is set back before we say so and stop


def tell_udev(nics: Iterable[NicParams], console: Console) -> bool:
    """Tell udev the MACs, NIC by NIC; say whether anything changed."""
    from dpm_guest import udevlink

    policy = udevlink.naming_policy()
    changed = False
    for nic in nics:
        try:
            changed = udevlink.write(nic, policy) or changed
        except OSError as error:
            console.warning(
                f"{nic.bus_id}: udev can't be told the MAC: {error.filename}: {words(error)}"
            )
    return changed


def put_right(job: Job, device: Device) -> None:
    """Set the MAC of a NIC that has another one; `job` gets to know what became of it."""
    from dpm_guest.netdev import set_mac  # which only those pay for who set one

    mac = job.nic.mac
    assert mac is not None, "a NIC that may have any has no wrong one"
    try:
        if reason := mac.why_unusable():
            raise InterfaceError(f"{reason}: no card takes it")
        set_mac(device.ifindex, mac)
        job.mac_set = job.touched = True
    except InterfaceError as error:
        job.failure = f"setting the MAC of {device.interface} failed: {error}"


def last_look(jobs: list[Job], tree: Sysfs, console: Console, clock: Clock) -> None:
    """Set the MACs that somebody changed after we were done, or that udev kept us waiting for."""
    from dpm_guest import plan

    for _ in range(_ROUNDS):
        wrong = []
        for job in jobs:
            device = tree.device(job.nic.bus_id)
            if job.failure or device.mac is None or not plan.wrong_mac(job.nic, device):
                continue
            if job.done or not job.step:
                console.warning(
                    f"{job.nic.bus_id}: somebody changed the MAC of {device.interface} to "
                    f"{device.mac}; setting it back"
                )
            wrong.append((job, device))
        if not wrong:
            return
        _put_right_in_time(wrong, clock)


def _put_right_in_time(wrong: list[tuple[Job, Device]], clock: Clock) -> None:
    """Set MACs, but don't wait past the end of all time for a card that does not answer."""
    import threading

    from dpm_guest import plan

    for job, device in wrong:
        thread = threading.Thread(target=put_right, args=(job, device), daemon=True)
        thread.start()
        thread.join(max(1.0, clock.left()))
        if thread.is_alive():
            job.failure = f"{plan.describe(plan.MAC, job.nic)}: the card does not answer"


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
    from dpm_guest.netdev import set_mac

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
