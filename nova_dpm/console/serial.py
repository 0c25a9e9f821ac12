"""Serial consoles: between nova-serialproxy, which speaks plain TCP, and the HMC's websockets.

nova-serialproxy asks for the port of a server's console (``get_serial_console``) when a user wants
its URL, asks again when the user comes, to see that the port is still that server's
(``nova/compute/manager.py``, ``validate_console_port``), and connects at once
(``nova/console/websocketproxy.py``, ``new_websocket_client``). So a server keeps its port, and the
port is listened on for a while after each question only. Whoever reaches it in that while is at the
console: it must be reached by the proxies alone.
"""

from __future__ import annotations

import codecs
import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from nova import exception
from nova.console import serial
from oslo_log import log

from dpm_hmc.clock import Clock
from dpm_hmc.console import AsciiConsole
from dpm_hmc.errors import ConflictError, HmcError, LogonError, NotFoundError, UnreachableError
from dpm_hmc.session import FIRST_PAUSE
from dpm_hmc.settings import HmcSettings

LOG = log.getLogger(__name__)

LISTENS = 60.0
"""Seconds for which a port is listened on after Nova has asked for it."""

LEAVING = 5.0
"""Seconds in which one client has to leave to make room for the next."""

_TRIES = 5
"""Ports that are tried, where other programs take them."""
_PIECE = 4096
_MOST = 4
"""Clients of one server, all but one of which wait."""
_CLIENT_TIMEOUT = 30.0
"""Seconds in which a client has to take what it is sent."""
_END = 5.0
"""Seconds for which the end of a thread is waited for; one that logs on may take longer."""


Open = Callable[[str, Callable[[], bool]], AbstractContextManager[AsciiConsole]]
"""Opens the console of a server: its uuid, and whether it has been given up meanwhile."""


class SerialConsoles:
    """The serial consoles of a host's servers.

    Args:
        settings: how the HMC is reached
        partition_uri: finds the partition of a server
        host: address that is listened on
        clock: for pauses and time-outs of the logon
        listens: seconds for which a port is listened on
    """

    def __init__(
        self,
        settings: HmcSettings,
        partition_uri: Callable[[str], str],
        host: str,
        clock: Clock = time,
        listens: float = LISTENS,
    ) -> None:
        self._settings = settings
        self._partition_uri = partition_uri
        self._host = host
        self._clock = clock
        self._listens = listens
        self._lock = threading.Lock()
        self._bridges: dict[str, _Bridge] = {}
        self._refused: tuple[LogonError, float] | None = None

    def port(self, uuid: str) -> int:
        """Return the port of a server's console, which is listened on from now on for a while.

        Raises:
            nova.exception.SocketPortRangeExhaustedException: there is no free port.
        """
        with self._lock:
            bridge = self._bridges.pop(uuid, None)
            for _ in range(_TRIES):
                if bridge is None:
                    bridge = _Bridge(uuid, self._host, self._listens, self._console)
                if bridge.listen():
                    self._bridges[uuid] = bridge
                    return bridge.port
                # Another program has taken the port: Nova only looks whether one is free.
                bridge.close()
                bridge = None
            raise exception.SocketPortRangeExhaustedException(host=self._host)

    def end(self, uuid: str) -> None:
        """End the console of a server, and give up its port."""
        with self._lock:
            bridge = self._bridges.pop(uuid, None)
        if bridge is not None:
            bridge.close()

    def close(self) -> None:
        """End all."""
        for uuid in tuple(self._bridges):
            self.end(uuid)

    @contextlib.contextmanager
    def _console(self, uuid: str, given_up: Callable[[], bool]) -> Iterator[AsciiConsole]:
        """Open a console, unless the HMC has refused the user just now.

        An HMC disables a user after a few wrong passwords.
        """
        if self._refused is not None and time.monotonic() < self._refused[1]:
            raise LogonError(self._refused[0].finding, self._refused[0].cure)
        console = AsciiConsole(self._settings, self._partition_uri(uuid), self._clock, given_up)
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(console)
            except LogonError as error:
                self._refused = (error, time.monotonic() + FIRST_PAUSE)
                raise
            yield console


class _Bridge:
    """One server's port.

    Args:
        uuid: of the server
        host: address that is listened on
        listens: seconds for which that is
        console: makes the server's console
    """

    def __init__(self, uuid: str, host: str, listens: float, console: Open) -> None:
        self._uuid = uuid
        self._host = host
        self._listens = listens
        self._console = console
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._until = 0.0
        #: Held by the one client that is at the console.
        self._seat = threading.Lock()
        self._clients: set[socket.socket] = set()
        self._closed = False
        self._threads: set[threading.Thread] = set()
        self.port: int = serial.acquire_port(host)

    def listen(self) -> bool:
        """Listen for a while from now on; return False where the port is another's."""
        with self._lock:
            if self._closed:
                return False
            self._until = time.monotonic() + self._listens
            if self._listener is not None:
                return True
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((self._host, self.port))
                listener.listen(4)
            except OSError as error:
                LOG.warning("Port %s of serial consoles: %s", self.port, error)
                listener.close()
                return False
            self._listener = listener
            self._run(self._accept, listener)
            return True

    def close(self) -> None:
        """Cut off who is at the console, and give up the port."""
        with self._lock:
            self._closed = True
            for each in (self._listener, *self._clients):
                # close() alone wakes nobody who waits for it.
                _shut(each)
            threads = tuple(self._threads)
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(_END)
        serial.release_port(self._host, self.port)

    def _run(self, target: Callable[[socket.socket], None], of: socket.socket) -> None:
        """Have a thread do something, with the lock held."""

        def run() -> None:
            try:
                target(of)
            finally:
                of.close()
                with self._lock:
                    self._clients.discard(of)
                    self._threads.discard(thread)

        thread = threading.Thread(target=run, name=f"serial-{self.port}", daemon=True)
        self._threads.add(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            with self._lock:
                left = self._until - time.monotonic()
                if self._closed or left <= 0:
                    self._listener = None
                    # Before the lock is free: the next one binds the same port.
                    listener.close()
                    return
            try:
                listener.settimeout(left)
                client, _ = listener.accept()
            except OSError:
                continue
            client.settimeout(_CLIENT_TIMEOUT)
            # Else one whose host has died would be at the console for ever.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            with self._lock:
                if self._closed or len(self._clients) == _MOST:
                    client.close()
                else:
                    self._clients.add(client)
                    self._run(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        # A browser that loads the page again leaves and comes at the same time.
        if not self._seat.acquire(timeout=LEAVING):
            _tell(client, "Somebody else is at the console of this server.")
            return
        try:
            if not self._closed:
                self._join(client)
        finally:
            self._seat.release()

    def _join(self, client: socket.socket) -> None:
        try:
            _tell(client, "Waiting for the HMC.")
            with self._console(self._uuid, lambda: self._closed) as console:
                LOG.info("A client is at the serial console", instance_uuid=self._uuid)
                _pump(client, console)
            LOG.info("The client has left the serial console", instance_uuid=self._uuid)
            _tell(client, "The console has ended.")
        except HmcError as error:
            if not self._closed:
                LOG.error("There is no serial console: %s", error, instance_uuid=self._uuid)
            _tell(client, f"There is no console: {_reason(error)}.")
        except OSError as error:
            LOG.info("The serial console's client is gone: %s", error, instance_uuid=self._uuid)
        except Exception:
            # The outermost boundary: a thread that nobody waits for.
            LOG.exception("The serial console failed", instance_uuid=self._uuid)
            _tell(client, "There is no console: an operator finds the reason in a log.")


def _pump(client: socket.socket, console: AsciiConsole) -> None:
    """Carry text both ways until one of them ends. In one thread: a TLS socket is not for two."""
    typed = codecs.getincrementaldecoder("utf-8")(errors="replace")
    both: list[socket.socket | AsciiConsole] = [client, console]
    while True:
        more = console.has_more
        ready = select.select(both, [], [], 0 if more else None)[0]
        if more or console in ready:
            said = console.read()
            if said is None:
                return
            client.sendall(said)
        if client in ready:
            data = client.recv(_PIECE)
            if not data:
                return
            text = typed.decode(data)
            if text:
                console.write(text)


def _reason(error: HmcError) -> str:
    """Return what a user is told, who knows nothing of the HMC."""
    if isinstance(error, ConflictError):
        return "the server does not run, or another console is open on the HMC"
    if isinstance(error, UnreachableError):
        return "no HMC answers, try again when one does"
    if isinstance(error, NotFoundError):
        return "its partition, or its HMC, has none"
    return "an operator finds the reason in the log of nova-compute"


def _tell(client: socket.socket, text: str) -> None:
    with contextlib.suppress(OSError):
        client.sendall(f"\r\n[{text}]\r\n".encode())


def _shut(one: socket.socket | None) -> None:
    if one is not None:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
