"""What runs on this machine, on which other tests begin and end theirs meanwhile."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psutil


def command_lines() -> dict[int, str]:
    """Return the command lines of all processes, by their ids."""
    found = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            found[process.pid] = " ".join(process.cmdline())
    return found


def is_over(pid: int) -> bool:
    """Whether there is no such process, or only its exit status."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def loop_files() -> list[str]:
    """Return the files that are behind loop devices."""
    found = []
    for path in Path("/sys/block").glob("loop*/loop/backing_file"):
        with suppress(OSError):
            found.append(path.read_text(errors="replace").strip())
    return found


def mounts() -> list[str]:
    """Return the lines of this thread's table of mounts; their places may have any bytes."""
    table = Path("/proc/thread-self/mountinfo").read_text("utf-8", errors="replace")
    return table.split("\n")
