"""``dpm-guest retry``: NICs that were not right in time are tried again until they are.

The units leave a file for each such NIC (`markers.remember`) and start
``dpm-guest-retry.service``. A try is a process of its own: between tries, which may be for days,
nothing but this module stays in memory.
"""

from __future__ import annotations

import os
import sys
import time

from dpm_guest import plan
from dpm_guest.console import Console
from dpm_guest.markers import forget, remembered
from dpm_guest.process import run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dpm_guest.bootparams import NicParams
    from dpm_guest.ids import CcwId
    from dpm_guest.sysfs import Device, Sysfs
    from dpm_guest.wanted import Wanted

    Attempt = Callable[[Wanted, tuple[NicParams, ...]], None]

UNIT = "dpm-guest-retry.service"
_BOOT = "dpm-guest.service"

# Seconds between tries: soon at first, for a machine that was only busy; then rarely, for a card
# that a person has to repair. A card that comes back as a device is seen by udev at once.
_FIRST_PAUSE, _LONGEST_PAUSE = 5, 300


def start_unit() -> None:
    """Have the background unit begin, or begin anew with short pauses; returns at once."""
    _systemctl("--no-block", "restart", UNIT)


def retry(
    read: Callable[[], Wanted],
    attempt: Attempt,
    tree: Sysfs,
    console: Console,
) -> int:
    """Try again until every NIC that was left is right.

    Args:
        read: what is wanted now; an administrator may change files
        attempt: brings NICs to their wanted state, as far as they can be, and says what became of
            each

    Returns:
        0 when all is right, 1 when there is no use in trying.
    """
    from dpm_guest.watch import settle

    pause = _FIRST_PAUSE
    said: set[str] = set()
    done: list[CcwId] = []
    # At boot, what others do with devices that nobody names goes first.
    settle(120)
    while True:
        wanted = read()
        left = _left(wanted, tree, console, done)
        if left:
            said = _one_try(attempt, wanted, left, said)
            left = _left(wanted, tree, console, done)
        if not left:
            break
        if not any(plan.curable(nic, tree.device(nic.bus_id)) for nic in left):
            forget(nic.bus_id for nic in left)
            console.error("trying again changes nothing about " + ", ".join(_names(left)))
            return 1
        _tell_systemd(f"{', '.join(_names(left))}: not right yet; next try in {pause} s")
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
    console.notice("nothing is left to be tried again")
    _clear_failures(wanted, tree, done)
    return 0


def _left(
    wanted: Wanted, tree: Sysfs, console: Console, done: list[CcwId]
) -> tuple[NicParams, ...]:
    """The NICs that were left and still are not right; the others are taken off the list.

    Only those: what an administrator did meanwhile to a NIC that was right is his to undo.
    """
    from dpm_guest.bootparams import NicParams
    from dpm_guest.unnamed import DEFAULT_PORT

    left = []
    for bus_id in remembered():
        nic = wanted.named(bus_id)
        device = tree.device(bus_id)
        if nic is None and device.online:
            forget([bus_id])  # in whatever layer and on whatever port: it may be somebody else's
            done.append(bus_id)
            continue
        if nic is None:
            reason = _why_not(bus_id, device, wanted, tree)
            if reason:
                forget([bus_id])
                console.notice(f"{bus_id}: nobody names it, and there is nothing to try: {reason}")
                continue
        nic = nic or NicParams(bus_id, device.port or DEFAULT_PORT)
        if plan.is_right(nic, device):
            forget([bus_id])
            done.append(bus_id)
        else:
            left.append(nic)
    return tuple(left)


def _why_not(bus_id: CcwId, device: Device, wanted: Wanted, tree: Sysfs) -> str:
    """Why a NIC that nobody names is left alone, or ''; at boot nobody has looked before."""
    from dpm_guest.unnamed import find, other_tool

    if device.grouped:
        # By us, or by somebody else, who may want layer 3.
        return "it is set to layer 3" if device.layer2 == 0 else ""
    rules = other_tool(bus_id)
    if wanted.no_auto or rules:
        return wanted.no_auto or f"{rules} takes care of it"
    whole, _ = find(tree, wanted)
    return "" if bus_id in whole else "it has no three devices any more"


def _names(nics: Iterable[NicParams]) -> list[str]:
    return [nic.bus_id for nic in nics]


def _one_try(
    attempt: Attempt, wanted: Wanted, left: tuple[NicParams, ...], said: set[str]
) -> set[str]:
    """Try in a process of its own, and pass on what it says that was not said before.

    Returns:
        What it said, for the next time.
    """
    ours, theirs = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.close(ours)
            os.dup2(theirs, 2)
            attempt(wanted, left)
        except Exception as error:  # noqa: BLE001 - said; the next try may go better
            Console().error(f"this try failed: {error!r}")
        finally:
            os._exit(0)
    os.close(theirs)
    now: set[str] = set()
    with open(ours, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            # How long it took is no news.
            news = line.partition(": gave up after ")[0]
            if news not in said | now:
                sys.stderr.write(line)
                sys.stderr.flush()
            now.add(news)
    os.waitpid(pid, 0)
    return now


def _clear_failures(wanted: Wanted, tree: Sysfs, done: list[CcwId]) -> None:
    """Have units not stay failed for what is right by now.

    The boot's own is started again where there is nothing for it to do but to see that; else it
    would undo what an administrator did meanwhile.
    """
    if done:
        _systemctl("reset-failed", *(f"dpm-guest@{bus_id}.*" for bus_id in done))
    right = all(plan.is_right(nic, tree.device(nic.bus_id)) for nic in wanted.nics)
    if right and not wanted.damaged and not _systemctl("--quiet", "is-failed", _BOOT):
        _systemctl("--no-block", "start", _BOOT)


def _systemctl(*words: str) -> int:
    """Ask systemd, where it is the one that runs here (sd_booted(3))."""
    if not os.path.isdir("/run/systemd/system"):
        return 1
    return run("systemctl", "--no-ask-password", *words)


def _tell_systemd(status: str) -> None:
    """What ``systemctl status`` shows; sd_notify(3)."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    import socket

    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.sendto(f"STATUS={status}".encode(), address.replace("@", "\0", 1))
    except OSError:
        pass  # it is only told
