"""An ASCII console over a websocket: text frames both ways (RFC 6455), spoken by wsproto."""

from __future__ import annotations

import codecs
import contextlib
import select
import ssl
from collections.abc import Callable, Iterable

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    Request,
    TextMessage,
)
from wsproto.utilities import ProtocolError

from dpm_lab.hmc.api.terminals import Terminal

#: Seconds between two looks at whether the one at the console may stay.
_LOOK = 0.2
_PIECE = 1 << 16
#: An endpoint that goes away, and one whose leave has ended (RFC 6455, 7.4.1).
_GOING_AWAY, _POLICY = 1001, 1008


def serve(
    connection: ssl.SSLSocket,
    headers: Iterable[tuple[str, str]],
    path: str,
    terminal: Terminal,
    may_stay: Callable[[], bool],
) -> bool:
    """Be between a websocket and a console until one of them ends.

    Args:
        headers: of the request that asks for the websocket
        may_stay: is asked again and again

    Returns:
        Whether it was a request for a websocket.
    """
    protocol = WSConnection(ConnectionType.SERVER)
    try:
        given = [(name.encode(), value.encode()) for name, value in headers]
        protocol.initiate_upgrade_connection(given, path)
        wanted = [each for each in protocol.events() if isinstance(each, Request)]
    except ProtocolError:
        return False
    if not wanted:
        return False
    connection.sendall(protocol.send(AcceptConnection()))
    # A console that is gone, or one at the other end that is.
    with contextlib.suppress(OSError, ProtocolError):
        code = _pump(connection, protocol, terminal, may_stay)
        if code:
            connection.sendall(protocol.send(CloseConnection(code)))
    return True


def _pump(
    connection: ssl.SSLSocket,
    protocol: WSConnection,
    terminal: Terminal,
    may_stay: Callable[[], bool],
) -> int:
    """Return with which code the websocket is to be closed, 0: it is."""
    text = codecs.getincrementaldecoder("utf-8")(errors="replace")
    while may_stay():
        ready = _ready(connection, terminal)
        if terminal in ready:
            data = terminal.read()
            if not data:
                return _GOING_AWAY
            said = text.decode(data)
            if said:
                connection.sendall(protocol.send(TextMessage(said)))
        if connection in ready:
            data = connection.recv(_PIECE)
            protocol.receive_data(data or None)
            for event in protocol.events():
                if not _heard(connection, protocol, terminal, event):
                    return 0
    return _POLICY


def _ready(connection: ssl.SSLSocket, terminal: Terminal) -> list[ssl.SSLSocket | Terminal]:
    if connection.pending():
        return [connection]
    both: list[ssl.SSLSocket | Terminal] = [connection, terminal]
    return select.select(both, [], [], _LOOK)[0]


def _heard(
    connection: ssl.SSLSocket, protocol: WSConnection, terminal: Terminal, event: Event
) -> bool:
    """Do what a frame says; return whether others may follow."""
    if isinstance(event, TextMessage):
        terminal.write(event.data.encode())
    elif isinstance(event, BytesMessage):
        terminal.write(bytes(event.data))
    elif isinstance(event, Ping):
        connection.sendall(protocol.send(event.response()))
    elif isinstance(event, CloseConnection):
        with contextlib.suppress(OSError, ProtocolError):
            connection.sendall(protocol.send(event.response()))
        return False
    return True
