"""The one door to other programs."""

from __future__ import annotations

import os


def run(*argv: str) -> int:
    """Run a program to its end, with our standard error; its exit code, or 127 if it is missing.

    Not ``subprocess``: importing that takes as long as starting Python.
    """
    try:
        pid = os.posix_spawnp(argv[0], argv, os.environ)
    except OSError:
        return 127
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)
