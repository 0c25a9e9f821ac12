"""What zhmcclient raises, made as it makes it (1.26, ``_session.py``)."""

from __future__ import annotations

import ssl
from http import HTTPStatus
from http.client import RemoteDisconnected

import requests
import urllib3
import zhmcclient
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError, SSLError

POOL = urllib3.HTTPSConnectionPool("hmc", 6794)


def answered(status: object, reason: object = 0, message: object = "m") -> zhmcclient.HTTPError:
    """An error that the HMC answered."""
    return zhmcclient.HTTPError({"http-status": status, "reason": reason, "message": message})


def unauthorized(reason: int) -> zhmcclient.ServerAuthError:
    """A 403 that is none of access to an object."""
    return zhmcclient.ServerAuthError(
        f"HTTP authentication failed with 403,{reason}: m", answered(HTTPStatus.FORBIDDEN, reason)
    )


def broken(inside: BaseException) -> zhmcclient.ConnectionError:
    """A connection that broke: requests wraps urllib3's error, and zhmcclient that of requests."""
    return zhmcclient.ConnectionError("broken", requests.ConnectionError(inside))


def not_connected(why: str = "Connection refused") -> zhmcclient.ConnectionError:
    """No connection: somebody refuses it."""
    reason = NewConnectionError(POOL, "no")  # type: ignore[arg-type]
    reason.__cause__ = ConnectionRefusedError(111, why)
    return broken(MaxRetryError(POOL, "/", reason))


def dropped() -> zhmcclient.ConnectionError:
    """A connection that ended after the request was sent."""
    return broken(ProtocolError("Connection aborted.", ConnectionResetError(104, "reset by peer")))


def closed() -> zhmcclient.ConnectionError:
    """A connection that the HMC closed in place of an answer."""
    inside = RemoteDisconnected("Remote end closed connection without response")
    return broken(ProtocolError("Connection aborted.", inside))


def tls(inside: ssl.SSLError) -> zhmcclient.ConnectionError:
    """A connection that did not come about, for TLS."""
    error = requests.exceptions.SSLError(MaxRetryError(POOL, "/", SSLError(inside)))
    return zhmcclient.ConnectionError("broken", error)


def certificate(verify_code: int, why: str) -> ssl.SSLCertVerificationError:
    """What OpenSSL says of a certificate that it does not take."""
    error = ssl.SSLCertVerificationError(1, f"certificate verify failed: {why}")
    error.verify_code, error.verify_message = verify_code, why
    return error


def redirected(target: str) -> zhmcclient.ConnectionError:
    """A redirect, none of which is followed."""
    response = requests.Response()
    response.headers["location"] = target
    return zhmcclient.ConnectionError(
        "broken", requests.TooManyRedirects("Exceeded 0 redirects.", response=response)
    )


def no_time_to_connect() -> zhmcclient.ConnectTimeout:
    """Nobody took the connection in time."""
    return zhmcclient.ConnectTimeout("slow", requests.ConnectTimeout(TimeoutError()), 5, 0)


def no_time_to_read(text: str = "slow") -> zhmcclient.ReadTimeout:
    """Nobody answered in time."""
    return zhmcclient.ReadTimeout(text, requests.ReadTimeout(text), 5, 0)
