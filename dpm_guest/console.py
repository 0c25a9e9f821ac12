"""What the agent says, and how loud: lines that a person at the console understands."""

from __future__ import annotations

import errno
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

ERROR, WARNING, NOTICE, DEBUG = 3, 4, 5, 7  # the journal's priorities, sd-daemon(3)


class Console:
    """Writes lines to standard error, with the journal's priority where the journal reads them.

    systemd sets JOURNAL_STREAM for what it starts and strips the ``<3>`` before it shows a line.
    """

    def __init__(self, verbose: bool = False) -> None:
        self.verbose = verbose
        self._prefixed = "JOURNAL_STREAM" in os.environ

    def error(self, text: str) -> None:
        self._say(ERROR, text)

    def warning(self, text: str) -> None:
        self._say(WARNING, text)

    def notice(self, text: str) -> None:
        self._say(NOTICE, text)

    def step(self, text: str) -> None:
        """A detail that is only shown with ``--verbose``."""
        if self.verbose:
            self._say(DEBUG, text)

    def _say(self, priority: int, text: str) -> None:
        prefix = f"<{priority}>" if self._prefixed else "dpm-guest: "
        try:
            # One write a line: several threads speak.
            sys.stderr.write(f"{prefix}{text}\n")
            sys.stderr.flush()
        except OSError:
            # A full disk, or a journal that is gone: no reason to leave a NIC half way.
            discard(sys.stderr)


def discard(stream: TextIO) -> None:
    """Have what is in a stream's buffer, and what is still written to it, go nowhere."""
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, stream.fileno())
    os.close(sink)


def words(error: OSError) -> str:
    """An errno in words and by name: ``Invalid argument (EINVAL)``."""
    if error.errno is None:
        return str(error)
    name = errno.errorcode.get(error.errno, str(error.errno))
    return f"{os.strerror(error.errno)} ({name})"
