"""Time as it is handed in: pauses and time-outs are counted on a clock that a test can move."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """What is used of the module ``time``, which is one."""

    def monotonic(self) -> float:
        """Return the seconds since some point in time."""

    def sleep(self, seconds: float, /) -> None:
        """Wait."""


def pause(clock: Clock, elapsed: float, least: float = 0.1, most: float = 10.0) -> None:
    """Sleep a tenth of the seconds gone by, in bounds."""
    clock.sleep(min(max(elapsed / 10, least), most))
