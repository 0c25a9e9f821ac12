"""Our end of a guest's ASCII console: who is at it, and what is typed there."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path

_PIECE = 4096


class Seat:
    """A place at a console, from the moment on that it is taken: nothing from before is shown.

    Args:
        write: types something at the console
        left: is called with the far end of what is shown here when the place is left
    """

    def __init__(
        self, write: Callable[[bytes], None], left: Callable[[socket.socket], None]
    ) -> None:
        self._near, self.far = socket.socketpair()
        self._write = write
        self._left = left

    def fileno(self) -> int:
        """Return what can be waited for: there is something to `read`."""
        return self._near.fileno()

    def read(self) -> bytes:
        """Return what the console has said; nothing: it has ended."""
        return self._near.recv(_PIECE)

    def write(self, data: bytes) -> None:
        """Type something."""
        self._write(data)

    def close(self) -> None:
        """Leave the place."""
        self._left(self.far)
        self._near.close()


class Line:
    """A socket that QEMU comes to, with what its console says; read all the time.

    QEMU waits for a reader that is slow, and the guest with it, so nobody at the console is waited
    for: who does not read loses what has no room.

    Args:
        path: of the socket
    """

    def __init__(self, path: Path) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._lock = threading.Lock()
        self._guest: socket.socket | None = None
        self._seats: set[socket.socket] = set()
        self._closed = False
        self._thread = threading.Thread(target=self._read, name="guest-console", daemon=True)
        self._thread.start()

    def seat(self) -> Seat | None:
        """Take a place at the console; None: it has ended."""
        with self._lock:
            if self._closed:
                return None
            seat = Seat(self.write, self._leave)
            self._seats.add(seat.far)
            return seat

    def write(self, data: bytes) -> None:
        """Type something; a guest that does not read it loses it."""
        with self._lock:
            if self._guest is not None and not self._closed:
                with contextlib.suppress(OSError):
                    self._guest.send(data, socket.MSG_DONTWAIT)

    def close(self) -> None:
        """Hang up."""
        with self._lock:
            self._closed = True
            for each in (self._listener, self._guest):
                if each is not None:
                    with contextlib.suppress(OSError):
                        each.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def _leave(self, far: socket.socket) -> None:
        with self._lock:
            self._seats.discard(far)
            far.close()

    def _read(self) -> None:
        with self._listener, contextlib.suppress(OSError):
            guest, _ = self._listener.accept()
            with guest:
                with self._lock:
                    self._guest = guest
                while not self._closed and (data := guest.recv(_PIECE)):
                    self._show(data)
        with self._lock:
            self._closed = True
            self._guest = None
            for each in self._seats:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def _show(self, data: bytes) -> None:
        with self._lock:
            for each in self._seats:
                with contextlib.suppress(OSError):
                    each.send(data, socket.MSG_DONTWAIT)
