"""A TLS socket that is listened on: one thread a connection, plain sockets and threads only."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable

from dpm_lab.hmc.errors import StartError

#: Most connections at a time; each has a thread, or two. One more is closed as soon as it is there.
MOST_CONNECTIONS = 256

_HANDSHAKE = 30.0  # seconds
_DAY = 86400.0  # seconds


class Listener:
    """Hands each connection to `serve`, in a thread of its own, and closes it afterwards.

    It is plain enough to work in a process that eventlet has patched.
    """

    def __init__(
        self,
        host: str,
        port: int,
        context: ssl.SSLContext,
        serve: Callable[[ssl.SSLSocket], object],
    ) -> None:
        """Begin to listen.

        Args:
            port: 0: any that is free

        Raises:
            StartError: the port cannot be had
        """
        self._context = context
        self._serve = serve
        self._closing = False
        self._connections: set[ssl.SSLSocket] = set()
        self._lock = threading.Lock()
        self._room = threading.Semaphore(MOST_CONNECTIONS)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
        except OSError as error:
            self._socket.close()
            raise StartError(
                f"port {port} of {host} cannot be had: {error.strerror}; choose another"
            ) from error
        self._socket.listen(128)
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, name="hmc-accept", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening and cut all connections."""
        self._closing = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # close() alone does not wake accept()
        self._thread.join()  # before close(), after which eventlet's accept() never wakes
        self._socket.close()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._closing:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                continue
            if not self._room.acquire(blocking=False):
                connection.close()
                continue
            threading.Thread(
                target=self._connected, args=(connection,), name="hmc-client", daemon=True
            ).start()

    def _connected(self, plain: socket.socket) -> None:
        try:
            self._speak(plain)
        finally:
            self._room.release()

    def _speak(self, plain: socket.socket) -> None:
        # Plain HTTP, an unknown CA, a client that goes away: its own affair.
        with contextlib.suppress(OSError), plain:
            plain.settimeout(_HANDSHAKE)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._context.wrap_socket(plain, server_side=True) as connection:
                connection.settimeout(_DAY)
                with self._lock:
                    self._connections.add(connection)
                try:
                    self._serve(connection)
                except ValueError:
                    # What reading from a TLS socket raises that close() has shut down.
                    if not self._closing:
                        raise
                finally:
                    with self._lock:
                        self._connections.discard(connection)
