"""A TLS connection that one thread reads while another one writes.

OpenSSL's connection is not made for two threads, and Python's ssl module has no lock around it
before 3.14 (CPython, issue 124984): where a read that has to wait meets a write, the reader takes
what became of the write for its own error, and the connection is at its end. So nobody waits inside
OpenSSL here, and a lock is around each call.
"""

from __future__ import annotations

import io
import selectors
import ssl
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class Duplex(io.RawIOBase):
    """Reads and writes a connection, which stays its owner's to close.

    Args:
        connection: nobody else reads or writes it
    """

    def __init__(self, connection: ssl.SSLSocket) -> None:
        super().__init__()
        connection.setblocking(False)
        self._connection = connection
        self._lock = threading.Lock()

    def readable(self) -> bool:
        """Return True, for `io.BufferedReader`."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Wait for bytes, and return how many came; 0: the other side has ended.

        Raises:
            OSError: the connection is broken.
        """
        while True:
            try:
                with self._lock:
                    return self._connection.recv_into(buffer)
            except ssl.SSLWantReadError:
                self._wait(selectors.EVENT_READ)
            except ssl.SSLWantWriteError:
                self._wait(selectors.EVENT_WRITE)

    def send_all(self, content: bytes) -> None:
        """Send all of it.

        Raises:
            OSError: the connection is broken.
        """
        left = memoryview(content)
        while left:
            try:
                with self._lock:
                    sent = self._connection.send(left)
            except ssl.SSLWantWriteError:
                self._wait(selectors.EVENT_WRITE)
            except ssl.SSLWantReadError:
                self._wait(selectors.EVENT_READ)
            else:
                left = left[sent:]

    def _wait(self, event: int) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._connection, event)
            selector.select()
