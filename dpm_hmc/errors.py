"""What can go wrong with an HMC; every error carries what to do about it."""

from __future__ import annotations

from enum import Enum, auto
from http import HTTPStatus

from dpm_hmc import cures


class DpmError(Exception):
    """Base of all errors of the HMC's client, and of those who use it.

    Attributes:
        finding: what is wrong, without a full stop
        cure: what to do about it; nothing where `finding` says it, or nobody knows
    """

    cure = ""

    def __init__(self, finding: str, cure: str | None = None) -> None:
        self.finding = finding
        if cure is not None:
            self.cure = cure
        super().__init__(f"{finding.rstrip('.')}. {self.cure}" if self.cure else finding)


class ConfigError(DpmError):
    """An option is wrong, or does not fit the CPC; the program cannot start with it.

    Attributes:
        option: its name
    """

    def __init__(
        self, option: str, value: object, problem: str, cure: str, section: str = "dpm"
    ) -> None:
        self.option = option
        super().__init__(f"[{section}] {option} = {value}: {problem}", cure)


class Kind(Enum):
    """What became of a request that failed: by this it is sent again, or not."""

    BUSY = auto()
    """HMC or object are busy (503; 409,2): not carried out."""
    SESSION_GONE = auto()
    """The session has expired (403,4; 403,5): not carried out."""
    NOT_SENT = auto()
    """There was no connection."""
    UNANSWERED = auto()
    """The connection broke after the request was sent: it may have been carried out."""
    FAILED = auto()
    """The HMC itself failed (5xx): the request may have been carried out."""
    REFUSED = auto()
    """The HMC answered with another error."""
    LOGON_REFUSED = auto()
    """The HMC does not let the user in."""
    CERTIFICATE = auto()
    """The HMC's certificate cannot be verified."""
    REDIRECT = auto()
    """The answer leads elsewhere, which no HMC's does."""
    UNREADABLE = auto()
    """The answer is none of an HMC."""
    OTHER = auto()


class HmcError(DpmError):
    """A request to the HMC failed.

    Attributes:
        kind: what became of the request
    """

    cure = cures.TRY_AGAIN
    kind = Kind.OTHER


class UnreachableError(HmcError):
    """No HMC answered, and the request was not carried out."""

    cure = cures.NO_HMC


class UnansweredError(HmcError):
    """The connection broke after the request was sent: it may have been carried out, or not."""


class AnswerError(UnansweredError):
    """What came back is not what an HMC answers; the request may have been carried out, or not."""

    cure = ""


class CertificateError(UnreachableError):
    """The HMC's certificate could not be verified."""


class LogonError(HmcError):
    """The HMC refused user name and password."""


class HttpError(HmcError):
    """The HMC answered with an error.

    Attributes:
        what: the request: method and URI
        status: HTTP status code
        reason: the HMC's reason code (HMC Web Services API, "Common request validation reason
            codes")
        message: the HMC's own
    """

    def __init__(self, what: str, status: int, reason: int, message: str) -> None:
        finding = f"{what}: the HMC answered {status},{reason}: {message}"
        super().__init__(finding, cures.answer(what, status, reason))
        self.what = what
        self.status = status
        self.reason = reason
        self.message = message

    @property
    def is_hidden(self) -> bool:
        """Whether the object is not there, or not for this user (404, 403)."""
        return self.status in (HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN)

    @property
    def is_failure(self) -> bool:
        """Whether the HMC itself failed (5xx); the request may have been carried out."""
        return self.status >= HTTPStatus.INTERNAL_SERVER_ERROR


class NotFoundError(HttpError):
    """404,1: the object is not there (or the user may not see it)."""


class NameTakenError(HttpError):
    """400,8: something else has the name that was asked for."""


class ConflictError(HttpError):
    """409: the object's state, or another object, stands against the request."""


class JobError(HmcError):
    """An asynchronous operation did not end well."""

    cure = ""


class JobTimeoutError(JobError):
    """An asynchronous operation did not end in time."""


class StateError(HmcError):
    """A partition or a volume is in a state from which it does not get where it should."""

    cure = ""
