"""What can go wrong between Nova and the HMC; every message says what to do about it."""

from __future__ import annotations

from http import HTTPStatus

from dpm_hmc import permissions


class DpmError(Exception):
    """Base of all errors of this package."""


class ConfigError(DpmError):
    """An option is wrong, or does not fit the CPC; nova-compute cannot start with it.

    Attributes:
        option: its name
        finding: option, value and what is wrong with it
        cure: what to do
    """

    def __init__(
        self, option: str, value: object, problem: str, cure: str, section: str = "dpm"
    ) -> None:
        self.option = option
        self.finding = f"[{section}] {option} = {value}: {problem}"
        self.cure = cure
        super().__init__(f"{self.finding}. {cure}.")


class HmcError(DpmError):
    """A request to the HMC failed."""


class UnreachableError(HmcError):
    """No HMC answered, and the request was not carried out."""


class UnansweredError(HmcError):
    """The connection broke after the request was sent: it may have been carried out, or not."""


class AnswerError(UnansweredError):
    """What came back is not what an HMC answers; the request may have been carried out, or not."""


class CertificateError(UnreachableError):
    """The HMC's certificate could not be verified."""


class LogonError(HmcError):
    """The HMC refused user name and password."""


class HttpError(HmcError):
    """The HMC answered with an error.

    Attributes:
        status: HTTP status code
        reason: the HMC's reason code (HMC Web Services API, "Common request validation reason
            codes")
        cure: what to do, where the answer tells; it is part of the text
    """

    def __init__(self, what: str, status: int, reason: int, message: str) -> None:
        said = f"{what}: the HMC answered {status},{reason}: {message}"
        self.cure = permissions.cure(what, status, reason)
        super().__init__(f"{said.rstrip('.')}. {self.cure}" if self.cure else said)
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


class JobTimeoutError(JobError):
    """An asynchronous operation did not end in time."""


class StateError(HmcError):
    """A partition or a volume is in a state from which it does not get where it should."""
