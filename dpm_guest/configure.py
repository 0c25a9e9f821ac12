"""``dpm-guest configure``: NICs to the state that is asked for."""

from __future__ import annotations

from dpm_guest import plan
from dpm_guest.bootparams import NicParams
from dpm_guest.console import Console
from dpm_guest.errors import UnnamedError
from dpm_guest.ids import CcwId
from dpm_guest.jobs import bring_right
from dpm_guest.markers import BOOT_IS_DONE, forget, mark, remember
from dpm_guest.outcome import say_steps
from dpm_guest.sysfs import Sysfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dpm_guest.wanted import Wanted

    Asked = tuple[CcwId, NicParams | None]


def configure(
    wanted: Wanted,
    asked: tuple[Asked, ...],
    tree: Sysfs,
    console: Console,
    *,
    timeout: float,
    dry_run: bool,
    unit: bool,
) -> int:
    """Bring NICs to their wanted state.

    Args:
        asked: the NICs to work on, with the tuple where one was given; empty for all
        timeout: seconds without any progress after which it ends; twice that is the most in all
        dry_run: say what would be done, do nothing
        unit: a unit calls: what is left to do goes on in the background, and NICs that nobody names
            are brought up only where that is not switched off

    Returns:
        0 when everything is as wanted, 1 when something is not.
    """
    for text in wanted.damaged:
        console.error(f"damaged boot parameter {text}")
    for text in wanted.overridden:
        console.warning(f"boot parameter {text}")
    nics, refused = list(wanted.nics), False
    if asked:
        nics = []
        for bus_id, nic in asked:
            try:
                chosen = _choose(
                    bus_id, nic, wanted, tree, console=console, unit_waits=timeout if unit else None
                )
            except UnnamedError as error:
                console.error(f"{bus_id}: {error}")
                refused = True
                continue
            nics += [chosen] if chosen else []
    elif not nics:
        console.notice("no NIC on the kernel command line")
    if dry_run:
        return say_steps(nics, tree) or (1 if wanted.damaged or refused else 0)
    failed = bring_right(nics, wanted, tree, console, timeout)
    if unit:
        _leave_the_rest(nics, failed, wanted, tree, console=console, at_boot=not asked)
    return 1 if failed or refused or wanted.damaged else 0


def _choose(
    bus_id: CcwId,
    nic: NicParams | None,
    wanted: Wanted,
    tree: Sysfs,
    *,
    console: Console,
    unit_waits: float | None,
) -> NicParams | None:
    """The NIC to bring up where one is asked for, None where there is nothing to do.

    Args:
        unit_waits: None where a person asks, else how long a unit waits for the NIC's devices

    Raises:
        UnnamedError: it can't be brought up so.
    """
    named = wanted.named(bus_id)
    if named is not None:
        if nic not in (None, named) and bus_id not in wanted.local:
            raise UnnamedError(f"the kernel command line says {str(named)!r}, which has priority")
        return nic or named
    from dpm_guest import unnamed

    if nic is not None:
        unnamed.check_owners(bus_id, wanted, tree)
        return nic
    if unit_waits is not None:
        return unnamed.by_unit(bus_id, wanted, tree, console, unit_waits)
    nic = unnamed.by_hand(bus_id, wanted, tree)
    if nic is None:
        device = tree.device(bus_id)
        port = f"port {device.port}, " if device.port is not None else ""
        console.notice(
            f"{bus_id} {device.interface or '(no interface)'}: {port}MAC {device.mac}: not named, "
            f"up already: left as it is"
        )
    return nic


def _leave_the_rest(
    nics: list[NicParams],
    failed: tuple[NicParams, ...],
    wanted: Wanted,
    tree: Sysfs,
    *,
    console: Console,
    at_boot: bool,
) -> None:
    """Have the background see to what may still become right, and in a boot to NICs that are there
    and that nobody names: one that was added before a reboot from inside, which reads no new
    boot parameters."""
    forget(nic.bus_id for nic in nics if nic not in failed)
    left = [nic.bus_id for nic in failed if plan.curable(nic, tree.device(nic.bus_id))]
    if at_boot:
        if not wanted.no_auto:
            from dpm_guest.unnamed import find

            left += find(tree, wanted)[0]
        if wanted.files or not wanted.no_auto:
            mark(BOOT_IS_DONE, "NICs that come later will be left alone", console)
    if remember(left, console):
        from dpm_guest.retry import start_unit

        start_unit()
