"""Tells the person who waits what is going on and for how long."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

from dpm_lab.plain import plain

#: Without a terminal, how often a line says that it goes on.
HEARTBEAT_SECONDS = 30.0


class Progress:
    """Lines that stay, and on a terminal one line below them that keeps changing."""

    def __init__(self, stream: TextIO | None = None, *, quiet: bool = False) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._quiet = quiet
        self._terminal = self._stream.isatty()
        self._start = time.monotonic()
        self._last = self._start
        self._status = False

    @property
    def seconds(self) -> float:
        """How long it has been going on."""
        return time.monotonic() - self._start

    def restart(self) -> None:
        """Count from now on."""
        self._start = self._last = time.monotonic()

    def line(self, text: str) -> None:
        """Show a line that stays."""
        if self._quiet:
            return
        self.clear()
        self._last = time.monotonic()
        print(f"[{self.seconds:5.0f} s] {plain(text)}", file=self._stream, flush=True)

    def status(self, text: str) -> None:
        """Show what is going on just now; call it often."""
        now = time.monotonic()
        if self._quiet:
            return
        if self._terminal:
            if now - self._last < 0.5:
                return
            width = shutil.get_terminal_size().columns - 1
            shown = f"\r\x1b[K[{self.seconds:5.0f} s] {plain(text)}"[: width + 4]
            print(shown, end="", file=self._stream)
            self._stream.flush()
            self._status = True
            self._last = now
        elif now - self._last >= HEARTBEAT_SECONDS:
            self.line(text)

    def clear(self) -> None:
        """Take the changing line away."""
        if self._status:
            print("\r\x1b[K", end="", file=self._stream, flush=True)
            self._status = False
