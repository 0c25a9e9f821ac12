"""Start and Stop Partition, seen to their end: the status that they lead to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from oslo_log import log

from dpm_hmc import answers
from dpm_hmc.client import Hmc
from dpm_hmc.errors import (
    ConflictError,
    HttpError,
    JobTimeoutError,
    NotFoundError,
    StateError,
    UnansweredError,
)
from dpm_hmc.statuses import Status
from nova_dpm.errors import NothingRunsError

LOG = log.getLogger(__name__)

_WHY = {
    Status.PAUSED: "nothing could be loaded, or what was loaded has ended; its operating system "
    "messages on the HMC say why. Is the boot volume an s390x image?",
    Status.TERMINATED: "its operating system has ended; its operating system messages on the HMC "
    "say why",
    Status.RESERVATION_ERROR: "the CPC cannot give it its processors, memory or adapters; its "
    "hardware messages on the HMC say which",
}

_TRIES = 2


@dataclass(frozen=True)
class Operation:
    """Start or Stop Partition.

    Args:
        name: in the API
        under_way: while it runs
        is_done: whether a status is what it is to lead to
        ends_halted: whether it may also end in a partition that is halted
    """

    name: str
    under_way: Status
    is_done: Callable[[Status], bool]
    ends_halted: bool = False

    def is_begun(self, seen: Sequence[Status]) -> bool:
        """Whether it has begun, by the statuses that were seen since it was asked for."""
        return self.under_way in seen or (self.ends_halted and seen[-1].is_halted)


START = Operation("start", Status.STARTING, attrgetter("is_running"), ends_halted=True)
STOP = Operation("stop", Status.STOPPING, attrgetter("is_stopped"))


def status_of(hmc: Hmc, uri: str) -> Status:
    """Return a partition's status.

    Raises:
        NotFoundError: it is not there.
        HmcError: the HMC failed.
    """
    return Status(answers.text(hmc.get(uri), "status"))


def run(hmc: Hmc, uri: str, operation: Operation) -> None:
    """Do an operation once, or join the one that is under way, and see it to its end.

    That is not the end of the job, but the status that it leads to: it also tells whether a
    request was carried out whose answer was lost, or was an error of the HMC itself.

    Raises:
        NothingRunsError: it was started, and nothing runs in it.
        HmcError: the partition did not become what the operation makes of it.
    """
    for attempt in range(1, _TRIES + 1):
        try:
            job = hmc.begin(f"{uri}/operations/{operation.name}", {})
        except (UnansweredError, HttpError) as error:
            # It was carried out and the answer lost, or the state is not right for it.
            if isinstance(error, HttpError) and not _leaves_doubt(error):
                raise
            seen = _statuses(hmc, uri)
            if operation.is_done(seen[-1]):
                return
            if operation.is_begun(seen) or attempt == _TRIES:
                # What this request or another did may show late.
                if operation.is_done(_become(hmc, uri, operation)):
                    return
                raise
            text = "Partition %s is %s after: %s; %s again"
            LOG.info(text, uri, seen[-1], error, operation.name)
        else:
            try:
                hmc.wait(job)
            except NotFoundError:
                pass  # the HMC lost the job, not what the job did
            except JobTimeoutError:
                if operation.is_done(status_of(hmc, uri)):
                    return
                raise
            break
    status = _become(hmc, uri, operation)
    if not operation.is_done(status):
        why = _WHY.get(status, "its hardware and operating system messages on the HMC say why")
        finding = f"Partition {uri} is {status} after {operation.name}: {why}"
        if operation is START and status.is_halted:
            raise NothingRunsError(finding, status)
        raise StateError(finding)


def _become(hmc: Hmc, uri: str, operation: Operation) -> Status:
    """Return the status that an operation leads to, or the one in which it stays instead.

    After the end of the job the HMC may show the one before, or ``paused``, for a while (zhmcclient
    1.26, ``_partition.py``, "deferred status behavior").
    """

    def is_last(status: Status) -> bool:
        return operation.is_done(status) or status == Status.RESERVATION_ERROR

    def last() -> Status | None:
        status = status_of(hmc, uri)
        return status if is_last(status) else None

    status = _statuses(hmc, uri)[-1]
    if is_last(status):
        return status
    try:
        return hmc.until_shown(f"Partition {uri} as it should be", last)
    except JobTimeoutError:
        return status_of(hmc, uri)


def _statuses(hmc: Hmc, uri: str) -> list[Status]:
    """Return the statuses that are seen until one is settled."""
    seen: list[Status] = []

    def settled() -> list[Status] | None:
        seen.append(status_of(hmc, uri))
        return seen if seen[-1].is_settled else None

    return hmc.until(f"Partition {uri} neither starting nor stopping", settled)


def _leaves_doubt(error: HttpError) -> bool:
    """Whether the operation may be done, or under way, in spite of this answer."""
    return isinstance(error, ConflictError) or error.is_failure
