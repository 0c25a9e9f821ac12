"""Something that is asked for once for all who want to know it at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from dpm_hmc.clock import Clock

Seen = TypeVar("Seen")


class _Flight(Generic[Seen]):
    """A question that is under way, or its answer."""

    def __init__(self, begin: float) -> None:
        self.begin = begin
        self.answer: Future[Seen] = Future()


class Looks(Generic[Seen]):
    """Looks of several threads. No lock is held while one of them looks.

    Args:
        look: returns what is there now
        clock: by which a look grows old
    """

    def __init__(self, look: Callable[[], Seen], clock: Clock) -> None:
        self._look = look
        self._clock = clock
        self._flight: _Flight[Seen] | None = None
        self._lock = threading.Lock()

    def get(self, max_age: float = 0.0) -> Seen:
        """Return what is there; a look of another thread counts if it is young enough.

        Raises:
            Exception: what `look` raised.
        """
        now = self._clock.monotonic()
        with self._lock:
            flight = self._flight
            is_ours = flight is None or flight.begin < now - max_age
            if flight is None or is_ours:
                flight = self._flight = _Flight(now)
        if is_ours:
            self._fly(flight)
        return flight.answer.result()

    def forget(self) -> None:
        """Have no look that has begun until now answer anybody who asks from now on."""
        with self._lock:
            self._flight = None

    def _fly(self, flight: _Flight[Seen]) -> None:
        try:
            flight.answer.set_result(self._look())
        except BaseException as error:
            with self._lock:
                if self._flight is flight:
                    self._flight = None  # who asks next looks again
            flight.answer.set_exception(error)
            raise
