"""NICs brought to their wanted state side by side.

Threads bring the devices up, all at once, because a card takes its time to answer. The main
thread listens to udev meanwhile and gives each interface its MAC when udev has finished with it.
"""

from __future__ import annotations

import os
import time

from dpm_guest import plan, udevlink
from dpm_guest.bootparams import NicParams
from dpm_guest.console import Console, words
from dpm_guest.errors import InterfaceError
from dpm_guest.ids import Mac
from dpm_guest.netdev import set_mac
from dpm_guest.sysfs import Device, Sysfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from dpm_guest.bringup import Shared
    from dpm_guest.wanted import Wanted

MARKERS = "/run/dpm-guest"
"""A file for each NIC, named by its bus id. ``80-dpm-guest.rules`` acts only on devices that have
one, so that nothing is started a device while this command is still at work at boot."""

_ROUNDS = 3  # how often a MAC that somebody else changes is set back before we say so and stop


class Job:
    """One NIC on its way.

    Attributes:
        step: the last step that was begun, '' before the first
        ifindex: its interface, once it is up
        failure: why it failed, '' if it did not
        touched: something had to be done
        mac_set: the MAC was set by us and not by udev
        done: nothing is left to do, or it failed
    """

    def __init__(self, nic: NicParams) -> None:
        self.nic = nic
        self.step = ""
        self.ifindex = 0
        self.failure = ""
        self.touched = False
        self.mac_set = False
        self.done = False


class Clock:
    """Two limits: so long without progress, and twice that in all."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._start = time.monotonic()
        self._end = self._start + 2 * timeout
        self._quiet_end = self._start + timeout

    def progress(self) -> None:
        self._quiet_end = time.monotonic() + self._timeout

    def waited(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    def left(self) -> float:
        """Seconds until the nearer limit, 0 when it is reached."""
        return max(0.0, min(self._end, self._quiet_end) - time.monotonic())


def bring_right(
    nics: Iterable[NicParams], wanted: Wanted, tree: Sysfs, console: Console, timeout: float
) -> tuple[NicParams, ...]:
    """Bring NICs to their wanted state and say what became of each; return those that are not."""
    clock = Clock(timeout)
    jobs = [Job(nic) for nic in nics]
    named = tuple(job.nic for job in jobs if wanted.named(job.nic.bus_id))
    links_changed = _write_links([job.nic for job in jobs], console)
    to_do = [job for job in jobs if _differs(job, tree)]
    if to_do:
        _work(to_do, links_changed, tree, console, clock)
    _write_markers(named, console)
    _last_look(jobs, tree, console, clock)
    return tuple(job.nic for job in jobs if not _report(job, job.nic in named, tree, console))


def _differs(job: Job, tree: Sysfs) -> bool:
    return bool(plan.differences(job.nic, tree.device(job.nic.bus_id), ignored=False))


def _write_links(nics: list[NicParams], console: Console) -> bool:
    """Tell udev the MACs, NIC by NIC; say whether anything changed."""
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


def _work(
    to_do: list[Job],
    links_changed: bool,
    tree: Sysfs,
    console: Console,
    clock: Clock,
) -> None:
    """Bring up what is not up, and give it its MAC; returns when all is done or time is over."""
    import threading

    from dpm_guest.bringup import Shared
    from dpm_guest.watch import Watcher, reload_udev

    reloading = reload_udev() if links_changed else None
    shared = Shared([job.nic for job in to_do], tree, console)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    for job in to_do:
        threading.Thread(target=_one_nic, args=(job, shared, clock, wake), daemon=True).start()

    # The devices are being freed, grouped and set up by now; what listens to udev takes longest to
    # import (pyudev), and is needed only before the first of them comes online.
    watcher = Watcher(woken)
    if watcher.missing:
        console.warning(watcher.missing)
    if reloading is not None and reloading.wait():
        console.warning("udevd did not reload its .link files; the MACs are set after it")
    shared.listening.set()

    while not all(job.done for job in to_do):
        for job in to_do:
            if job.step == plan.UDEV and watcher.finished_with(job.ifindex):
                shared.named[job.nic.bus_id].set()
        left = clock.left()
        if not left:
            shared.stop.set()
            _time_is_over([job for job in to_do if not job.done], console, clock)
            return
        # An event wakes us; the look after half a second is for one that was lost.
        watcher.wait(min(left, 0.5))


def _one_nic(job: Job, shared: Shared, clock: Clock, wake: int) -> None:
    """A thread: one NIC from what it is to what it shall be.

    The MAC is set here and not in the main thread, because a card may take long to answer.
    """
    from dpm_guest.bringup import BringUpError, Stopped, bring_up

    def progress(step: str) -> None:
        job.step = step
        job.touched = True
        clock.progress()

    try:
        job.ifindex = bring_up(job.nic, shared, progress).ifindex
        job.step = plan.UDEV
        _wake(wake)
        shared.wait_for(shared.named[job.nic.bus_id])
        device = shared.tree.device(job.nic.bus_id)
        if job.nic.mac is not None and plan.wrong_mac(job.nic, device):
            progress(plan.MAC)
            _set_mac(job, job.nic.mac, device)
    except Stopped:
        return  # the main thread says where it stands
    except BringUpError as error:
        job.failure = str(error)
    except Exception as error:  # noqa: BLE001 - one NIC of twelve; the others go on
        job.failure = f"{job.step or 'start'} failed: {error!r}"
    job.done = True
    clock.progress()
    _wake(wake)


def _wake(wake: int) -> None:
    try:
        os.write(wake, b"x")
    except BlockingIOError:
        pass  # so full that the main thread wakes anyway


def _set_mac(job: Job, mac: Mac, device: Device) -> None:
    reason = mac.why_unusable()
    try:
        if reason:
            raise InterfaceError(f"{reason}: no card takes it")
        set_mac(device.ifindex, mac)
        job.mac_set = job.touched = True
    except InterfaceError as error:
        job.failure = f"setting the MAC of {device.interface} failed: {error}"


def _time_is_over(jobs: list[Job], console: Console, clock: Clock) -> None:
    """Say of each unfinished NIC where it stands."""
    for job in jobs:
        step = job.step or plan.APPEAR
        said = f"{plan.describe(step, job.nic)}: gave up after {clock.waited():.0f} s"
        if step == plan.UDEV:
            console.warning(f"{job.nic.bus_id}: {said}; {plan.look_at(step, job.nic)}")
        else:
            job.failure = f"{said}; {plan.look_at(step, job.nic)}"


def _last_look(jobs: list[Job], tree: Sysfs, console: Console, clock: Clock) -> None:
    """Set the MACs that somebody changed after we were done, or that udev kept us waiting for."""
    for _ in range(_ROUNDS):
        wrong = []
        for job in jobs:
            device = tree.device(job.nic.bus_id)
            if job.nic.mac is None or device.mac is None or job.failure:
                continue
            if not plan.wrong_mac(job.nic, device):
                continue
            if job.done or not job.step:
                console.warning(
                    f"{job.nic.bus_id}: somebody changed the MAC of {device.interface} to "
                    f"{device.mac}; setting it back"
                )
            wrong.append((job, job.nic.mac, device))
        if not wrong:
            return
        _set_in_time(wrong, clock)


def _set_in_time(wrong: list[tuple[Job, Mac, Device]], clock: Clock) -> None:
    """Set MACs, but don't wait past the end of all time for a card that does not answer."""
    import threading

    for job, mac, device in wrong:
        thread = threading.Thread(target=_set_mac, args=(job, mac, device), daemon=True)
        thread.start()
        thread.join(max(1.0, clock.left()))
        if thread.is_alive():
            job.failure = f"{plan.describe(plan.MAC, job.nic)}: the card does not answer"


def _report(job: Job, named: bool, tree: Sysfs, console: Console) -> bool:
    """Say what became of a NIC, and whether it is as wanted."""
    nic = job.nic
    device = tree.device(nic.bus_id)
    ignored = any(map(tree.ignored, device.missing))
    reason = job.failure or "; ".join(plan.differences(nic, device, ignored))
    if reason:
        console.error(f"{nic.bus_id}: {reason}")
        return False
    done = "configured" if job.touched else "already right"
    whose = ", MAC set by dpm-guest" if job.mac_set else ""
    port = f"port {device.port}, " if device.port is not None else ""
    master = f", port of {device.master}, whose MAC it has" if device.master else ""
    why = "" if named else "; nobody names it, so these are its port and MAC until the next start"
    console.notice(
        f"{nic.bus_id} {device.interface}: {port}MAC {device.mac}: {done}{whose}{master}{why}"
    )
    return True


def _write_markers(nics: tuple[NicParams, ...], console: Console) -> None:
    """Let the rules know the NICs. The files are empty: those fit into a full ``/run``, too."""
    for nic in nics:
        touch(f"{MARKERS}/{nic.bus_id}", f"{nic.bus_id}, when it comes back,", console)


def touch(path: str, whose: str, console: Console) -> None:
    """Make a marker. Where that is not possible, say who will be left alone."""
    try:
        os.makedirs(MARKERS, exist_ok=True)
        with open(path, "w", encoding="ascii"):
            pass
    except OSError as error:
        console.warning(f"{whose} will be left alone: {error.filename}: {words(error)}")
