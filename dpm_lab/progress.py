"""Tells the person who waits what is going on and for how long."""

from __future__ import annotations

import sys
import time
from typing import TextIO


class Progress:
    """Lines with the seconds since the start, on standard error."""

    def __init__(self, stream: TextIO | None = None, *, quiet: bool = False) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._quiet = quiet
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long it has been going on."""
        return time.monotonic() - self._start

    def line(self, text: str) -> None:
        """Show a line."""
        if not self._quiet:
            print(f"[{self.seconds:5.0f} s] {text}", file=self._stream, flush=True)
