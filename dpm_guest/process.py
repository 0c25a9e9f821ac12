"""The one door to other programs."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


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


def output(argv: Sequence[str], seconds: float, most: int) -> tuple[int, bytes]:
    """What a program says, up to a size and a time, and its exit code: 127 where there is none."""
    import select
    import subprocess
    import time

    data, end = b"", time.monotonic() + seconds
    try:
        program = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
    except OSError:
        return 127, b""
    assert program.stdout
    try:
        while len(data) < most and (left := end - time.monotonic()) > 0:
            if select.select([program.stdout], [], [], left)[0]:
                more = os.read(program.stdout.fileno(), most - len(data))
                if not more:
                    return program.wait(max(end - time.monotonic(), 1)), data
                data += more
    except subprocess.TimeoutExpired:
        pass
    finally:
        program.kill()  # does nothing to one that has ended
        program.stdout.close()
    return -9, data
