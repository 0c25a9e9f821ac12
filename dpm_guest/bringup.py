"""One NIC from what it is to a device that is online with an interface, step by step.

Each turn reads what is, asks `plan.next_step` and does that one step. So it starts from any state,
and what somebody else does meanwhile (dracut, udev, an administrator) is simply the next reading.
"""

from __future__ import annotations

import os
import threading
import time

from dpm_guest import plan, sysfs
from dpm_guest.bootparams import NicParams
from dpm_guest.console import Console, words
from dpm_guest.errors import DpmGuestError
from dpm_guest.process import run
from dpm_guest.sysfs import Device, Sysfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# How often a refused step is tried. Right after an ungroup, `group` gives EINVAL as long as udevd
# works on the old device (20 ms were enough every time); 40 tries are some 3 s. A card that
# refused to come online has been asked three times by the kernel itself.
_TRIES = {plan.GROUP: 40, plan.ONLINE: 1}
_OTHER_TRIES = 3
# Steps of which nobody needs more; past them somebody undoes what we do.
_MOST_STEPS = 200
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.1
# Seconds for udev to load the driver of a device, where we may not.
_UDEV_LOADS = 10.0


class BringUpError(DpmGuestError):
    """A NIC could not be brought up; the text names step, reason and what to look at."""


class Stopped(Exception):
    """The time is over; nothing more may be touched."""


class Shared:
    """What the NICs of one run have in common.

    Attributes:
        listening: set once udev's events are listened to; nothing comes online before
        named: for each NIC, set when udev has finished with its interface
        stop: set when the time is over
    """

    def __init__(self, nics: Iterable[NicParams], tree: Sysfs, console: Console) -> None:
        self.tree = tree
        self.console = console
        self.listening = threading.Event()
        self.named = {nic.bus_id: threading.Event() for nic in nics}
        self.stop = threading.Event()
        self.modules = threading.Lock()

    def pause(self, seconds: float) -> None:
        """Wait a while; `Stopped` is raised where the time is over."""
        if self.stop.wait(seconds):
            raise Stopped

    def wait_for(self, event: threading.Event) -> None:
        """Wait for an event; `Stopped` is raised where the time is over before."""
        while not event.wait(_LONGEST_PAUSE):
            self.pause(0)


def bring_up(nic: NicParams, shared: Shared, progress: Callable[[str], None]) -> Device:
    """Bring a NIC up; returns when it is online and has an interface.

    Args:
        progress: called with each new step before it is done

    Returns:
        The device as it is then.

    Raises:
        BringUpError: a step failed for good.
        Stopped: the time was over before the NIC was up.
    """
    (step, device), tries = _look(nic, shared.tree), 0
    for _ in range(_MOST_STEPS):
        if step is None:
            return device
        if tries == 0:
            shared.console.step(f"{nic.bus_id}: {plan.describe(step, nic)}")
            progress(step)
        reason = "the kernel took it, and nothing changed"
        try:
            _do(step, nic, shared)
        except OSError as error:
            reason = words(error)
        after, device = _look(nic, shared.tree)
        if after != step:  # done, by us or by somebody else
            step, tries = after, 0
            continue
        tries += 1
        if tries >= _TRIES.get(step, _OTHER_TRIES):
            raise BringUpError(f"{plan.describe(step, nic)} failed: {reason}", plan.cure(step, nic))
        shared.pause(min(_FIRST_PAUSE * 1.5**tries, _LONGEST_PAUSE))
    raise BringUpError("somebody else changes the device all the time")


def _look(nic: NicParams, tree: Sysfs) -> tuple[str | None, Device]:
    """The next step, and the device that it follows from."""
    device = tree.device(nic.bus_id)
    if not plan.is_network_device(device):
        raise BringUpError(f"it is no network device but {device.kind}")
    return plan.next_step(nic, device), device


def _do(step: str, nic: NicParams, shared: Shared) -> None:
    """Do one step, or wait for it.

    Raises:
        OSError: the kernel refused.
        BringUpError: the driver is missing.
        Stopped: the time is over.
    """
    tree = shared.tree
    group = tree.group(nic.bus_id)
    shared.pause(0)
    if step in (plan.APPEAR, plan.INTERFACE):
        if step == plan.APPEAR:
            _free(nic, shared)
        while _look(nic, tree)[0] == step:
            shared.pause(_LONGEST_PAUSE)
    elif step == plan.GROUP:
        holder = tree.holder(nic.bus_id)
        if holder:
            raise BringUpError(
                f"its devices belong to the device {holder} already",
                f"if nobody needs that one, write 1 to /sys/bus/ccwgroup/devices/{holder}/ungroup",
            )
        _load_qeth(shared)
        sysfs.write(f"{tree.qeth_driver}/group", ",".join(nic.bus_id.triple))
    elif step == plan.OFFLINE:
        sysfs.write(f"{group}/online", "0")
    elif step == plan.LAYER2:
        sysfs.write(f"{group}/layer2", "1")
    elif step == plan.PORT:
        sysfs.write(f"{group}/portno", str(nic.port))
    elif step == plan.ONLINE:
        shared.wait_for(shared.listening)
        sysfs.write(f"{group}/online", "1")


def _free(nic: NicParams, shared: Shared) -> None:
    """Take a NIC's ids off the list of ignored devices and wait until the kernel has looked.

    The write to ``cio_ignore`` returns before the devices are there; ``cio_settle`` waits for them
    (``drivers/s390/cio/blacklist.c``, ``css.c``).
    """
    ids = nic.bus_id.triple
    if any(shared.tree.ignored(bus_id) for bus_id in ids):
        shared.console.step(f"{nic.bus_id}: freeing {ids[0]}-{ids[2]} from cio_ignore")
        sysfs.write(f"{shared.tree.proc}/cio_ignore", f"free {ids[0]}-{ids[2]}")
        sysfs.write(f"{shared.tree.proc}/cio_settle", "1")


def _load_qeth(shared: Shared) -> None:
    """Load the driver; the kernel itself loads ``qeth_l2`` when ``layer2`` is written.

    In our units nobody may load modules: ``modprobe@qeth.service`` has done it before. Where that
    one is masked, udev does, for a device that has been found.

    Raises:
        BringUpError: there is no such module, or it can't be loaded.
    """
    with shared.modules:
        if os.path.isdir(shared.tree.qeth_driver):
            return
        shared.console.step("loading qeth")
        code = run("modprobe", "qeth")
    end = time.monotonic() + _UDEV_LOADS
    while not os.path.isdir(shared.tree.qeth_driver):
        if time.monotonic() > end:
            raise BringUpError(
                f"loading the module qeth failed (modprobe ended with {code})",
                "is it in the image? see 'modinfo qeth'",
            )
        shared.pause(_LONGEST_PAUSE)
