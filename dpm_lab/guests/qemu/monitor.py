"""QEMU's monitor: commands go in, answers and events come out (``docs/interop/qmp-spec.rst``)."""

from __future__ import annotations

import json
import select
import socket
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from dpm_lab.errors import GuestError

_PIECE = 2**16

#: A busy machine may take some seconds until QEMU has come so far.
_PATIENCE = 60.0


class MonitorError(GuestError):
    """QEMU refuses a command, or is gone."""


class Monitor:
    """Our end of the monitor: a socket that QEMU comes to. For one thread.

    Args:
        path: of the socket
        gives_up: whether QEMU shall be waited for no longer; asked again and again
    """

    def __init__(self, path: Path, gives_up: Callable[[], bool] = lambda: False) -> None:
        self._gives_up = gives_up
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._listener.settimeout(0.2)
        self._connection: socket.socket | None = None
        self._rest = b""
        self._events: deque[dict[str, Any]] = deque()
        self._open = False

    def greet(self, alive: Callable[[], bool]) -> None:
        """Wait for QEMU, and begin.

        Args:
            alive: whether it can still come

        Raises:
            MonitorError: it does not come.
        """
        deadline = time.monotonic() + _PATIENCE
        while alive() and not self._gives_up() and time.monotonic() < deadline:
            with suppress(TimeoutError):
                self._connection, _ = self._listener.accept()
                self._open = True
                self.send("qmp_capabilities", {})
                return
        raise MonitorError("QEMU does not open its monitor")

    def send(self, command: str, arguments: dict[str, Any]) -> Any:
        """Have QEMU carry out a command; return what it answers.

        Raises:
            MonitorError: it refuses, or is gone.
        """
        if self._connection is None:
            raise MonitorError(f"{command}: the monitor is not open")
        text = json.dumps({"execute": command, "arguments": arguments})
        try:
            self._connection.sendall(text.encode() + b"\n")
        except OSError as error:
            raise MonitorError(f"{command}: QEMU is gone: {error}") from error
        deadline = time.monotonic() + _PATIENCE
        while self._open and not self._gives_up() and time.monotonic() < deadline:
            for message in self._messages(0.2):
                if "return" in message:
                    return message["return"]
                if "error" in message:
                    raise MonitorError(f"{command}: {message['error']['desc']}")
        raise MonitorError(f"{command}: QEMU does not answer")

    def events(self, seconds: float) -> list[dict[str, Any]]:
        """Return what has happened, having waited so long for it."""
        if not self._events:
            for _ in self._messages(seconds):
                pass
        found = list(self._events)
        self._events.clear()
        return found

    def _messages(self, seconds: float) -> list[dict[str, Any]]:
        """Return what has come that is no event; those are kept."""
        if self._connection is None or not self._open:
            time.sleep(min(seconds, 0.1))
            return []
        if not select.select([self._connection], [], [], seconds)[0]:
            return []
        data = b""
        with suppress(ConnectionError):
            data = self._connection.recv(_PIECE)
        if not data:
            self._open = False
        *lines, self._rest = (self._rest + data).split(b"\n")
        found = [json.loads(line) for line in lines if line.strip()]
        self._events.extend(message for message in found if "event" in message)
        return [message for message in found if "event" not in message]

    def close(self) -> None:
        """Hang up."""
        self._listener.close()
        if self._connection is not None:
            self._connection.close()
