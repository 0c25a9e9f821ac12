"""The integrated ASCII consoles of partitions: their tickets, and what is at their other end.

"Get ASCII Console WebSocket URI" answers with a URI that is the ticket: whoever connects to it is
at the console, and sends no header of a session (zhmcclient 1.26, ``_os_console.py``, `connect`).
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import threading
from dataclasses import dataclass, field
from typing import Protocol

from dpm_lab.hmc.api.resources import Resource

#: What a websocket's URI begins with (zhmcclient 1.26, ``_partition.py``, `create_os_websocket`).
PATH = "/api/websock/"
_PIECE = 4096


class Terminal(Protocol):
    """An ASCII console of a partition, as one who is at it has it."""

    def fileno(self) -> int:
        """Return what can be waited for: there is something to `read`."""

    def read(self) -> bytes:
        """Return what the console has said; nothing: it has ended."""

    def write(self, data: bytes) -> None:
        """Type something."""

    def close(self) -> None:
        """Leave it."""


@dataclass(eq=False)
class Ticket:
    """Leave to be at a partition's console once, for the session that asked for it."""

    token: str
    session: str
    partition: str


@dataclass
class AsciiConsoles:
    """Who may be, and who is, at which console. To be used with the lock of the tree held."""

    tickets: dict[str, Ticket] = field(default_factory=dict)
    open: list[Ticket] = field(default_factory=list)

    def clear(self) -> None:
        """Forget all; who is at a console is cut off."""
        self.tickets.clear()
        self.open.clear()

    def issue(self, session: str, partition: str) -> str:
        """Return the URI of a new ticket."""
        ticket = Ticket(secrets.token_hex(24), session, partition)
        self.tickets[ticket.token] = ticket
        return f"{PATH}{ticket.token}/1"

    def is_taken(self, partition: str, one_per_hmc: bool) -> bool:
        """Return whether somebody is there where only one can be."""
        return any(one_per_hmc or each.partition == partition for each in self.open)

    def take(self, path: str) -> Ticket | None:
        """Return the ticket of a URI, which is worth nothing from then on."""
        token, _, number = path.removeprefix(PATH).partition("/")
        return self.tickets.pop(token, None) if number == "1" else None

    def sit_down(self, ticket: Ticket) -> None:
        """Note that somebody is at a console."""
        self.open.append(ticket)

    def give_back(self, ticket: Ticket) -> None:
        """Note that nobody is at a console any more."""
        with contextlib.suppress(ValueError):
            self.open.remove(ticket)


class ImitatedTerminal:
    """What a partition without a guest has: a login that echoes each line, and never ends."""

    def __init__(self, partition: Resource) -> None:
        self._near, self._far = socket.socketpair()
        self._prompt = f"\r\n{partition.name} login: ".encode()
        self._line = b""
        self._lock = threading.Lock()
        self._say(self._prompt)

    def fileno(self) -> int:
        """Return what can be waited for."""
        return self._near.fileno()

    def read(self) -> bytes:
        """Return what it has said."""
        return self._near.recv(_PIECE)

    def write(self, data: bytes) -> None:
        """Show each key; at the end of a line, say what it was."""
        with self._lock:
            for key in (data[at : at + 1] for at in range(len(data))):
                if key in b"\r\n":
                    line, self._line = self._line, b""
                    if line:
                        self._say(b"\r\n" + b"the lab imitates a console; you typed: " + line)
                    self._say(self._prompt)
                else:
                    self._line += key
                    self._say(key)

    def close(self) -> None:
        """End it."""
        self._near.close()
        self._far.close()

    def _say(self, data: bytes) -> None:
        # Who does not read loses what has no room.
        with contextlib.suppress(BlockingIOError):
            self._far.send(data, socket.MSG_DONTWAIT)
