"""The one door to other programs."""

from __future__ import annotations

import os


class Process:
    """A program that was started, with our standard error.

    Not ``subprocess``: importing that takes as long as starting Python.
    """

    def __init__(self, *argv: str) -> None:
        self._pid = 0
        try:
            self._pid = os.posix_spawnp(argv[0], argv, os.environ)
        except OSError:
            pass  # reported as the shell does, by its exit code

    def wait(self) -> int:
        """Wait for its end; its exit code, or 127 where there is no such program."""
        if not self._pid:
            return 127
        _, status = os.waitpid(self._pid, 0)
        return os.waitstatus_to_exitcode(status)


def run(*argv: str) -> int:
    """Run a program to its end; its exit code, or 127 where there is no such program."""
    return Process(*argv).wait()
