"""Requests over HTTPS: to the API, and orders to the lab under ``/lab/``."""

from __future__ import annotations

import secrets
import socket
import ssl
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

from dpm_lab.hmc.api.refusals import Reason, not_found
from dpm_lab.hmc.api.terminals import PATH
from dpm_lab.hmc.wire.service import Answer

#: The header that orders to the lab have.
TOKEN = "X-Lab-Token"
_LARGEST_BODY = 1 << 20


class Handler(BaseHTTPRequestHandler):
    """The requests of one connection, one after the other.

    Args:
        answer: answers a request of the API
        order: carries out an order to the lab
        token: what those who give orders have to know
        console: joins a websocket to a console: connection, path, headers; False: it is none
    """

    protocol_version = "HTTP/1.1"
    #: Headers and body leave in one piece: with two, the second one waits for an ACK of the first.
    wbufsize = -1
    server_version = "zHMC"
    connection: ssl.SSLSocket

    def __init__(
        self,
        connection: ssl.SSLSocket,
        answer: Callable[[str, str, str | None, bytes], Answer],
        order: Callable[[str, bytes], Answer],
        token: str,
        console: Callable[[ssl.SSLSocket, str, list[tuple[str, str]]], bool],
    ) -> None:
        self._answered = answer
        self._order = order
        self._token = token
        self._console = console
        super().__init__(connection, ("", 0), None)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        if self.path.startswith(PATH):
            self._at_console()
            return
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def _answer(self) -> None:
        try:
            length = int(self.headers.get("Content-Length") or 0)
        except ValueError:
            length = -1
        if not 0 <= length <= _LARGEST_BODY or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            refusal = Reason.BAD_LENGTH("The length of the body is missing, wrong or too large")
            self._send(Answer(refusal.status, refusal.body(self.command, self.path)))
            return
        content = self.rfile.read(length)
        if self.path.startswith("/lab/"):
            self._send(self._lab(content))
            return
        answer = self._answered(self.command, self.path, self.headers.get("X-API-Session"), content)
        if answer.dropped:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._send(answer)

    def _at_console(self) -> None:
        self.close_connection = True
        if not self._console(self.connection, self.path, list(self.headers.items())):
            refusal = not_found(PATH)
            self._send(Answer(refusal.status, refusal.body(self.command, PATH)))

    def _lab(self, content: bytes) -> Answer:
        token = self.headers.get(TOKEN, "")
        if not secrets.compare_digest(token.encode(), self._token.encode()):
            return Answer(403, {"error": "the lab's token is missing or wrong"})
        return self._order(self.path.removeprefix("/lab/"), content)

    def _send(self, answer: Answer) -> None:
        content = answer.content()
        self.send_response_only(answer.status)
        self.send_header("Server", self.server_version)
        self.send_header("Date", self.date_time_string())
        if content:
            self.send_header("Content-Type", "application/json")
        if answer.status != 204:
            self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing: the service keeps the log."""
