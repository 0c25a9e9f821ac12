"""The one door to the HMC: requests over `zhmcclient`, repeated where that is safe.

Requests are made by URI through one `zhmcclient.Session` (`dpm_hmc.session`), not through
zhmcclient's resource objects: those fetch properties on their own, and wait for jobs with 10 s
between polls.

What is repeated (HMC Web Services API, "Common request validation reason codes"):

- 403 with reason 4 or 5: the session has expired. The request was not carried out: log on, repeat.
- 409 with reason 2, 503: the HMC or the object is busy. Not carried out: repeat for a while.
- No connection: not carried out. Repeat, from the first HMC of the list that answers; inside of
  `Hmc.patience` for as long as an HMC takes to restart.
- A connection that broke after the request was sent, and other failures of the HMC itself (5xx):
  repeat reads, updates and deletions, which can be done twice. A creation or an operation is not
  repeated here: `UnansweredError` tells the caller, who looks whether it was carried out.
- The logon: wherever it did not fail for user name, password or certificate.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, TypeVar

import zhmcclient
from oslo_log import log

from dpm_hmc import answers
from dpm_hmc.answers import Properties
from dpm_hmc.classify import (
    UNREADABLE,
    cause,
    certificate_error,
    http_error,
    is_busy,
    is_certificate,
    is_redirect,
    no_answer_of_an_hmc,
    session_is_gone,
    was_not_sent,
)
from dpm_hmc.errors import (
    AnswerError,
    CertificateError,
    ConflictError,
    HmcError,
    JobError,
    JobTimeoutError,
    LogonError,
    NameTakenError,
    NotFoundError,
    UnansweredError,
    UnreachableError,
)
from dpm_hmc.session import ATTEMPTS, PLAIN, SharedSession, is_worth_repeating, pause
from dpm_hmc.settings import HmcSettings

LOG = log.getLogger(__name__)

Result = TypeVar("Result")

CANCEL_TIMEOUT = 60.0
"""Seconds that a job may be ``cancel-pending`` (zhmcclient 1.26, ``_session.py``, `Job.cancel`; how
long it can be is written nowhere)."""

_ENDED = ("complete", "canceled")


class Hmc:
    """Requests to the first HMC that answers, from any thread.

    No lock is held during a request, but for the logon.

    Args:
        settings: addresses, user, certificates, time-outs
    """

    def __init__(self, settings: HmcSettings) -> None:
        self._settings = settings
        self._sessions = SharedSession(settings)
        self._threads = threading.local()

    @property
    def host(self) -> str:
        """Address of the HMC in use, or of all that may be."""
        return self._sessions.host

    def api_version(self) -> tuple[int, int]:
        """Return the version of the Web Services API, for which nobody has to be logged on."""
        answer = self.get("/api/version")
        major, minor = ("api-major-version", "api-minor-version")
        return answers.number(answer, major), answers.number(answer, minor)

    def get(self, uri: str) -> Properties:
        """Return what `uri` shows.

        Raises:
            NotFoundError: there is nothing at `uri`.
            HmcError: any other failure.
        """
        what = f"GET {uri}"
        result = self._send(what, lambda session: session.get(uri, **PLAIN))
        if not isinstance(result, dict):
            raise no_answer_of_an_hmc(what)
        return result

    def get_list(self, uri: str) -> list[Any]:
        """Return the list that `uri` shows.

        Raises:
            HmcError: as `get`.
        """
        what = f"GET {uri}"
        result = self._send(what, lambda session: session.get(uri, **PLAIN))
        if not isinstance(result, list):
            raise no_answer_of_an_hmc(what)
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
            NameTakenError: there is something else of this name.
            HmcError: it failed.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._made(uri, self.post(uri, body))
            except (UnansweredError, NameTakenError) as error:
                # The name is taken in the second attempt: the first one was only slow.
                may_be_ours = attempt > 1 or isinstance(error, UnansweredError)
                found = find() if may_be_ours else None
                if found is not None:
                    return found
                if attempt == ATTEMPTS or isinstance(error, NameTakenError):
                    raise
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

    def begin(self, uri: str, body: Properties) -> zhmcclient.Job:
        """Ask for an operation that takes its time; return the job to `wait` for.

        Raises:
            HmcError: as `post`.
        """
        job = self.post(uri, body)
        if not isinstance(job, zhmcclient.Job):
            raise no_answer_of_an_hmc(f"POST {uri}")
        answers.uri({"job-uri": job.uri}, "job-uri")
        return job

    def delete(self, uri: str) -> None:
        """Delete something; that it is gone already is as good.

        Raises:
            HmcError: it failed.
        """
        try:
            self._send(f"DELETE {uri}", lambda session: session.delete(uri, **PLAIN))
        except NotFoundError:
            LOG.debug("%s was not there any more", uri)

    def wait(self, job: zhmcclient.Job) -> Properties | None:
        """Wait for the end of a job, and return its result.

        The pause between two polls grows with the time gone by, so that a job's end is noticed at
        most a tenth of its duration late (zhmcclient's own wait polls every 10 s). A job that does
        not end in time is canceled, where the HMC can: what is half started cannot be stopped. That
        takes its time as well, and the job may still end well meanwhile.

        Raises:
            JobError: it failed.
            JobTimeoutError: it did not end in time.
            NotFoundError: the HMC does not know the job (any more).
            HmcError: the HMC cannot be asked.
        """
        begin = time.monotonic()
        while True:
            answer = self._ended(job)
            if answer is not None:
                self._forget(job)
                return _job_result(job, answer)
            elapsed = time.monotonic() - begin
            if elapsed > self._settings.operation_timeout:
                last = self._cancel(job)
                if last is not None and last["status"] == "complete":
                    return _job_result(job, last)
                raise JobTimeoutError(
                    f"{job.op_method} {job.op_uri}: not done after {elapsed:.0f} s "
                    "(option hmc_operation_timeout); look at the partition and its messages on "
                    "the HMC"
                )
            pause(elapsed)

    def until(
        self, what: str, condition: Callable[[], Result | None], timeout: float | None = None
    ) -> Result:
        """Wait until `condition` returns something; polled as `wait` does.

        Args:
            what: what is waited for, for the error
            condition: asked again and again
            timeout: seconds; else those of the option hmc_operation_timeout

        Raises:
            JobTimeoutError: it did not in time; `what` says what was waited for.
        """
        limit = self._settings.operation_timeout if timeout is None else timeout
        begin = time.monotonic()
        while True:
            result = condition()
            if result is not None:
                return result
            elapsed = time.monotonic() - begin
            if elapsed > limit:
                raise JobTimeoutError(
                    f"{what}: not so after {elapsed:.0f} s (option hmc_operation_timeout)"
                )
            pause(elapsed)

    def _cancel(self, job: zhmcclient.Job) -> Properties | None:
        """Cancel a job, and return what the HMC says of it when it has ended, None: it goes on."""
        try:
            try:
                self.update(f"{job.uri}/operations/cancel", {})
            except ConflictError as error:
                # It has ended just now, or is about to be cancelled, by this request or another.
                LOG.info("Job %s %s: %s", job.op_method, job.op_uri, error)
            what = f"Job {job.op_method} {job.op_uri} canceled"
            answer = self.until(what, lambda: self._ended(job), CANCEL_TIMEOUT)
        except HmcError as error:
            LOG.warning("Job %s %s goes on: %s", job.op_method, job.op_uri, error)
            return None
        self._forget(job)
        return answer

    def _ended(self, job: zhmcclient.Job) -> Properties | None:
        """Return what the HMC says of a job, None where it has not ended."""
        answer = self.get(job.uri)
        return answer if answers.text(answer, "status") in _ENDED else None

    def _forget(self, job: zhmcclient.Job) -> None:
        try:
            self.delete(job.uri)
        except HmcError as error:
            LOG.debug("The HMC keeps the ended job %s: %s", job.uri, error)

    def _made(self, uri: str, answer: Any) -> str:
        if not isinstance(answer, dict):
            raise no_answer_of_an_hmc(f"POST {uri}")
        return answers.optional_uri(answer, "object-uri") or answers.uri(answer, "element-uri")

    def close(self) -> None:
        """Log off, if it can be done."""
        self._sessions.close()

    @contextmanager
    def patience(self) -> Iterator[None]:
        """Have this thread wait inside for an HMC that restarts, up to hmc_outage_timeout."""
        before = self._is_patient
        self._threads.is_patient = True
        try:
            yield
        finally:
            self._threads.is_patient = before

    @property
    def _is_patient(self) -> bool:
        return bool(getattr(self._threads, "is_patient", False))

    def _send(
        self, what: str, request: Callable[[zhmcclient.Session], Any], repeatable: bool = True
    ) -> Any:
        begin = 0.0
        while True:
            try:
                return self._try(what, request, repeatable)
            except (CertificateError, AnswerError):
                raise
            except (UnreachableError, UnansweredError) as error:
                may_repeat = repeatable or isinstance(error, UnreachableError)
                begin = begin or time.monotonic()
                elapsed = time.monotonic() - begin
                if not (self._is_patient and may_repeat) or elapsed > self._settings.outage_timeout:
                    raise
                LOG.info("%s: waiting for an HMC (option hmc_outage_timeout)", what)
                pause(elapsed, least=2.0)

    def _try(
        self, what: str, request: Callable[[zhmcclient.Session], Any], repeatable: bool
    ) -> Any:
        busy_until = time.monotonic() + self._settings.busy_timeout
        failures = logons = 0
        while True:
            session = self._sessions.get()
            try:
                result = request(session)
                # What zhmcclient makes of HTML, with whatever status.
                if isinstance(result, dict) and "http-status" in result:
                    raise zhmcclient.ParseError(str(result.get("message")))
                return result
            except zhmcclient.ServerAuthError as error:
                logons += 1
                if not session_is_gone(error) or logons >= ATTEMPTS:
                    raise LogonError(f"{what}: {error}") from None
                LOG.info("The session with HMC %s has expired", session.actual_host)
                self._sessions.renew(session)
            except zhmcclient.HTTPError as error:
                failures += not is_busy(error)
                if not is_worth_repeating(error, repeatable, failures, busy_until):
                    raise http_error(what, error) from None
                LOG.info("%s: %s,%s; again", what, error.http_status, error.reason)
                pause(0, least=0.3 * (failures + 1))
            except zhmcclient.ConnectionError as error:
                failures += 1
                not_sent = was_not_sent(error)
                _raise_lasting(what, session.actual_host, error)
                reason = cause(error)
                LOG.warning("%s: no answer from HMC %s: %s", what, session.actual_host, reason)
                if failures >= ATTEMPTS or not (not_sent or repeatable):
                    kind = UnreachableError if not_sent else UnansweredError
                    answer = f"{what}: no answer from HMC {session.actual_host}: {reason}"
                    raise kind(answer) from None
                pause(0, least=0.3 * failures)
                if not_sent:
                    self._sessions.renew(session)
            except UNREADABLE as error:
                LOG.debug("%s: %s: %s", what, type(error).__name__, error)
                raise no_answer_of_an_hmc(what, error) from None
            except zhmcclient.Error as error:
                raise HmcError(f"{what}: {error}") from None


def _raise_lasting(what: str, host: str, error: zhmcclient.ConnectionError) -> None:
    """Raise what comes of a connection that another try would not make better."""
    if is_redirect(error):
        raise no_answer_of_an_hmc(what, error) from None
    if is_certificate(error):
        raise certificate_error(host, error) from None


_PLAIN_POST: dict[str, Any] = {**PLAIN, "wait_for_completion": False}


def _job_result(job: zhmcclient.Job, answer: Properties) -> Properties | None:
    result = answers.optional_object(answer, "job-results")
    status = answers.optional_number(answer, "job-status-code")
    if answer["status"] == "canceled":
        raise JobError(f"{job.op_method} {job.op_uri}: somebody canceled it on the HMC")
    if status is None or status >= HTTPStatus.BAD_REQUEST:
        message = result.get("message") or result.get("error") or "no reason given"
        raise JobError(
            f"{job.op_method} {job.op_uri}: failed with {status},"
            f"{answer.get('job-reason-code')}: {message}"
        )
    return result
