"""NICs brought to their wanted state side by side.

Threads bring the devices up, all at once, because a card takes its time to answer. The main
thread listens to udev meanwhile and gives each interface its MAC when udev has finished with it.
"""

from __future__ import annotations

import os
import time

from dpm_guest import mac, plan
from dpm_guest.bootparams import NicParams
from dpm_guest.console import Console
from dpm_guest.markers import mark
from dpm_guest.outcome import gave_up, tell
from dpm_guest.sysfs import Sysfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from dpm_guest.bringup import Shared
    from dpm_guest.wanted import Wanted


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
    links_changed = mac.tell_udev([job.nic for job in jobs], console)
    to_do = [job for job in jobs if not plan.is_right(job.nic, tree.device(job.nic.bus_id))]
    if to_do:
        _work(to_do, links_changed, tree, console, clock)
    # From its marker on, a NIC that udev announces gets its MAC by 80-dpm-guest.rules; one that was
    # announced before is seen by the last look. In another order a change between the two would be
    # seen by nobody.
    for nic in named:
        mark(nic.bus_id, f"{nic.bus_id}, when it comes back, will be left alone", console)
    mac.last_look(jobs, tree, console, clock)
    return tuple(job.nic for job in jobs if not tell(job, job.nic in named, tree, console))


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
            gave_up([job for job in to_do if not job.done], console, clock.waited())
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
        if plan.wrong_mac(job.nic, device):
            progress(plan.MAC)
            mac.put_right(job, device)
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
