"""The fault matrix: each request of an operation fails in each way, in processes of their own.

A case is one request, one kind of failure, and whether it lasts. It is judged by what is on the HMC
afterwards (`Verdict`), not by which error came out, but for that being one that Nova knows.
"""

from __future__ import annotations

import atexit
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum

from nova.exception import NovaException

from dpm_lab.hmc import Fault, Request
from tests.driver.compute import Compute, Server, hipersockets_port, port, server, wrongs
from tests.driver.lab import Lab

SUBJECTS = (
    ("z13", "spawn"),
    ("z13", "delete"),
    ("z16", "spawn"),
    ("z16", "delete"),
    ("z17", "spawn"),
    ("z13", "reboot"),
    ("z16", "attach port"),
    ("z17", "attach HiperSockets"),
    ("z16", "detach port"),
)
"""Machines and operations. Of z17 what differs from z16: NICs. Of the last four what changes
something: reads fail as they do in the others."""

_SLOW = 0.02
_TOO_SLOW = 0.75
_IMPATIENT = 0.3

KINDS: dict[str, Fault] = {
    "delay": Fault(kind="delay", seconds=_SLOW),
    # The HMC carries the request out after the client has given it up.
    "late": Fault(kind="delay", seconds=_TOO_SLOW),
    "drop-before": Fault(kind="drop-before"),
    "drop-after": Fault(kind="drop-after"),
    "conflict": Fault(kind="status", status=409, reason=1),
    "busy": Fault(kind="status", status=409, reason=2),
    "500": Fault(kind="status", status=500),
    "503": Fault(kind="status", status=503, reason=1),
    "expired": Fault(kind="expire-session"),
    "job-fails": Fault(kind="job-fails", status=500, reason=263),
    "job-never-ends": Fault(kind="job-never-ends"),
    # From this request on nothing is answered any more.
    "gone": Fault(kind="drop-before"),
}
LASTING = (
    "drop-before",
    "drop-after",
    "conflict",
    "busy",
    "500",
    "503",
    "expired",
    "job-fails",
    "job-never-ends",
    "gone",
)
_ONLY_LASTING = ("gone",)
_OF_CHANGES = ("delay", "late", "drop-after", "conflict")
"""What says nothing new of a read: one that is a little late is answered, one whose answer is lost
was as good as not sent, and none conflicts with a status."""
_JOBS = ("job-fails", "job-never-ends")
_TOO_LATE = ("reboot", True)
"""A stop that the HMC carries out when the partition was stopped and started again since: no client
can call it back. (The true time-out is 300 s, not 0.3 s.)"""


class Verdict(Enum):
    """What came of a case."""

    IN_SPITE = "done in spite of the failure"
    AT_ONCE = "failed, and Nova's own cleanup left nothing"
    REPEATED = "failed, and was right when it was repeated"
    WRONG = "wrong"


@dataclass(frozen=True)
class Step:
    """A request of a good run: number `occurrence` of its `pattern`, `place` of all, from 0."""

    pattern: str
    occurrence: int
    place: int
    starts_job: bool
    changes: bool


@dataclass(frozen=True)
class Case:
    """One request that fails in one way."""

    machine: str
    operation: str
    step: Step
    kind: str
    lasting: bool

    def __str__(self) -> str:
        how = "lasting " if self.lasting else ""
        number = f" #{self.step.occurrence + 1}" if self.step.occurrence else ""
        return f"{self.machine} {self.operation}: {how}{self.kind} at {self.step.pattern}{number}"

    @property
    def fault(self) -> Fault:
        """The order to the lab."""
        method, _, path = self.step.pattern.partition(" ")
        after, times = self.step.occurrence, None if self.lasting else 1
        uri = re.escape(path).replace(r"\{\}", "[^/]+")
        if self.kind == "gone":
            method, uri, after = ".*", ".*", self.step.place
        return Fault(**{**KINDS[self.kind].to_dict(), "method": method, "uri": uri,
                        "after": after, "times": times})  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """A case, what came of it, and what was wrong."""

    case: Case
    verdict: Verdict
    problems: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.case}: {'; '.join(self.problems) or self.verdict.value}"


def steps(machine: str, operation: str) -> list[Step]:
    """Return the requests of a good run. Of polls of a job or status the first stands for all."""
    with Lab(machine) as lab:
        subject = server(lab, ports=2)
        compute = Compute(lab)
        if operation == "spawn":
            lab.control.reset_log()
            compute.build(subject)
        else:
            change, _ = _prepared(lab, compute, subject, operation)
            change()
        return list(_steps(lab.control.requests()))


def _prepared(
    lab: Lab, compute: Compute, subject: Server, operation: str
) -> tuple[Callable[[], None], Server | None]:
    """Build a server, and return what changes it, and what it is to be then (None: gone)."""
    compute.build(subject)
    new = port(lab, 1)
    context, instance, old = compute.context, subject.instance, subject.ports[0]
    fast = hipersockets_port(lab)
    more = replace(subject, ports=(*subject.ports, new))
    less = replace(subject, ports=subject.ports[1:])
    found: dict[str, tuple[Callable[[], None], Server | None]] = {
        "delete": (lambda: compute.delete(subject), None),
        "reboot": (lambda: compute.reboot(subject), subject),
        "attach port": (
            lambda: compute.driver.attach_interface(context, instance, None, new),
            more,
        ),
        "attach HiperSockets": (
            lambda: compute.driver.attach_interface(context, instance, None, fast),
            replace(subject, ports=(*subject.ports, fast)),
        ),
        "detach port": (lambda: compute.driver.detach_interface(context, instance, old), less),
    }
    compute.restart()
    lab.control.reset_log()
    return found[operation]


def _steps(requests: list[Request]) -> Iterator[Step]:
    seen: dict[str, int] = {}
    for place, request in enumerate(requests):
        pattern = request.pattern
        occurrence = seen.get(pattern, 0)
        seen[pattern] = occurrence + 1
        before = requests[place - 1] if place else None
        is_again = before is not None and (request.method, request.uri) == (
            before.method,
            before.uri,
        )
        if (request.method == "GET" and is_again) or (pattern == "GET /api/jobs/{}" and occurrence):
            continue
        yield Step(pattern, occurrence, place, request.status == 202, request.method != "GET")


def cases(machine: str, operation: str) -> Iterator[Case]:
    """Return all cases of an operation on a machine."""
    for step in steps(machine, operation):
        if machine == "z17" and not re.search("/nics|/adapters", step.pattern):
            continue
        if operation not in ("spawn", "delete") and not step.changes:
            continue
        for kind in KINDS:
            if kind in _JOBS and not step.starts_job:
                continue
            if kind in _OF_CHANGES and not step.changes:
                continue
            if kind == "late" and (operation, step.starts_job) == _TOO_LATE:
                continue
            for lasting in (False, True):
                if (kind not in LASTING) if lasting else (kind in _ONLY_LASTING):
                    continue
                yield Case(machine, operation, step, kind, lasting)


_labs: dict[str, Lab] = {}


def _lab(machine: str) -> Lab:
    if machine not in _labs:
        lab = _labs[machine] = Lab(machine)
        lab.__enter__()
        atexit.register(lab.server.close)
    return _labs[machine]


def judge(case: Case) -> Outcome:
    """Run a case, on an HMC that the process keeps."""
    lab = _lab(case.machine)
    subject = server(lab, ports=2)
    compute = Compute(lab, _IMPATIENT if case.kind == "late" else None)
    try:
        run = _spawn if case.operation == "spawn" else _change
        verdict, problems = run(lab, compute, subject, case)
        if not problems and verdict is not Verdict.IN_SPITE:
            problems = _next_try(lab, compute, subject)
    except Exception as error:  # noqa: BLE001 - it is the case's outcome, and the others go on
        verdict, problems = Verdict.WRONG, [f"{type(error).__name__}: {error}"]
    lab.control.clear_faults()
    if lab.left():
        lab.control.reset()
    return Outcome(case, Verdict.WRONG if problems else verdict, tuple(problems))


def _spawn(lab: Lab, compute: Compute, subject: Server, case: Case) -> tuple[Verdict, list[str]]:
    lab.control.reset_log()
    lab.control.add_fault(case.fault)
    try:
        compute.build(subject)
        _await_late(lab, case)
    except NovaException:
        _await_late(lab, case)
        problems = _made_twice(lab, case)
        if not case.lasting:
            return Verdict.AT_ONCE, problems + _left(lab, "after Nova's cleanup")
        verdict = Verdict.REPEATED if lab.left() else Verdict.AT_ONCE
        lab.control.clear_faults()
        compute.delete(subject)
        return verdict, problems + _left(lab, "after the cleanup was repeated")
    lab.control.clear_faults()
    problems = _made_twice(lab, case) + wrongs(lab, subject)
    compute.delete(subject)
    return Verdict.IN_SPITE, problems + _left(lab, "after the server was deleted")


def _change(lab: Lab, compute: Compute, subject: Server, case: Case) -> tuple[Verdict, list[str]]:
    change, changed = _prepared(lab, compute, subject, case.operation)
    lab.control.add_fault(case.fault)
    verdict = Verdict.IN_SPITE
    try:
        change()
        _await_late(lab, case)
    except NovaException:
        _await_late(lab, case)
        verdict = Verdict.REPEATED
        lab.control.clear_faults()
        compute.restart()
        change()
    lab.control.clear_faults()
    problems = wrongs(lab, changed) if changed else []
    compute.delete(subject)
    return verdict, problems + _left(lab, "at the end")


def _next_try(lab: Lab, compute: Compute, subject: Server) -> list[str]:
    compute.build(subject)
    problems = wrongs(lab, subject)
    compute.delete(subject)
    return [f"the next try: {each}" for each in problems + _left(lab, "after it")]


def _await_late(lab: Lab, case: Case) -> None:
    """Wait until the HMC has carried out what the client has given up.

    It would do it after the server is deleted else, which no client can undo.
    """
    # On a busy machine the client may have given up an earlier request, and not sent this one.
    until = time.monotonic() + 10 * _TOO_SLOW
    while case.kind == "late" and not any(
        request.seconds >= _TOO_SLOW for request in lab.control.requests()
    ):
        if time.monotonic() > until:
            return
        time.sleep(_SLOW)


def _left(lab: Lab, when: str) -> list[str]:
    left = lab.left()
    return [f"left {when}: {', '.join(left)}"] if left else []


def _made_twice(lab: Lab, case: Case) -> list[str]:
    """Return a problem where more than one partition was made, whatever became of them."""
    creations = [
        request.status
        for request in lab.control.requests()
        if request.pattern == "POST /api/cpcs/{}/partitions"
    ]
    made = creations.count(200)
    if case.kind == "drop-after" and case.step.pattern == "POST /api/cpcs/{}/partitions":
        made += bool(creations.count(0))
    return [f"{made} partitions were made"] if made > 1 else []
