"""A partition's integrated ASCII console, over a websocket of the HMC.

The URI of the websocket is the ticket for it: no header is sent (zhmcclient 1.26,
``_os_console.py``, `OSConsole.connect`). So it is in no log and in no error, and the connection is
made here and handed to websocket-client, which would take proxies and certificates from the
environment.
"""

from __future__ import annotations

import logging
import re
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Self

import requests
import websocket

from dpm_hmc import answers
from dpm_hmc.classify import no_answer_of_an_hmc
from dpm_hmc.client import Hmc
from dpm_hmc.clock import Clock
from dpm_hmc.errors import (
    CertificateError,
    HmcError,
    UnansweredError,
    UnreachableError,
)
from dpm_hmc.settings import HmcSettings

SINCE = (2, 22)
"""API version of the operation, which wants an HMC of 2.14.0, too (zhmcclient 1.26,
``_partition.py``, `create_os_websocket`)."""

_WHAT = "The websocket of an ASCII console"
_BROKEN = (websocket.WebSocketException, OSError)


_TICKET = re.compile(r"/api/websock/[^/'\"\s]+")


def _without_ticket(record: logging.LogRecord) -> bool:
    """Take tickets out of what zhmcclient logs at DEBUG: each answer of the HMC."""
    text = record.getMessage()
    if _TICKET.search(text):
        record.msg, record.args = _TICKET.sub("/api/websock/...", text), ()
    return True


for _name in ("zhmcclient.api", "zhmcclient.hmc"):
    logging.getLogger(_name).addFilter(_without_ticket)


@dataclass
class AsciiConsole:
    """A console with a logon of its own, which ends with it. A context manager.

    Args:
        settings: how the HMC is reached
        partition_uri: whose console it is
        clock: for pauses and time-outs of the logon
        given_up: whether nobody wants it any more; asked between two steps
    """

    settings: HmcSettings
    partition_uri: str
    clock: Clock
    given_up: Callable[[], bool] = lambda: False

    def __enter__(self) -> Self:
        """Log on, get the ticket, connect.

        HMC permission: task *Integrated ASCII Console*, and access to the partition. HMC version:
        2.14.0 and API 2.22.

        Raises:
            NotFoundError: the HMC has no such operation, or does not show the partition.
            ConflictError: another console is open, or the partition has none now.
            HmcError: any other failure.
        """
        self._hmc = Hmc(self.settings, self.clock)
        try:
            self._socket = self._connected(self._ticket())
        except BaseException:
            self._hmc.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Hang up, and log off."""
        try:
            # Without waiting for the HMC's own frame that it closes.
            self._socket.close(timeout=0)
        except _BROKEN:
            pass
        finally:
            self._hmc.close()

    def fileno(self) -> int:
        """Return what can be waited for: there is something to `read`."""
        return int(self._tls.fileno())

    @property
    def has_more(self) -> bool:
        """Whether there is something to read that has left the socket already."""
        return self._tls.pending() > 0

    def read(self) -> bytes | None:
        """Return what the console has said, perhaps nothing; None: the HMC has ended it.

        Raises:
            UnansweredError: the connection broke.
        """
        try:
            # Else it would wait for data after a ping.
            code, frame = self._socket.recv_data_frame(control_frame=True)
        except websocket.WebSocketConnectionClosedException:
            return None
        except _BROKEN:
            raise UnansweredError(f"{_WHAT} broke") from None
        if code == websocket.ABNF.OPCODE_CLOSE:
            return None
        is_data = code in (websocket.ABNF.OPCODE_TEXT, websocket.ABNF.OPCODE_BINARY)
        return bytes(frame.data) if is_data else b""

    def write(self, text: str) -> None:
        """Type something.

        Raises:
            UnansweredError: the connection broke.
        """
        try:
            self._socket.send_text(text)
        except _BROKEN:
            raise UnansweredError(f"{_WHAT} broke") from None

    def _ticket(self) -> str:
        what = f"{self.partition_uri}/operations/get-ascii-console-websocket-uri"
        answer = self._hmc.post(what, {"force-takeover": False})
        if not isinstance(answer, dict):
            raise no_answer_of_an_hmc(f"POST {what}")
        try:
            return answers.uri(answer, "websocket-uri")
        except HmcError:
            # Its text would have what may be a ticket.
            raise no_answer_of_an_hmc(f"POST {what}") from None

    def _connected(self, ticket: str) -> websocket.WebSocket:
        if self.given_up():
            raise HmcError(f"{_WHAT}: nobody wants it any more", "")
        host, port = self._hmc.address, self.settings.port
        self._tls = _tls(self.settings, host.strip("[]"))
        made = websocket.WebSocket()
        try:
            # The HMC's own answer, and no redirect that leads elsewhere.
            made.connect(  # type: ignore[no-untyped-call]
                f"wss://{host}:{port}{ticket}", socket=self._tls, redirect_limit=0
            )
            status = made.getstatus()
        except websocket.WebSocketBadStatusException as error:
            status = error.status_code
        except _BROKEN:
            status = 0
        if status == HTTPStatus.SWITCHING_PROTOCOLS:
            return made
        self._tls.close()
        if status == 0:
            raise UnansweredError(f"{_WHAT}: no answer from HMC {host}")
        raise HmcError(f"{_WHAT}: the HMC answered {status}")


def _tls(settings: HmcSettings, host: str) -> ssl.SSLSocket:
    """Connect to the HMC as its other requests do, with the same certificates."""
    try:
        context = _context(settings.verify)
    except OSError as error:
        raise CertificateError(f"hmc_ca_file {settings.verify} cannot be read: {error}") from None
    try:
        plain = socket.create_connection((host, settings.port), settings.connect_timeout)
    except OSError as error:
        raise UnreachableError(f"{_WHAT}: no answer from HMC {host}: {error}") from None
    try:
        plain.settimeout(settings.read_timeout)
        # A console says nothing for days: that the HMC has died is seen by this alone.
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return context.wrap_socket(plain, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        plain.close()
        raise CertificateError(
            f"The certificate of HMC {host} cannot be verified: {error.verify_message}"
        ) from None
    except OSError as error:
        plain.close()
        raise UnreachableError(f"{_WHAT}: no answer from HMC {host}: {error}") from None


def _context(verify: bool | str) -> ssl.SSLContext:
    """Return what requests makes of its option `verify`, without the environment."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    authorities = requests.utils.DEFAULT_CA_BUNDLE_PATH if verify is True else verify
    # As requests: a folder has hashed names (``requests/adapters.py``, `cert_verify`).
    is_folder = Path(authorities).is_dir()
    context.load_verify_locations(
        cafile=None if is_folder else authorities, capath=authorities if is_folder else None
    )
    return context
