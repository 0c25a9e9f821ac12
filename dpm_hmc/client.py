"""The one door to the HMC: requests, and what takes several of them: creations and jobs."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

import zhmcclient
from oslo_log import log

from dpm_hmc import answers
from dpm_hmc.answers import Properties
from dpm_hmc.classify import no_answer_of_an_hmc
from dpm_hmc.clock import pause
from dpm_hmc.errors import (
    ConflictError,
    HmcError,
    JobError,
    JobTimeoutError,
    NameTakenError,
    UnansweredError,
)
from dpm_hmc.requests import Requests
from dpm_hmc.tries import ATTEMPTS

LOG = log.getLogger(__name__)

Result = TypeVar("Result")

CANCEL_TIMEOUT = 60.0
"""Seconds that a job may be ``cancel-pending`` (zhmcclient 1.26, ``_session.py``, `Job.cancel`; how
long it can be is written nowhere)."""

_ENDED = ("complete", "canceled")


class Hmc(Requests):
    """Requests, creations and jobs, from any thread."""

    def create(self, uri: str, body: Properties, find: Callable[[], str | None]) -> str:
        """Make something that has a unique name, once, and return its URI.

        HMC permission: as `post`.

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
        try:
            answer = self._poll(f"{_what(job)}: not done after", lambda: self._ended(job))
        except JobTimeoutError as error:
            last = self._cancel(job)
            if last is None or last["status"] != "complete":
                cure = "Look at the partition and its messages on the HMC"
                raise JobTimeoutError(error.finding, cure) from None
            return _job_result(job, last)
        self._forget(job)
        return _job_result(job, answer)

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
        return self._poll(f"{what}: not so after", condition, timeout)

    def until_shown(self, what: str, condition: Callable[[], Result | None]) -> Result:
        """Wait for what an operation leads to, after its job: the option hmc_status_timeout.

        Raises:
            JobTimeoutError: as `until`.
        """
        return self.until(what, condition, self._settings.status_timeout)

    def _poll(
        self, problem: str, condition: Callable[[], Result | None], timeout: float | None = None
    ) -> Result:
        if timeout is None:
            limit, unit = self._settings.operation_timeout, "s (option hmc_operation_timeout)"
        else:
            limit, unit = timeout, "s"
        begin = self._clock.monotonic()
        while True:
            result = condition()
            if result is not None:
                return result
            elapsed = self._clock.monotonic() - begin
            if elapsed > limit:
                raise JobTimeoutError(f"{problem} {elapsed:.0f} {unit}")
            pause(self._clock, elapsed)

    def _cancel(self, job: zhmcclient.Job) -> Properties | None:
        """Cancel a job, and return what the HMC says of it when it has ended, None: it goes on."""
        try:
            try:
                self.update(f"{job.uri}/operations/cancel", {})
            except ConflictError as error:
                # It has ended just now, or is about to be cancelled, by this request or another.
                LOG.info("%s: %s", _what(job), error.finding)
            answer = self.until(f"{_what(job)} canceled", lambda: self._ended(job), CANCEL_TIMEOUT)
        except HmcError as error:
            LOG.warning("%s goes on: %s", _what(job), error)
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


def _what(job: zhmcclient.Job) -> str:
    return f"Job {job.op_method} {job.op_uri}"


def _job_result(job: zhmcclient.Job, answer: Properties) -> Properties | None:
    result = answers.optional_object(answer, "job-results")
    status = answers.optional_number(answer, "job-status-code")
    if answer["status"] == "canceled":
        raise JobError(f"{_what(job)}: somebody canceled it on the HMC")
    if status is None or status >= HTTPStatus.BAD_REQUEST:
        message = result.get("message") or result.get("error") or "no reason given"
        raise JobError(
            f"{_what(job)}: failed with {status},{answer.get('job-reason-code')}: {message}"
        )
    return result
