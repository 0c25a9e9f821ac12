"""Time for the driver in which a pause takes none."""

from __future__ import annotations

import threading
import time

_BLINK = 0.002
_FASTER = 300


class HastyTime:
    """A `dpm_hmc.clock.Clock`: each thread's time jumps ahead where it would sleep.

    So the driver's pace and its time-outs are the true ones, counted in its own time, and a test
    that waits for a time-out takes little more than the requests in it.
    """

    def __init__(self) -> None:
        self._local = threading.local()

    def monotonic(self) -> float:
        """Return this thread's time."""
        return time.monotonic() + float(getattr(self._local, "ahead", 0.0))

    def sleep(self, seconds: float) -> None:
        """Let the HMC's other threads run, and jump.

        A long pause is not quite none: a busy machine must get the lab's jobs done before a
        time-out of five minutes is over in this time.
        """
        self._local.ahead = getattr(self._local, "ahead", 0.0) + seconds
        time.sleep(max(_BLINK, seconds / _FASTER))


HASTY = HastyTime()
"""What tests hand in as the clock."""
