"""Things that happen later: jobs that end, volumes that get fulfilled."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
import traceback
from collections.abc import Callable


class Clock:
    """Calls functions at their time, with the lock of the resource tree held. One thread."""

    def __init__(self, lock: threading.RLock, afterwards: Callable[[], None]) -> None:
        self._lock = lock
        self._afterwards = afterwards
        self._condition = threading.Condition()
        self._numbers = itertools.count()
        self._waiting: list[tuple[float, int, Callable[[], None]]] = []
        self._thread: threading.Thread | None = None
        self._closed = False

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Have `call` called in so many seconds."""
        with self._condition:
            entry = (time.monotonic() + seconds, next(self._numbers), call)
            heapq.heappush(self._waiting, entry)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="hmc-clock", daemon=True)
                self._thread.start()
            self._condition.notify()

    def clear(self) -> None:
        """Let nothing of what is waiting happen."""
        with self._condition:
            self._waiting.clear()

    def close(self) -> None:
        """End."""
        with self._condition:
            self._closed = True
            self._waiting.clear()
            self._condition.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._condition:
                if self._closed:
                    return
                now = time.monotonic()
                if not self._waiting or self._waiting[0][0] > now:
                    self._condition.wait(self._waiting[0][0] - now if self._waiting else None)
                    continue
                call = heapq.heappop(self._waiting)[2]
            with self._lock:
                try:
                    call()
                    self._afterwards()
                except Exception:  # noqa: BLE001 - the outermost boundary: what else is waiting must happen
                    traceback.print_exc()
