"""The HMC's message broker: as much of STOMP 1.1 as zhmcclient's clients speak.

There are no heartbeats: the broker says so when a client connects, and stomp.py then does without.
"""

from __future__ import annotations

import contextlib
import io
import json
import queue
import re
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

from dpm_lab.hmc.wire.duplex import Duplex
from dpm_lab.hmc.wire.notifications import Notification
from dpm_lab.hmc.wire.sessions import Sessions

_TOPIC = "/topic/"
_LARGEST_FRAME = 1 << 16
#: Most frames that a client has yet to read.
MOST_WAITING = 10_000
_ESCAPES = {"\\": "\\\\", "\n": "\\n", ":": "\\c", "\r": "\\r"}
_PLAIN = {escaped: plain for plain, escaped in _ESCAPES.items()}


@dataclass(frozen=True)
class Frame:
    """One frame: a command, headers and a body."""

    command: str
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""

    def encode(self) -> bytes:
        """Return it as it is sent."""
        lines = [self.command]
        lines += [f"{_escaped(name)}:{_escaped(value)}" for name, value in self.headers.items()]
        return ("\n".join(lines) + "\n\n" + self.body).encode() + b"\0"


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(character, character) for character in text)


def _plain(text: str) -> str:
    return re.sub(r"\\.", lambda found: _PLAIN.get(found.group(), found.group()), text)


def read_frame(stream: BinaryIO) -> Frame | None:
    """Read a frame; None: the client is gone, or sends what is no frame."""
    content = bytearray()
    while len(content) < _LARGEST_FRAME:
        byte = stream.read(1)
        if not byte:
            return None
        if byte != b"\0":
            content += byte
            continue
        head, _, body = content.decode(errors="replace").lstrip("\r\n").partition("\n\n")
        command, *lines = head.replace("\r", "").split("\n")
        pairs = (line.partition(":") for line in lines)
        return Frame(command, {_plain(n): _plain(v) for n, _, v in reversed([*pairs])}, body)
    return None


class Broker:
    """Who has subscribed to what."""

    def __init__(self, sessions: Sessions, subscribed: Callable[[], None]) -> None:
        self._sessions = sessions
        self._subscribed = subscribed
        self._lock = threading.Lock()
        self._clients: set[_Client] = set()

    @property
    def topics(self) -> set[str]:
        """What someone has subscribed to."""
        with self._lock:
            return {
                topic for client in self._clients for topic in dict(client.subscriptions).values()
            }

    def publish(self, notification: Notification) -> None:
        """Send a message to all who have subscribed to its topic. Does not wait for anyone."""
        with self._lock:
            clients = list(self._clients)
        for client in clients:
            client.publish(notification)

    def serve(self, connection: ssl.SSLSocket) -> None:
        """Serve a client until it goes away."""
        duplex = Duplex(connection)
        client = _Client(connection, duplex)
        stream = io.BufferedReader(duplex)
        try:
            first = read_frame(stream)
            if first is None or not self._may_enter(first):
                client.send(Frame("ERROR", {"message": "User name or password is invalid"}))
                return
            client.send(Frame("CONNECTED", {"version": "1.1", "heart-beat": "0,0"}))
            with self._lock:
                self._clients.add(client)
            while frame := read_frame(stream):
                self._obey(client, frame)
        finally:
            with self._lock:
                self._clients.discard(client)
            client.close()

    def _may_enter(self, frame: Frame) -> bool:
        """Return whether it has a user and the password, or a session and its credential."""
        login, passcode = frame.headers.get("login", ""), frame.headers.get("passcode", "")
        session = self._sessions.find(login)
        return frame.command in {"CONNECT", "STOMP"} and (
            self._sessions.password_is(login, passcode)
            or (session is not None and session.credential_is(passcode))
        )

    def _obey(self, client: _Client, frame: Frame) -> None:
        headers = frame.headers
        if frame.command == "SUBSCRIBE":
            topic = headers.get("destination", "").removeprefix(_TOPIC)
            self._subscribed()
            client.subscriptions[headers.get("id", "")] = topic
        elif frame.command == "UNSUBSCRIBE":
            client.subscriptions.pop(headers.get("id", ""), None)
        if "receipt" in headers:
            client.send(Frame("RECEIPT", {"receipt-id": headers["receipt"]}))


class _Client:
    """A client and the thread that writes to it, so that a slow one keeps nobody waiting."""

    def __init__(self, connection: ssl.SSLSocket, duplex: Duplex) -> None:
        self.subscriptions: dict[str, str] = {}
        self._connection = connection
        self._duplex = duplex
        self._number = 0
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="hmc-stomp", daemon=True)
        self._thread.start()

    def send(self, frame: Frame) -> None:
        """Have a frame sent; a client that does not read any more is cut off."""
        if self._queue.qsize() < MOST_WAITING:
            self._queue.put(frame.encode())
            return
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def publish(self, notification: Notification) -> None:
        """Have a notification sent, if the client has subscribed to its topic."""
        body = "" if notification.body is None else json.dumps(notification.body)
        for key, topic in dict(self.subscriptions).items():
            wanted = notification.topic
            if topic == wanted or (wanted.endswith(".") and topic.startswith(wanted)):
                headers = {
                    "destination": f"{_TOPIC}{topic}",
                    "subscription": key,
                    "message-id": f"{key}-{self._number}",
                    "session-sequence-nr": str(self._number),
                    **notification.headers,
                }
                self._number += 1
                self.send(Frame("MESSAGE", headers, body))

    def close(self) -> None:
        """Send what is left, and end."""
        self._queue.put(None)
        self._thread.join()

    def _write(self) -> None:
        # A client that is gone is noticed where its frames are read.
        with contextlib.suppress(OSError, ValueError):
            while (content := self._queue.get()) is not None:
                self._duplex.send_all(content)
