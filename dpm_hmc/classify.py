"""What zhmcclient's errors say: what became of the request, and which of our errors that is."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from http.client import RemoteDisconnected
from typing import Any

import requests
import urllib3.exceptions
import zhmcclient

from dpm_hmc import cures
from dpm_hmc.errors import (
    AnswerError,
    CertificateError,
    ConflictError,
    HmcError,
    HttpError,
    Kind,
    LogonError,
    NameTakenError,
    NotFoundError,
    UnansweredError,
    UnreachableError,
)

# What zhmcclient raises of an answer that is no HMC's: it takes apart what it was sent without a
# look at it (HTML that comes with 200, a JSON list, nothing at all).
_UNREADABLE = (
    zhmcclient.ParseError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    AssertionError,
    RecursionError,
)
FAILURES = (zhmcclient.Error, *_UNREADABLE)
"""All that a request to an HMC raises."""

# HTTP status and reason (HMC Web Services API, "Common request validation reason codes").
_SESSION_GONE = (4, 5)
_BUSY = (409, 2)
_OURS = {(404, 1): NotFoundError, (400, 8): NameTakenError}

# What is inside of a `zhmcclient.ConnectionError`, looked for in this order.
_SIGNS: dict[Kind, tuple[type[BaseException], ...]] = {
    Kind.REDIRECT: (requests.TooManyRedirects,),
    Kind.CERTIFICATE: (ssl.SSLCertVerificationError,),
    Kind.NOT_SENT: (
        zhmcclient.ConnectTimeout,
        urllib3.exceptions.NewConnectionError,
        urllib3.exceptions.SSLError,
    ),
}

_LONGEST = 1000
"""Characters of a message that are taken: it may be a whole web page."""


def classify(error: BaseException) -> Kind:
    """Return what became of a request that ended with one of `FAILURES`."""
    kind = Kind.OTHER
    if isinstance(error, zhmcclient.ServerAuthError):
        is_gone = reason_of(error.details) in _SESSION_GONE
        kind = Kind.SESSION_GONE if is_gone else Kind.LOGON_REFUSED
    elif isinstance(error, zhmcclient.HTTPError):
        kind = _answered(*_status(error))
    elif isinstance(error, zhmcclient.ConnectionError):
        kind = _broken(error)
    elif isinstance(error, _UNREADABLE):
        kind = Kind.UNREADABLE
    return kind


def as_ours(what: str, host: str, error: BaseException) -> HmcError:
    """Return one of `FAILURES` as an error of ours.

    Args:
        what: the request
        host: address of the HMC
        error: how the request ended
    """
    ours: HmcError
    match kind := classify(error):
        case Kind.SESSION_GONE | Kind.LOGON_REFUSED:
            ours = LogonError(f"{what}: {error}")
        case Kind.BUSY | Kind.FAILED | Kind.REFUSED:
            ours = _http_error(what, error)
        case Kind.CERTIFICATE:
            ours = _certificate_error(host, error)
        case Kind.NOT_SENT:
            ours = UnreachableError(f"{what}: no answer from HMC {host}: {cause(error)}")
        case Kind.UNANSWERED:
            ours = UnansweredError(f"{what}: no answer from HMC {host}: {cause(error)}")
        case Kind.REDIRECT:
            redirect = f"a redirect to {_location(error)}, which is not followed"
            ours = no_answer_of_an_hmc(what, redirect)
        case Kind.UNREADABLE:
            ours = no_answer_of_an_hmc(what)
        case _:
            ours = HmcError(f"{what}: {error}")
    ours.kind = kind
    return ours


def no_answer_of_an_hmc(what: str, answer: str = "an answer of another form") -> AnswerError:
    """Return what an operator is told of an answer that no HMC gives; `what` is the request."""
    return AnswerError(
        f"{what}: {answer}; this is no HMC's Web Services API", cures.NO_ANSWER_OF_AN_HMC
    )


def reason_of(error: zhmcclient.HTTPError) -> int:
    """Return the HMC's reason code, 0 where it has none."""
    return _status(error)[1]


def cause(error: BaseException) -> str:
    """Return what is at the bottom of a broken connection, without the layers above it."""
    for each in _causes(error):
        if isinstance(each, ssl.SSLCertVerificationError):
            return str(each.verify_message)
        if isinstance(each, OSError) and each.strerror:
            return each.strerror
        if isinstance(each, RemoteDisconnected):
            return str(each)
    return str(error)


def _answered(status: int, reason: int) -> Kind:
    if status == 503 or (status, reason) == _BUSY:
        return Kind.BUSY
    return Kind.FAILED if status >= 500 else Kind.REFUSED


def _broken(error: zhmcclient.ConnectionError) -> Kind:
    causes = list(_causes(error))
    for kind, signs in _SIGNS.items():
        if any(isinstance(each, signs) for each in causes):
            return kind
    # requests has no type for a hmc_ca_file that is gone: a bare OSError without a number.
    if any(type(each) is OSError and each.errno is None for each in causes):
        return Kind.CERTIFICATE
    return Kind.UNANSWERED


def _http_error(what: str, error: Any) -> HttpError:
    status, reason = _status(error)
    kind = ConflictError if status == 409 else _OURS.get((status, reason), HttpError)
    return kind(what, status, reason, str(error.message)[:_LONGEST])


def _certificate_error(host: str, error: BaseException) -> CertificateError:
    codes = (getattr(each, "verify_code", None) for each in _causes(error))
    return CertificateError(
        f"The certificate of HMC {host} cannot be verified: {cause(error)}",
        cures.certificate(next(filter(None, codes), 0)),
    )


def _status(error: Any) -> tuple[int, int]:
    """Return status and reason; zhmcclient takes both from the body, 0 where it has no number."""
    status, reason = error.http_status, error.reason
    return (status if type(status) is int else 0, reason if type(reason) is int else 0)


def _location(error: BaseException) -> str:
    for each in _causes(error):
        if isinstance(each, requests.TooManyRedirects) and each.response is not None:
            return str(each.response.headers.get("location"))
    return "nowhere"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those inside it: requests and urllib3 wrap them in several ways."""
    seen: list[BaseException] = []
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if any(each is one for one in seen):
            continue
        seen.append(each)
        yield each
        wrapped = getattr(each, "reason", None), getattr(each, "details", None), each.__cause__
        waiting += [one for one in (*each.args, *wrapped) if isinstance(one, BaseException)]
