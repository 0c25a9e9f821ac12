"""The one door to the HMC: requests over `zhmcclient`, repeated where that is safe.

Requests are made by URI through one `zhmcclient.Session`, not through zhmcclient's resource
objects: those fetch properties on their own, wait for jobs with 10 s between polls, and log on
again by themselves, which several threads cannot do to one session at once.

What is repeated (HMC Web Services API, "Common request validation reason codes"):

- 403 with reason 4 or 5: the session has expired. The request was not carried out: log on, repeat.
- 409 with reason 2, 503: the HMC or the object is busy. Not carried out: repeat for a while.
- No connection: not carried out. Repeat, from the first HMC of the list that answers.
- A connection that broke after the request was sent: repeat reads, updates and deletions, which
  can be done twice. A creation or an operation is not repeated here: `UnansweredError` tells the
  caller, who looks whether it was carried out.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

import requests
import urllib3.exceptions
import zhmcclient
from oslo_log import log

from nova_dpm.conf import HmcSettings
from nova_dpm.errors import (
    CertificateError,
    ConflictError,
    HmcError,
    HttpError,
    JobError,
    JobTimeoutError,
    LogonError,
    NotFoundError,
    UnansweredError,
    UnreachableError,
)

LOG = log.getLogger(__name__)

Properties = dict[str, Any]
Result = TypeVar("Result")

ATTEMPTS = 4
"""How often a request is sent at most while connections break or the HMC fails."""

CONNECTIONS = 64
"""Connections kept open at most: more than nova-compute has builds and audits at once."""

_SESSION_GONE = (4, 5)
_BUSY = 2
_MISSING = 1


class Hmc:
    """A session with the first HMC that answers, shared by all threads.

    No lock is held during a request, but for the logon.

    Args:
        settings: addresses, user, certificates, time-outs
    """

    def __init__(self, settings: HmcSettings) -> None:
        self._settings = settings
        self._session: zhmcclient.Session | None = None
        self._logon_lock = threading.Lock()

    @property
    def host(self) -> str:
        """Address of the HMC in use, or of all that may be."""
        session = self._session
        return str(session.actual_host) if session else ", ".join(self._settings.hosts)

    def api_version(self) -> tuple[int, int]:
        """Return the version of the Web Services API, for which nobody has to be logged on."""
        answer = self.get("/api/version")
        return int(answer["api-major-version"]), int(answer["api-minor-version"])

    def get(self, uri: str) -> Properties:
        """Return what `uri` shows.

        Raises:
            NotFoundError: there is nothing at `uri`.
            HmcError: any other failure.
        """
        result: Properties = self._send(f"GET {uri}", lambda session: session.get(uri, **_PLAIN))
        return result

    def update(self, uri: str, body: Properties) -> None:
        """Set properties. Repeated where the connection breaks: the same values can be set twice.

        Raises:
            HmcError: it failed.
        """
        self._send(f"POST {uri}", lambda session: session.post(uri, body=body, **_PLAIN_POST))

    def create(self, uri: str, body: Properties, find: Callable[[], str | None]) -> str:
        """Make something that has a unique name, once, and return its URI.

        Args:
            uri: the list that it becomes a member of
            body: its properties
            find: returns the URI of the thing if it is there; asked where the connection broke and
                nobody knows whether the request was carried out

        Raises:
            HmcError: it failed.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                answer = self.post(uri, body)
            except UnansweredError:
                found = find()
                if found is not None:
                    return found
                if attempt == ATTEMPTS:
                    raise
            else:
                return str(answer.get("object-uri") or answer["element-uri"])
        raise AssertionError  # the last attempt returns or raises

    def post(self, uri: str, body: Properties) -> Any:
        """Ask for an operation that must not be done twice; return its result, or a
        `zhmcclient.Job`.

        Raises:
            UnansweredError: it may have been carried out, or not.
            ConflictError: the object's state does not allow it.
            HmcError: any other failure.
        """
        return self._send(
            f"POST {uri}",
            lambda session: session.post(uri, body=body, **_PLAIN_POST),
            repeatable=False,
        )

    def delete(self, uri: str) -> None:
        """Delete something; that it is gone already is as good.

        Raises:
            HmcError: it failed.
        """
        try:
            self._send(f"DELETE {uri}", lambda session: session.delete(uri, **_PLAIN))
        except NotFoundError:
            LOG.debug("%s was not there any more", uri)

    def wait(self, job: zhmcclient.Job) -> Properties | None:
        """Wait for the end of a job, and return its result.

        The pause between two polls grows with the time gone by, so that a job's end is noticed at
        most a tenth of its duration late (zhmcclient's own wait polls every 10 s).

        Raises:
            JobError: it failed.
            JobTimeoutError: it did not end in time.
            NotFoundError: the HMC does not know the job (any more).
            HmcError: the HMC cannot be asked.
        """
        begin = time.monotonic()
        while True:
            answer = self.get(job.uri)
            if answer["status"] in ("complete", "canceled"):
                self._forget(job)
                return _job_result(job, answer)
            elapsed = time.monotonic() - begin
            if elapsed > self._settings.operation_timeout:
                raise JobTimeoutError(
                    f"{job.op_method} {job.op_uri}: not done after {elapsed:.0f} s "
                    "(option hmc_operation_timeout); look at the partition and its messages on "
                    "the HMC"
                )
            pause(elapsed)

    def until(self, what: str, condition: Callable[[], Result | None]) -> Result:
        """Wait until `condition` returns something; polled as `wait` does.

        Raises:
            JobTimeoutError: it did not in time; `what` says what was waited for.
        """
        begin = time.monotonic()
        while True:
            result = condition()
            if result is not None:
                return result
            elapsed = time.monotonic() - begin
            if elapsed > self._settings.operation_timeout:
                raise JobTimeoutError(
                    f"{what}: not so after {elapsed:.0f} s (option hmc_operation_timeout)"
                )
            pause(elapsed)

    def _forget(self, job: zhmcclient.Job) -> None:
        try:
            self.delete(job.uri)
        except HmcError as error:
            LOG.debug("The HMC keeps the ended job %s: %s", job.uri, error)

    def close(self) -> None:
        """Log off, if it can be done."""
        with self._logon_lock:
            session, self._session = self._session, None
        if session is not None:
            try:
                session.logoff()
            except zhmcclient.Error as error:
                LOG.debug("Logoff failed: %s", error)

    def _send(
        self, what: str, request: Callable[[zhmcclient.Session], Any], repeatable: bool = True
    ) -> Any:
        busy_until = time.monotonic() + self._settings.busy_timeout
        failures = logons = 0
        while True:
            session = self._session or self._logon(None)
            try:
                return request(session)
            except zhmcclient.ServerAuthError as error:
                logons += 1
                if _reason(error) not in _SESSION_GONE or logons >= ATTEMPTS:
                    raise LogonError(f"{what}: {error}") from None
                LOG.info("The session with HMC %s has expired", session.actual_host)
                self._logon(session)
            except zhmcclient.HTTPError as error:
                failures += not _is_busy(error)
                if not self._is_worth_repeating(error, repeatable, failures, busy_until):
                    raise _http_error(what, error) from None
                LOG.info("%s: %s,%s; again", what, error.http_status, error.reason)
                pause(0, least=0.3 * (failures + 1))
            except zhmcclient.ConnectionError as error:
                failures += 1
                not_sent = _was_not_sent(error)
                if _is_certificate(error):
                    raise _certificate_error(session, error) from None
                LOG.warning("%s: no answer from HMC %s: %s", what, session.actual_host, error)
                if failures >= ATTEMPTS or not (not_sent or repeatable):
                    kind = UnreachableError if not_sent else UnansweredError
                    answer = f"{what}: no answer from HMC {session.actual_host}: {error}"
                    raise kind(answer) from None
                if not_sent:
                    self._logon(session)
            except zhmcclient.Error as error:
                raise HmcError(f"{what}: {error}") from None

    @staticmethod
    def _is_worth_repeating(
        error: zhmcclient.HTTPError, repeatable: bool, failures: int, busy_until: float
    ) -> bool:
        if _is_busy(error):
            return time.monotonic() < busy_until
        is_failure = error.http_status >= HTTPStatus.INTERNAL_SERVER_ERROR
        return bool(is_failure) and repeatable and failures < ATTEMPTS

    def _logon(self, failed: zhmcclient.Session | None) -> zhmcclient.Session:
        """Return a session other than `failed`: another thread's, or a new one."""
        with self._logon_lock:
            if self._session is not None and self._session is not failed:
                return self._session
            session = self._new_session()
            try:
                session.logon()
            except zhmcclient.ServerAuthError as error:
                raise LogonError(
                    f"HMC {session.actual_host} refused the logon of user "
                    f"{self._settings.username}: {error}. Check hmc_username and hmc_password"
                ) from None
            except zhmcclient.ConnectionError as error:
                if _is_certificate(error):
                    raise _certificate_error(session, error) from None
                raise UnreachableError(
                    f"No HMC answers: tried {', '.join(self._settings.hosts)} "
                    f"port {self._settings.port}: {error}"
                ) from None
            except zhmcclient.HTTPError as error:
                raise _http_error("Logon", error) from None
            except zhmcclient.Error as error:
                raise HmcError(f"Logon to HMC {session.actual_host}: {error}") from None
            # The session's own pool keeps 10 connections; each further thread would pay for a new
            # one.
            session.session.mount(
                "https://", requests.adapters.HTTPAdapter(pool_maxsize=CONNECTIONS)
            )
            LOG.info("Logged on to HMC %s", session.actual_host)
            self._session = session
            return session

    def _new_session(self) -> zhmcclient.Session:
        settings = self._settings
        return zhmcclient.Session(
            list(settings.hosts),
            userid=settings.username,
            password=settings.password,
            port=settings.port,
            verify_cert=settings.verify,
            retry_timeout_config=zhmcclient.RetryTimeoutConfig(
                connect_timeout=settings.connect_timeout,
                read_timeout=settings.read_timeout,
                connect_retries=0,
                read_retries=0,
            ),
        )


#: A request as it is: logging on and repeating is done here.
_PLAIN: dict[str, Any] = {"logon_required": False, "renew_session": False}
_PLAIN_POST: dict[str, Any] = {**_PLAIN, "wait_for_completion": False}


def pause(elapsed: float, least: float = 0.1, most: float = 10.0) -> None:
    """Sleep a tenth of the seconds gone by, in bounds."""
    time.sleep(min(max(elapsed / 10, least), most))


def _job_result(job: zhmcclient.Job, answer: Properties) -> Properties | None:
    result: Properties = answer.get("job-results") or {}
    status = answer.get("job-status-code")
    if answer["status"] == "canceled":
        raise JobError(f"{job.op_method} {job.op_uri}: somebody canceled it on the HMC")
    if status is None or status >= HTTPStatus.BAD_REQUEST:
        message = result.get("message") or result.get("error") or "no reason given"
        raise JobError(
            f"{job.op_method} {job.op_uri}: failed with {status},"
            f"{answer.get('job-reason-code')}: {message}"
        )
    return result


def _is_busy(error: zhmcclient.HTTPError) -> bool:
    return bool(error.http_status == HTTPStatus.SERVICE_UNAVAILABLE) or (
        error.http_status == HTTPStatus.CONFLICT and error.reason == _BUSY
    )


def _http_error(what: str, error: zhmcclient.HTTPError) -> HttpError:
    kind = HttpError
    if error.http_status == HTTPStatus.NOT_FOUND and error.reason == _MISSING:
        kind = NotFoundError
    elif error.http_status == HTTPStatus.CONFLICT:
        kind = ConflictError
    return kind(what, error.http_status, error.reason, error.message)


def _reason(error: zhmcclient.ServerAuthError) -> int | None:
    details = error.details
    return details.reason if isinstance(details, zhmcclient.HTTPError) else None


def _causes(error: BaseException) -> list[BaseException]:
    """Return an error and those inside it: requests and urllib3 wrap them in several ways."""
    found: list[BaseException] = []
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if each in found:
            continue
        found.append(each)
        inner = [*each.args, getattr(each, "reason", None), getattr(each, "details", None)]
        waiting += [one for one in inner if isinstance(one, BaseException)]
    return found


def _was_not_sent(error: zhmcclient.ConnectionError) -> bool:
    return isinstance(error, zhmcclient.ConnectTimeout) or any(
        isinstance(each, urllib3.exceptions.NewConnectionError | urllib3.exceptions.SSLError)
        for each in _causes(error)
    )


def _is_certificate(error: zhmcclient.ConnectionError) -> bool:
    return any(
        isinstance(each, urllib3.exceptions.SSLError | OSError)
        and re.search("certificate|CA bundle|CA_BUNDLE", str(each))
        for each in _causes(error)
    )


def _certificate_error(session: zhmcclient.Session, error: Exception) -> CertificateError:
    return CertificateError(
        f"The certificate of HMC {session.actual_host} cannot be verified: {error}. "
        "Set hmc_ca_file to the certificate of the authority that signed it"
    )
