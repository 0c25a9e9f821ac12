"""Which NICs are wanted: those of the kernel command line, then those of files of this system."""

from __future__ import annotations

import os

from dpm_guest.bootparams import NicParams, Parsed, parse
from dpm_guest.errors import DpmGuestError
from dpm_guest.ids import CcwId
from dpm_guest.sysfs import Sysfs, names_in, read

NO_AUTO = "dpm_guest=no-auto"
"""The kernel parameter that keeps the units away from NICs that nobody names."""


_DAMAGED = "a damaged boot parameter may mean it"


class Wanted:
    """What is asked for.

    Attributes:
        nics: the NICs, each devno once: the command line's, then those of files whose device is
            there
        damaged: a sentence for each damaged tuple
        overridden: a sentence for each tuple that another one replaces
        local: the bus ids of those NICs that a file names and the command line does not
        files: whether files name any NIC, there or not
        no_auto: why units leave NICs alone that nobody names, '' where they don't
    """

    def __init__(self, parsed: Parsed, text: str, tree: Sysfs) -> None:
        self.nics = parsed.nics
        self.damaged = parsed.damaged
        self.overridden = parsed.overridden
        self.local: frozenset[CcwId] = frozenset()
        self.files = False
        self.no_auto = ""
        if NO_AUTO in text.split():
            self.no_auto = f"{NO_AUTO} is on the kernel command line"
        elif parsed.damaged:
            self.no_auto = _DAMAGED
        elif not parsed.nics and not _is_dpm(tree):
            self.no_auto = "nothing says that this is a partition in DPM mode"

    def named(self, bus_id: CcwId) -> NicParams | None:
        """The NIC with this bus id."""
        return next((nic for nic in self.nics if nic.bus_id == bus_id), None)

    def owner(self, bus_id: CcwId) -> NicParams | None:
        """The NIC that one of three bus ids belongs to."""
        return next((nic for nic in self.nics if bus_id in nic.bus_id.triple), None)


def read_wanted(cmdline: str, directory: str, tree: Sysfs) -> Wanted:
    """Read the kernel command line and this system's files.

    Raises:
        DpmGuestError: the command line cannot be read.
    """
    try:
        # One character a byte, as the kernel splits the line.
        with open(cmdline, encoding="iso-8859-1") as file:
            text = file.read()
    except OSError as error:
        raise DpmGuestError(f"cannot read {cmdline}: {error.strerror}") from error
    wanted = Wanted(parse(text), text, tree)
    names = [name for name in names_in(directory) if name.endswith(".conf")]
    _add_files(wanted, [f"{directory}/{name}" for name in names], tree)
    return wanted


def _add_files(wanted: Wanted, paths: list[str], tree: Sysfs) -> None:
    """Add what files say. The command line has priority; of the files, the last one.

    A NIC whose device is not there is not missed: the file outlives ``server remove port``.
    """
    found: dict[CcwId, NicParams] = {}
    damaged, overridden = list(wanted.damaged), list(wanted.overridden)
    for path in paths:
        lines = (read(path) or "").splitlines()
        parsed = parse(" ".join(line.partition("#")[0] for line in lines), only_tuples=True)
        damaged += (f"{path}: {text}" for text in parsed.damaged)
        overridden += (f"{path}: {text}" for text in parsed.overridden)
        for nic in parsed.nics:
            if wanted.named(nic.bus_id):
                overridden.append(f"{path}: {str(nic)!r} is overridden by the kernel command line")
            else:
                found[nic.bus_id] = nic
    there = tuple(nic for nic in found.values() if os.path.isdir(tree.ccw(nic.bus_id)))
    wanted.nics += there
    wanted.files = bool(found)
    if damaged and not wanted.no_auto:
        wanted.no_auto = _DAMAGED
    wanted.local = frozenset(nic.bus_id for nic in there)
    wanted.damaged, wanted.overridden = tuple(damaged), tuple(overridden)


def _is_dpm(tree: Sysfs) -> bool:
    """Whether the firmware says that this is a partition in DPM mode, and not a guest in one.

    Only such partitions have a UUID (s390-tools ``zdev/src/zdev_id.c``, process_sysinfo, on which
    ``81-dpm.rules`` relies). In other partitions the devices of a card are an operator's to group.
    """
    lines = (read(f"{tree.proc}/sysinfo") or "").splitlines()
    return any(line.startswith("LPAR UUID:") for line in lines) and not any(
        line.startswith("VM") for line in lines
    )
