"""What zhmcclient's errors say: which of ours they are, and whether the request was carried out."""

from __future__ import annotations

import re
import ssl
from http import HTTPStatus

import urllib3.exceptions
import zhmcclient

from nova_dpm.errors import (
    CertificateError,
    ConflictError,
    HttpError,
    NameTakenError,
    NotFoundError,
)

# Pairs of HTTP status and reason (HMC Web Services API, "Common request validation reason codes").
_SESSION_GONE = (4, 5)
_BUSY = (HTTPStatus.CONFLICT, 2)
_MISSING = (HTTPStatus.NOT_FOUND, 1)
_NAME_TAKEN = (HTTPStatus.BAD_REQUEST, 8)


def session_is_gone(error: zhmcclient.ServerAuthError) -> bool:
    """Whether a request was refused because its session has expired."""
    details = error.details
    return isinstance(details, zhmcclient.HTTPError) and details.reason in _SESSION_GONE


def is_busy(error: zhmcclient.HTTPError) -> bool:
    """Whether the HMC, or the object, is busy; the request was not carried out."""
    return (
        error.http_status == HTTPStatus.SERVICE_UNAVAILABLE
        or (error.http_status, error.reason) == _BUSY
    )


def is_failure(error: zhmcclient.HTTPError) -> bool:
    """Whether the HMC itself failed; the request may have been carried out."""
    return bool(error.http_status >= HTTPStatus.INTERNAL_SERVER_ERROR)


def http_error(what: str, error: zhmcclient.HTTPError) -> HttpError:
    """Return an HTTP error as ours; `what` is the request."""
    pair = (error.http_status, error.reason)
    kind = HttpError
    if pair == _MISSING:
        kind = NotFoundError
    elif pair == _NAME_TAKEN:
        kind = NameTakenError
    elif error.http_status == HTTPStatus.CONFLICT:
        kind = ConflictError
    return kind(what, error.http_status, error.reason, error.message)


def was_not_sent(error: zhmcclient.ConnectionError) -> bool:
    """Whether there was no connection to send the request over."""
    return isinstance(error, zhmcclient.ConnectTimeout) or any(
        isinstance(each, urllib3.exceptions.NewConnectionError | urllib3.exceptions.SSLError)
        for each in _causes(error)
    )


def is_certificate(error: zhmcclient.ConnectionError) -> bool:
    """Whether the HMC's certificate is what stands against a connection."""
    return any(
        isinstance(each, urllib3.exceptions.SSLError | OSError)
        and re.search("certificate|CA bundle|CA_BUNDLE", str(each))
        for each in _causes(error)
    )


def certificate_error(host: str, error: Exception) -> CertificateError:
    """Return what an operator is told of a certificate."""
    return CertificateError(
        f"The certificate of HMC {host} cannot be verified: {cause(error)}. "
        "Set hmc_ca_file to the certificate of the authority that signed it"
    )


def cause(error: BaseException) -> str:
    """Return what is at the bottom of a broken connection, without the layers above it."""
    for each in _causes(error):
        if isinstance(each, ssl.SSLCertVerificationError):
            return str(each.verify_message)
        if isinstance(each, OSError) and each.strerror:
            return each.strerror
    return str(error)


def _causes(error: BaseException) -> list[BaseException]:
    """Return an error and those inside it: requests and urllib3 wrap them in several ways."""
    found: list[BaseException] = []
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if each in found:
            continue
        found.append(each)
        wrapped = getattr(each, "reason", None), getattr(each, "details", None), each.__cause__
        inner = [*each.args, *wrapped]
        waiting += [one for one in inner if isinstance(one, BaseException)]
    return found
