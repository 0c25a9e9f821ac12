"""What zhmcclient's errors say: which of ours they are, and whether the request was carried out."""

from __future__ import annotations

import re
import ssl
from http import HTTPStatus

import requests
import urllib3.exceptions
import zhmcclient

from dpm_hmc.errors import (
    AnswerError,
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


# What zhmcclient raises of an answer that is no HMC's: it takes apart what it was sent without a
# look at it (HTML that comes with 200, a JSON list, nothing at all).
UNREADABLE = (
    zhmcclient.ParseError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    AssertionError,
    RecursionError,
)

_LONGEST = 1000
"""Characters of a message that are taken: it may be a whole web page."""

_HOST_NAME_MISMATCH = (62, 64)
_NOT_VALID_NOW = (9, 10)
"""OpenSSL's ``X509_V_ERR_*``: host name and IP address mismatch; not yet valid, expired."""


def session_is_gone(error: zhmcclient.ServerAuthError) -> bool:
    """Whether a request was refused because its session has expired."""
    details = error.details
    return isinstance(details, zhmcclient.HTTPError) and details.reason in _SESSION_GONE


def is_busy(error: zhmcclient.HTTPError) -> bool:
    """Whether the HMC, or the object, is busy; the request was not carried out."""
    pair = _status(error)
    return pair[0] == HTTPStatus.SERVICE_UNAVAILABLE or pair == _BUSY


def is_failure(error: zhmcclient.HTTPError) -> bool:
    """Whether the HMC itself failed; the request may have been carried out."""
    return _status(error)[0] >= HTTPStatus.INTERNAL_SERVER_ERROR


def http_error(what: str, error: zhmcclient.HTTPError) -> HttpError:
    """Return an HTTP error as ours; `what` is the request."""
    status, reason = pair = _status(error)
    kind = HttpError
    if pair == _MISSING:
        kind = NotFoundError
    elif pair == _NAME_TAKEN:
        kind = NameTakenError
    elif status == HTTPStatus.CONFLICT:
        kind = ConflictError
    return kind(what, status, reason, str(error.message)[:_LONGEST])


def _status(error: zhmcclient.HTTPError) -> tuple[int, int]:
    """Return status and reason; zhmcclient takes both from the body, 0 where it has no number."""
    status, reason = error.http_status, error.reason
    return (status if type(status) is int else 0, reason if type(reason) is int else 0)


def no_answer_of_an_hmc(what: str, error: Exception | None = None) -> AnswerError:
    """Return what an operator is told of an answer that no HMC gives; `what` is the request."""
    answer = "an answer of another form"
    for each in _causes(error) if error else ():
        if isinstance(each, requests.TooManyRedirects) and each.response is not None:
            answer = f"a redirect to {each.response.headers.get('location')}, which is not followed"
    return AnswerError(
        f"{what}: {answer}; this is no HMC's Web Services API. Check hmc and hmc_port, and what "
        "else may answer there, such as a proxy or the HMC's own web pages"
    )


def is_redirect(error: zhmcclient.ConnectionError) -> bool:
    """Whether the answer was a redirect, which no HMC sends."""
    return any(isinstance(each, requests.TooManyRedirects) for each in _causes(error))


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
    codes = {getattr(each, "verify_code", None) for each in _causes(error)}
    cure = "Set hmc_ca_file to the certificate of the authority that signed it"
    if codes.intersection(_HOST_NAME_MISMATCH):
        cure = "Write the HMC in hmc as its certificate names it"
    elif codes.intersection(_NOT_VALID_NOW):
        cure = "Renew the certificate on the HMC, or correct the clock of this machine"
    return CertificateError(
        f"The certificate of HMC {host} cannot be verified: {cause(error)}. {cure}"
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
