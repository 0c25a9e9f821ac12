"""Asynchronous operations: an answer 202 with a job, which the client asks about until it ends."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dpm_lab.hmc.api.clock import Clock
from dpm_lab.hmc.api.faults import Fault
from dpm_lab.hmc.api.refusals import Reason, Refusal, not_found, wrong_state
from dpm_lab.hmc.errors import ControlError

#: What takes its time, and how many seconds where nothing else was ordered.
DURATIONS: Mapping[str, float] = {
    "start": 0.2,
    "stop": 0.2,
    "shutdown": 0.0,
    "discovery": 0.2,
    "ports": 5.0,
    "fulfil": 0.0,
    "nic": 0.2,
    "cancel": 2.0,
    "psw-restart": 0.2,
    "start-dump-program": 0.2,
    "scsi-dump": 0.2,
}


def durations(given: Mapping[str, Any]) -> dict[str, float]:
    """Return how long each operation takes where some are as said.

    Raises:
        ControlError: there is no such operation, or it is no time
    """
    for name in given:
        if name not in DURATIONS:
            raise ControlError(f"no duration {name!r}: there are {', '.join(DURATIONS)}")
    try:
        times = {name: float(seconds) for name, seconds in given.items()}
        if not all(0 <= seconds < float("inf") for seconds in times.values()):
            raise ValueError
    except (TypeError, ValueError) as error:
        raise ControlError(f"a duration is a number of seconds, not {dict(given)}") from error
    return {**DURATIONS, **times}


@dataclass
class Work:
    """What a job does: `done` when it ends well, `undone` when it fails or is cancelled.

    `done` may raise `Refusal`: then the job fails with that status, and `undone` is called.
    """

    operation: str
    done: Callable[[], dict[str, Any] | None]
    undone: Callable[[], None]
    can_be_cancelled: bool = True
    #: Seconds that it takes besides.
    longer: float = 0.0


@dataclass
class Job:
    """A job that runs or has ended."""

    key: str
    session: str
    work: Work
    #: ``running``, ``cancel-pending``, ``canceled``, ``complete``
    status: str = "running"
    code: int | None = None
    reason: int | None = None
    results: dict[str, Any] | None = None

    @property
    def uri(self) -> str:
        """Where its status is."""
        return f"/api/jobs/{self.key}"

    def to_dict(self) -> dict[str, Any]:
        """Return the answer to "Query Job Status" (fields: zhmcclient ``Job.query_status``)."""
        answer: dict[str, Any] = {"status": self.status}
        if self.code is not None:
            answer |= {"job-status-code": self.code, "job-reason-code": self.reason}
            if self.results is not None:
                answer["job-results"] = self.results
        return answer


class Jobs:
    """All jobs that were not deleted yet. To be used with the lock of the resource tree held."""

    def __init__(self, clock: Clock, given: Mapping[str, Any]) -> None:
        self._clock = clock
        self._jobs: dict[str, Job] = {}
        self._initial = durations(given)
        self._durations = dict(self._initial)
        self.ended: Callable[[Job], None] = lambda job: None

    def set_duration(self, operation: str, seconds: float) -> None:
        """Say how long an operation takes from now on.

        Raises:
            ControlError: there is no such operation, or it is no time
        """
        self._durations[operation] = durations({operation: seconds})[operation]

    def duration(self, operation: str) -> float:
        """Return how long it takes, in seconds."""
        return self._durations[operation]

    def after(self, operation: str, call: Callable[[], None], longer: float = 0.0) -> None:
        """Have `call` called after what an operation takes; at once where that is nothing."""
        seconds = self.duration(operation) + longer
        if seconds:
            self._clock.after(seconds, call)
        else:
            call()

    def reset(self) -> None:
        """Forget all jobs; operations take as long as at the start."""
        self._jobs.clear()
        self._durations = dict(self._initial)

    def start(self, work: Work, session: str, faults: list[Fault]) -> Job:
        """Begin one, for whom `session` is logged on."""
        job = Job(str(uuid.uuid4()), session, work)
        self._jobs[job.key] = job
        kinds = {fault.kind: fault for fault in faults}
        if "job-never-ends" not in kinds:
            failure = kinds.get("job-fails")
            # Where it takes no time, it has ended before anyone can ask.
            self.after(work.operation, lambda: self._end(job, failure), longer=work.longer)
        return job

    def _end(self, job: Job, failure: Fault | None) -> None:
        if job.status != "running" or job.key not in self._jobs:
            return
        job.status = "complete"
        try:
            if failure is not None:
                raise Refusal(failure.status, failure.reason, failure.message)
            job.results = job.work.done()
        except Refusal as refusal:
            job.work.undone()
            job.code, job.reason = refusal.status, refusal.reason
            job.results = {"message": refusal.message}
        else:
            job.code, job.reason = (204, 0) if job.results is None else (200, 0)
        self.ended(job)

    def find(self, key: str) -> Job:
        """Return one.

        Raises:
            Refusal: 404, 1: there is none, any more.
        """
        try:
            return self._jobs[key]
        except KeyError:
            raise not_found(f"/api/jobs/{key}") from None

    def delete(self, key: str) -> None:
        """Forget one that has ended.

        Raises:
            Refusal: 404, 1, or 409, 40 while it runs (zhmcclient, ``Job.delete``).
        """
        if self.find(key).status not in {"complete", "canceled"}:
            raise Reason.JOB_RUNS(f"The job {key} has not ended")
        del self._jobs[key]

    def cancel(self, key: str) -> None:
        """Have one be cancelled: it is ``cancel-pending`` until it is so.

        Raises:
            Refusal: 404, 1; 404, 4 where the operation cannot be cancelled; 409, 42 when that is
                under way, 409, 41 when it has ended (zhmcclient, ``Job.cancel``).
        """
        job = self.find(key)
        if not job.work.can_be_cancelled:
            raise Reason.JOB_GOES_ON("The operation of this job cannot be cancelled")
        if job.status == "cancel-pending":
            raise Reason.JOB_IS_ENDING(f"The job {key} is about to be cancelled")
        if job.status != "running":
            raise Reason.JOB_HAS_ENDED(f"The job {key} has ended")
        job.status = "cancel-pending"
        self.after("cancel", lambda: self._cancelled(job))

    def _cancelled(self, job: Job) -> None:
        job.status = "canceled"
        # What a cancelled job's result looks like is guessed.
        refusal = wrong_state("The job was cancelled")
        job.code, job.reason = refusal.status, refusal.reason
        job.results = {"message": refusal.message}
        job.work.undone()
        self.ended(job)
