"""The files below ``/run/dpm-guest``: what is left for others to know, in empty files.

Empty ones fit into a full ``/run``, too.
"""

from __future__ import annotations

import os

from dpm_guest.console import Console, words
from dpm_guest.sysfs import bus_ids_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from dpm_guest.ids import CcwId

FOLDER = "/run/dpm-guest"
"""A file for each NIC, named by its bus id. ``80-dpm-guest.rules`` acts only on devices that have
one, so that nothing is started a device while the boot's command is still at work."""

BOOT_IS_DONE = "done"
"""Made when all NICs of the boot were seen to; what comes from then on has come later. Not where
nothing is to be done with devices that come and have no marker, so that udev starts nothing."""

RETRY = "retry"
"""A folder with a file for each NIC that is left to be tried again."""


def mark(name: str, otherwise: str, console: Console) -> bool:
    """Make a file; where that is not possible, say what will not happen, and return False."""
    path = f"{FOLDER}/{name}"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="ascii"):
            return True
    except OSError as error:
        console.warning(f"{otherwise}: {error.filename}: {words(error)}")
        return False


def remember(bus_ids: Iterable[CcwId], console: Console) -> bool:
    """Leave NICs to be tried again; say whether there are any."""
    there = [mark(f"{RETRY}/{one}", f"{one}: will not be tried again", console) for one in bus_ids]
    if any(there):
        os.chmod(f"{FOLDER}/{RETRY}", 0o755)  # for `status`, whose user may be anybody
    return any(there)


def forget(bus_ids: Iterable[CcwId]) -> None:
    """Take NICs off the list of those that are to be tried again."""
    for bus_id in bus_ids:
        try:
            os.unlink(f"{FOLDER}/{RETRY}/{bus_id}")
        except OSError:
            pass  # it was not on it


def remembered() -> tuple[CcwId, ...]:
    """The NICs that are to be tried again."""
    return tuple(bus_ids_in(f"{FOLDER}/{RETRY}"))
