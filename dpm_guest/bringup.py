"""One NIC from what it is to a device that is online with an interface, step by step.

Each turn reads what is, asks `plan.next_step` and does that one step. So it starts from any state,
and what somebody else does meanwhile (dracut, udev, an administrator) is simply the next reading.
"""

from __future__ import annotations

import os
import threading

from dpm_guest import plan, sysfs
from dpm_guest.bootparams import NicParams
from dpm_guest.console import Console, words
from dpm_guest.errors import DpmGuestError
from dpm_guest.process import run
from dpm_guest.sysfs import Device, Sysfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# How often a refused step is tried. Right after an ungroup, `group` gives EINVAL as long as udevd
# works on the old device (20 ms were enough every time); 40 tries are some 3 s. A card that
# refused to come online has been asked three times by the kernel itself.
_TRIES = {plan.GROUP: 40, plan.ONLINE: 1}
_OTHER_TRIES = 3
# Steps of which nobody needs more; past them somebody undoes what we do.
_MOST_STEPS = 200
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.1


class BringUpError(DpmGuestError):
    """A NIC could not be brought up; the text names step, reason and what to look at."""


class Shared:
    """What the NICs of one run have in common.

    Attributes:
        listening: set once udev's events are listened to; nothing comes online before
        stop: set when the time is over
    """

    def __init__(self, tree: Sysfs, console: Console) -> None:
        self.tree = tree
        self.console = console
        self.listening = threading.Event()
        self.stop = threading.Event()
        self.modules = threading.Lock()


class Stopped(Exception):
    """The time is over; nothing more may be touched."""


def bring_up(nic: NicParams, shared: Shared, progress: Callable[[str], None]) -> None:
    """Bring a NIC up; returns when it is online and has an interface.

    Args:
        progress: called with each new step before it is done

    Raises:
        BringUpError: a step failed for good.
        Stopped: the time was over before the NIC was up.
    """
    last, tries, pause = "", 0, _FIRST_PAUSE
    for _ in range(_MOST_STEPS):
        device = shared.tree.device(nic.bus_id)
        if not plan.is_network_device(device):
            raise BringUpError(f"it is no network device but {device.kind}")
        step = plan.next_step(nic, device)
        if step is None:
            return
        if step != last:
            last, tries, pause = step, 0, _FIRST_PAUSE
            progress(step)
        tries += 1
        try:
            _do(step, nic, device, shared)
        except OSError as error:
            if tries < _TRIES.get(step, _OTHER_TRIES) or _outdated(step, nic, shared.tree):
                _pause(shared, pause)
                pause = min(pause * 1.5, _LONGEST_PAUSE)
                continue
            raise BringUpError(
                f"{plan.describe(step, nic)} failed: {words(error)}; {plan.look_at(step, nic)}"
            ) from error
    raise BringUpError(
        f"{plan.describe(last, nic)} does not last: somebody else changes the device"
    )


def _outdated(step: str, nic: NicParams, tree: Sysfs) -> bool:
    """Whether a refused step is not needed any more, because somebody else did it meanwhile."""
    return plan.next_step(nic, tree.device(nic.bus_id)) != step


def _pause(shared: Shared, seconds: float) -> None:
    if shared.stop.wait(seconds):
        raise Stopped


def _do(step: str, nic: NicParams, device: Device, shared: Shared) -> None:
    tree = shared.tree
    group = tree.group(nic.bus_id)
    shared.console.step(f"{nic.bus_id}: {plan.describe(step, nic)}")
    if shared.stop.is_set():
        raise Stopped
    if step == plan.APPEAR:
        _free(device, shared)
        while plan.next_step(nic, tree.device(nic.bus_id)) == plan.APPEAR:
            _pause(shared, _LONGEST_PAUSE)
    elif step == plan.INTERFACE:
        while plan.next_step(nic, tree.device(nic.bus_id)) == plan.INTERFACE:
            _pause(shared, _LONGEST_PAUSE)
    elif step == plan.GROUP:
        _load_qeth(shared)
        sysfs.write(f"{tree.qeth_driver}/group", ",".join(nic.bus_id.triple))
    elif step == plan.OFFLINE:
        sysfs.write(f"{group}/online", "0")
    elif step == plan.LAYER2:
        sysfs.write(f"{group}/layer2", "1")
    elif step == plan.PORT:
        sysfs.write(f"{group}/portno", str(nic.port))
    elif step == plan.ONLINE:
        while not shared.listening.is_set():
            if shared.stop.is_set():
                raise Stopped
            shared.listening.wait(_LONGEST_PAUSE)
        sysfs.write(f"{group}/online", "1")


def _free(device: Device, shared: Shared) -> None:
    """Take a NIC's ids off the list of ignored devices and wait until the kernel has looked.

    The write to ``cio_ignore`` returns before the devices are there; ``cio_settle`` waits for them
    (``drivers/s390/cio/blacklist.c``, ``css.c``).
    """
    ids = device.bus_id.triple
    if any(shared.tree.ignored(bus_id) for bus_id in ids):
        shared.console.step(f"{device.bus_id}: freeing {ids[0]}-{ids[2]} from cio_ignore")
        sysfs.write(f"{shared.tree.proc}/cio_ignore", f"free {ids[0]}-{ids[2]}")
        sysfs.write(f"{shared.tree.proc}/cio_settle", "1")


def _load_qeth(shared: Shared) -> None:
    """Load the driver; ``qeth_l2`` follows by itself when ``layer2`` is written.

    Raises:
        BringUpError: there is no such module, or it can't be loaded.
    """
    with shared.modules:
        if os.path.isdir(shared.tree.qeth_driver):
            return
        shared.console.step("loading qeth")
        code = run("modprobe", "qeth")
        if code or not os.path.isdir(shared.tree.qeth_driver):
            raise BringUpError(
                f"loading the module qeth failed (modprobe ended with {code}); "
                f"is it in the image? see 'modinfo qeth'"
            )
