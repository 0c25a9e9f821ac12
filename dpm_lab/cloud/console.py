"""``dpm-lab cloud console``: a terminal at a server's serial console, over nova-serialproxy."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import tty
from collections.abc import Iterator
from pathlib import Path

import websocket

from dpm_lab.cloud.api import Api
from dpm_lab.cloud.things import server_id
from dpm_lab.errors import LabError

#: What ends it, as with telnet: Ctrl-].
ESCAPE = b"\x1d"
_PIECE = 4096
_SECONDS = 60.0


def at_console(api: Api, server: str) -> int:
    """Join this terminal to a server's console until one of them ends.

    Args:
        server: name or id

    Raises:
        LabError: there is no such server, or no console.
    """
    url = console_url(api, server_id(api, server))
    try:
        with contextlib.closing(connected(url)) as console:
            print(f"at the console of {server}; Ctrl-] ends it", file=sys.stderr)
            with _raw(sys.stdin.fileno()):
                _pump(console, sys.stdin.fileno(), sys.stdout.fileno())
    except (websocket.WebSocketException, OSError) as error:
        raise LabError(f"the console of {server}: {error}") from error
    return 0


def console_url(api: Api, server: str) -> str:
    """Return the URL of a server's serial console, which is good for some minutes.

    Raises:
        ApiError: it has none.
    """
    body = {"remote_console": {"protocol": "serial", "type": "serial"}}
    answer = api.post("nova", f"/servers/{server}/remote-consoles", body)
    return str(answer["remote_console"]["url"])


def connected(url: str) -> websocket.WebSocket:
    """Connect to nova-serialproxy, which takes and gives bytes."""
    return websocket.create_connection(
        url, timeout=_SECONDS, subprotocols=["binary"], http_no_proxy=["*"], suppress_origin=True
    )


@contextlib.contextmanager
def _raw(terminal: int) -> Iterator[None]:
    """Have each key come as it is, where it is a terminal."""
    if not os.isatty(terminal):
        yield
        return
    before = termios.tcgetattr(terminal)
    try:
        tty.setraw(terminal)
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
        print(file=sys.stderr)


def _pump(console: websocket.WebSocket, keys: int, screen: int) -> None:
    """Carry bytes both ways. At the end of `keys`, what is still said within a second is shown."""
    waits: list[int | websocket.WebSocket] = [keys, console]
    while True:
        ready = select.select(waits, [], [], None if keys in waits else 1.0)[0]
        if not ready:
            return
        if console in ready:
            code, data = console.recv_data()
            if code == websocket.ABNF.OPCODE_CLOSE:
                return
            os.write(screen, data)
        if keys in ready:
            typed = os.read(keys, _PIECE)
            before, escape, _ = typed.partition(ESCAPE)
            if before:
                console.send_binary(before)
            if escape:
                return
            if not typed:
                waits.remove(keys)


def run(folder: Path, server: str) -> int:
    """Do it for a cloud in a folder."""
    from dpm_lab.cloud.place import Place

    return at_console(Api(Place.read(folder)), server)
