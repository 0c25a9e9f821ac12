"""NICs that are there and that nobody names: which devices are one, and whether they are ours.

The HMC gives a NIC three device numbers in a row (HMC Web Services API, NIC object,
"device-number"), all on the CHPID of its adapter. A NIC that is added to a running partition is in
the boot parameters from the next start on; until then its port is not known.
"""

from __future__ import annotations

import os

from dpm_guest import sysfs
from dpm_guest.bootparams import NicParams
from dpm_guest.console import Console
from dpm_guest.errors import UnnamedError
from dpm_guest.ids import DEVNOS_OF_A_NIC, CcwId
from dpm_guest.sysfs import QETH, Device, Sysfs, bus_ids_in, names_in, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dpm_guest.wanted import Wanted

DEFAULT_PORT = 0

# Where another tool keeps what it does with a device: chzdev's 41-qeth-<bus id>.rules (s390-tools
# zdev/src/path.c), in /run where firmware or an initramfs told it (zdev/dracut), and installers'.
_RULES = ("/etc/udev/rules.d", "/run/udev/rules.d")
_PAUSE = 0.1


def find(tree: Sysfs, wanted: Wanted) -> tuple[tuple[CcwId, ...], tuple[CcwId, ...]]:
    """The NICs that nobody names and that are not grouped, and devices that are no whole NIC.

    As s390-tools' ``zdev/src/qeth_auto.c``: only devices that are bound to the driver, in no group,
    of one CHPID and type. Unlike there, a NIC is three numbers in a row, as a partition has it, and
    a row that can't be divided into such is left: one of its devices may still be on its way, and
    which is the first can't be known.
    """
    taken = {bus_id for nic in wanted.nics for bus_id in nic.bus_id.triple}
    rows: dict[tuple[str, ...], list[CcwId]] = {}
    for bus_id in bus_ids_in(f"{tree.sys}/bus/ccw/drivers/qeth"):
        ccw = tree.ccw(bus_id)
        if bus_id in taken or os.path.lexists(f"{ccw}/group_device"):
            continue
        card = [read(f"{ccw}/{name}") or "" for name in ("../chpids", "cutype", "devtype")]
        rows.setdefault((bus_id[:4], *card), []).append(bus_id)
    whole: list[CcwId] = []
    rest: list[CcwId] = []
    for of_one_card in rows.values():
        for row in _in_a_row(of_one_card):
            if len(row) % DEVNOS_OF_A_NIC:
                rest += row
            else:
                whole += row[::DEVNOS_OF_A_NIC]
    return tuple(sorted(whole)), tuple(sorted(rest))


def _in_a_row(bus_ids: list[CcwId]) -> list[list[CcwId]]:
    rows: list[list[CcwId]] = []
    for bus_id in bus_ids:
        if rows and bus_id.devno.number == rows[-1][-1].devno.number + 1:
            rows[-1].append(bus_id)
        else:
            rows.append([bus_id])
    return rows


def other_tool(bus_id: CcwId) -> str:
    """The file by which another tool takes care of a NIC, or ''."""
    for directory in _RULES:
        for name in names_in(directory):
            if name.endswith(f"-qeth-{bus_id}.rules"):
                return f"{directory}/{name}"
    return ""


def by_hand(bus_id: CcwId, wanted: Wanted, tree: Sysfs) -> NicParams | None:
    """What is to be done with a NIC that somebody at the console asks for and nobody names.

    Returns:
        The NIC to bring up, or None where it is up and stays as it is.

    Raises:
        UnnamedError: nothing can be done; the text says why.
    """
    device = tree.device(bus_id)
    if device.kind not in (QETH, sysfs.VIRTIO, ""):
        raise UnnamedError(f"it is no network device but {device.kind}")
    if device.kind == sysfs.VIRTIO:
        return None
    if device.grouped:
        return None if device.online else NicParams(bus_id, device.port or DEFAULT_PORT)
    check_owners(bus_id, wanted, tree)
    first = _first_of(bus_id, wanted, tree)
    if first not in (bus_id, None):
        raise UnnamedError(f"a device of the NIC {first}; see 'dpm-guest configure {first}'")
    if device.missing:
        ignored = any(map(tree.ignored, device.missing))
        why = f"{', '.join(device.missing)} hidden by cio_ignore" if ignored else _missing(device)
        how = f"; 'dpm-guest configure {bus_id},PORT' frees it" if ignored else ""
        raise UnnamedError(f"not on the kernel command line, and {why}{how}")
    rules = other_tool(bus_id)
    if rules:
        raise UnnamedError(
            f"{rules} takes care of it; to have it brought up all the same, name its port: "
            f"'dpm-guest configure {bus_id},{DEFAULT_PORT}'"
        )
    return NicParams(bus_id, DEFAULT_PORT)


def _missing(device: Device) -> str:
    return f"there is no device {', '.join(device.missing)}"


def check_owners(bus_id: CcwId, wanted: Wanted, tree: Sysfs) -> None:
    """See that a NIC would take no device of another one.

    Raises:
        UnnamedError: it would.
    """
    owner = wanted.owner(bus_id)
    if owner is not None:
        raise UnnamedError(f"a device of the NIC {owner.bus_id}, which is named as {str(owner)!r}")
    holder = tree.holder(bus_id)
    if holder:
        raise UnnamedError(f"a device of {holder}, which is grouped already")


def by_unit(
    bus_id: CcwId, wanted: Wanted, tree: Sysfs, console: Console, timeout: float
) -> NicParams | None:
    """What is to be done with a device that udev saw coming and nobody names.

    udev starts a unit for each of a NIC's three devices; the first one's does the work, and waits
    for the others.

    Returns:
        The NIC to bring up, or None where this device is none of ours to begin with.

    Raises:
        UnnamedError: its other devices do not come.
    """
    if wanted.owner(bus_id) is not None:
        return None
    if wanted.no_auto:
        console.notice(f"{bus_id}: nobody names it, and it is left alone: {wanted.no_auto}")
        return None
    if not _waited_for(bus_id, wanted, tree, timeout):
        return None
    rules = other_tool(bus_id)
    if rules:
        console.notice(f"{bus_id}: nobody names it, and {rules} takes care of it: left alone")
        return None
    return NicParams(bus_id, DEFAULT_PORT)


def _waited_for(bus_id: CcwId, wanted: Wanted, tree: Sysfs, timeout: float) -> bool:
    """Wait for the other devices of a NIC; say whether this is the first, and nobody's.

    Raises:
        UnnamedError: they do not come.
    """
    import time

    from dpm_guest.watch import settle

    end = time.monotonic() + timeout
    _settle(tree)
    while (first := _first_of(bus_id, wanted, tree)) != bus_id:
        ccw = tree.ccw(bus_id)
        if first or os.path.lexists(f"{ccw}/group_device") or not os.path.isdir(ccw):
            return False  # another one's, grouped by somebody, or gone
        if time.monotonic() > end:
            _give_up(bus_id, find(tree, wanted)[1])
            return False
        time.sleep(_PAUSE)
    # Rules of others have had their turn when udev has nothing left to do, and of two NICs that
    # come at once all devices are there.
    settle(10)
    _settle(tree)
    return _first_of(bus_id, wanted, tree) == bus_id


def _first_of(bus_id: CcwId, wanted: Wanted, tree: Sysfs) -> CcwId | None:
    whole, _ = find(tree, wanted)
    return next((first for first in whole if bus_id in first.triple), None)


def _give_up(bus_id: CcwId, rest: tuple[CcwId, ...]) -> None:
    """Say so once and not for each device.

    Raises:
        UnnamedError: this is the first device of the row.
    """
    row = next((row for row in _in_a_row(list(rest)) if bus_id in row), None)
    if row is None:
        raise UnnamedError("nobody names it, and no driver takes it; see 'modinfo qeth' and dmesg")
    if row[0] == bus_id:
        raise UnnamedError(
            f"nobody names it, and {', '.join(row)} can't be divided into NICs of three devices "
            f"in a row; if it is a NIC, name its port: 'dpm-guest configure {bus_id},PORT'"
        )


def _settle(tree: Sysfs) -> None:
    """Wait until the kernel has looked at all devices that it was told of."""
    try:
        sysfs.write(f"{tree.proc}/cio_settle", "1")
    except OSError:
        pass  # then they come a little later
