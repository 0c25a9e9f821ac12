"""The host's end of the port that a guest's program answers over: a socket that QEMU comes to."""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PIECE = 2**16


class Port:
    """Requests go out and answers come in, as far as the other side takes and gives them."""

    def __init__(self, path: Path) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._listener.setblocking(False)
        self._connection: socket.socket | None = None
        self._unsent = b""

    def send(self, **request: object) -> None:
        """Send a request, in a line of JSON, when the other side takes it."""
        self._unsent += json.dumps(request).encode() + b"\n"

    def read(self) -> Iterator[bytes]:
        """Yield what has come, in pieces."""
        with suppress(BlockingIOError):
            if self._connection is None:
                self._connection, _ = self._listener.accept()
                self._connection.setblocking(False)
        if self._connection is None:
            return
        # Whoever has hung up has ended, which is seen from the process.
        with suppress(BlockingIOError, ConnectionError):
            while self._unsent:
                self._unsent = self._unsent[self._connection.send(self._unsent) :]
        with suppress(BlockingIOError, ConnectionError):
            while data := self._connection.recv(_PIECE):
                yield data
            self._connection.close()
            self._connection = None

    def wait(self, seconds: float) -> None:
        """Wait until something comes, but no longer than that."""
        select.select([self._connection or self._listener], [], [], seconds)

    def close(self) -> None:
        """Hang up."""
        self._listener.close()
        if self._connection is not None:
            self._connection.close()
