"""The emulator that guests run in: this machine's QEMU, or a newer one where that one is at fault.

QEMU goes on with code that a guest has overwritten (commit e43ced8be18d, "target/s390x: Fix MVC not
always invalidating translation blocks", has the cause). A kernel that frees the pages of one module
and loads another one into them then runs a mix of both, now and then: an *illegal operation*, and
what waits for modules waits forever. It is fixed in 8.2.9, 9.1.3, 9.2.1 and 10.0; Debian 12 has
7.2, its backports have 10.0.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from dpm_lab import cache
from dpm_lab.debian.archive import Archive
from dpm_lab.debian.releases import BACKPORTS
from dpm_lab.errors import LabError, ToolError
from dpm_lab.guests.qemu import machine as qemu
from dpm_lab.process import ask, run
from dpm_lab.progress import Progress

#: The first sound version of each series that was fixed; later series are.
_FIXED = ((8, 2, 9), (9, 1, 3), (9, 2, 1), (10, 0, 0))
_PACKAGES = (qemu.PROGRAM, "qemu-system-common", "qemu-system-data")


class EmulatorError(LabError):
    """There is no QEMU for s390x here."""


def find(progress: Progress, archive: Archive | None = None) -> Path:
    """Return the QEMU to use.

    Debian's backports are asked for one where this machine's is at fault; what they gave is kept in
    the cache. It is not installed: nothing else on this machine gets to see it.

    Args:
        archive: default: this machine's

    Raises:
        EmulatorError: QEMU is not installed.
    """
    installed = shutil.which(qemu.PROGRAM)
    if installed is None:
        raise EmulatorError(f"{qemu.PROGRAM} is not installed; `make setup` installs it")
    own = Path(installed)
    number = version(own)
    if is_sound(number) or qemu.has_kvm():
        return own
    kept = cache.folder("qemu", BACKPORTS.name)
    fault = f"QEMU {number} runs code that its guest has overwritten, now and then"
    try:
        with cache.made_once(kept) as new:
            if new is not None:
                progress.line(f"{fault}; fetching a newer one from {BACKPORTS.newer}")
                _fetch(new, archive or Archive.own())
    except ToolError as error:
        said = str(error).splitlines()[0]
        progress.line(f"{fault}, and Debian's backports give no newer one: {said}")
        return own
    return _program(kept)


def is_sound(number: str) -> bool:
    """Whether a version runs what its guest has written; an unknown one is taken for sound."""
    numbers = tuple(map(int, re.findall(r"\d+", number)[:3]))
    if not numbers or numbers >= _FIXED[-1]:
        return True
    return any(numbers[:2] == first[:2] and numbers >= first for first in _FIXED)


def version(program: Path) -> str:
    """Return the number of its version; empty where it does not say."""
    answer = ask([program, "-version"])
    found = re.match(r"QEMU emulator version (\S+)", answer.output)
    return found[1] if found else ""


def _program(folder: Path) -> Path:
    # QEMU looks for its firmware beside itself.
    return folder / "usr/bin" / qemu.PROGRAM


def _fetch(folder: Path, archive: Archive) -> None:
    """Unpack a newer QEMU; the libraries that it needs are those of the one that is installed."""
    architecture = run(["dpkg", "--print-architecture"], "is this Debian?").strip()
    packages = archive.fetch(BACKPORTS, architecture, _PACKAGES, folder)
    for package in packages:
        run(["dpkg-deb", "--extract", str(package), str(folder)], "")
        package.unlink()
    run([str(_program(folder)), "-version"], "a library is missing")
