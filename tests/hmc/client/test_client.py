"""The door to the HMC: what is sent again and what is not, logons, jobs."""

from __future__ import annotations

import re
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest

import dpm_hmc.connection
import dpm_hmc.session
from dpm_hmc.client import Hmc
from dpm_hmc.errors import (
    CertificateError,
    ConflictError,
    DpmError,
    HttpError,
    JobTimeoutError,
    LogonError,
    NameTakenError,
    NotFoundError,
    UnansweredError,
    UnreachableError,
)
from dpm_hmc.tries import ATTEMPTS
from dpm_lab.hmc import Fault, HmcServer
from tests.driver.lab import Lab
from tests.unit.dpm_hmc.simulated import SimulatedTime

BODY = {"ifl-processors": 1, "initial-memory": 512, "maximum-memory": 512}


class Subject:
    """A stopped partition, and each way to ask something of it."""

    def __init__(self, lab: Lab, hmc: Hmc) -> None:
        self.lab = lab
        self.hmc = hmc
        self.list_uri = f"/api/cpcs/{lab.cpc_id}/partitions"
        [self.uri] = lab.control.add_partitions(1)

    def find(self) -> str | None:
        listed = self.hmc.get(f"{self.list_uri}?name=new")["partitions"]
        return str(listed[0]["object-uri"]) if listed else None

    def ask(self, method: str) -> Any:
        ways: dict[str, Callable[[], Any]] = {
            "get": lambda: self.hmc.get(self.uri),
            "update": lambda: self.hmc.update(self.uri, {"description": "d"}),
            "create": lambda: self.hmc.create(self.list_uri, {"name": "new", **BODY}, self.find),
            "post": lambda: self.hmc.post(f"{self.uri}/operations/start", {}),
            "delete": lambda: self.hmc.delete(self.uri),
        }
        return ways[method]()

    def fault(self, method: str, **fields: Any) -> None:
        places = {
            "get": ("GET", self.uri),
            "update": ("POST", self.uri),
            "create": ("POST", self.list_uri),
            "post": ("POST", f"{self.uri}/operations/start"),
            "delete": ("DELETE", self.uri),
        }
        verb, uri = places[method]
        self.lab.control.add_fault(Fault(method=verb, uri=uri, **fields))

    def sent(self, method: str) -> int:
        patterns = {
            "get": "GET /api/partitions/{}",
            "update": "POST /api/partitions/{}",
            "create": "POST /api/cpcs/{}/partitions",
            "post": "POST /api/partitions/{}/operations/start",
            "delete": "DELETE /api/partitions/{}",
        }
        return self.lab.control.counts().get(patterns[method], 0)


@pytest.fixture
def subject(lab: Lab, hmc: Hmc) -> Subject:
    return Subject(lab, hmc)


FAILURES: dict[str, dict[str, Any]] = {
    "drop-before": {"kind": "drop-before"},
    "drop-after": {"kind": "drop-after"},
    "500": {"status": 500},
    "503": {"status": 503},
    "busy": {"status": 409, "reason": 2},
    "conflict": {"status": 409, "reason": 1},
    "expired": {"kind": "expire-session"},
    "no session": {"status": 403, "reason": 4},
}
#: How often each request is sent where it fails once, and the error that comes of it.
REPEATED: dict[str, dict[str, tuple[int, type[DpmError] | None]]] = {
    "drop-before": {
        "get": (2, None),
        "update": (2, None),
        "create": (2, None),
        "post": (1, UnansweredError),
        "delete": (2, None),
    },
    "drop-after": {
        "get": (2, None),
        "update": (2, None),
        "create": (1, None),
        "post": (1, UnansweredError),
        "delete": (2, None),
    },
    "500": {
        "get": (2, None),
        "update": (2, None),
        "create": (1, HttpError),
        "post": (1, HttpError),
        "delete": (2, None),
    },
    **{
        failure: dict.fromkeys(("get", "update", "create", "post", "delete"), (2, None))
        for failure in ("503", "busy", "expired", "no session")
    },
    "conflict": dict.fromkeys(("get", "update", "create", "post", "delete"), (1, ConflictError)),
}


@pytest.mark.parametrize(
    ("failure", "method"), [(failure, method) for failure in REPEATED for method in REPEATED["500"]]
)
def test_a_request_that_fails_once_is_repeated_where_that_is_safe(
    subject: Subject, failure: str, method: str
) -> None:
    times, error = REPEATED[failure][method]
    subject.fault(method, **FAILURES[failure])
    subject.lab.control.reset_log()

    if error is None:
        subject.ask(method)
    else:
        with pytest.raises(error):
            subject.ask(method)

    assert subject.sent(method) == times


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        ("drop-before", UnansweredError),
        ("drop-after", UnansweredError),
        ("500", HttpError),
        ("expired", LogonError),
    ],
)
def test_a_request_that_always_fails_is_given_up(
    subject: Subject, failure: str, error: type[DpmError]
) -> None:
    subject.fault("get", times=None, **FAILURES[failure])
    subject.lab.control.reset_log()

    with pytest.raises(error):
        subject.ask("get")

    assert subject.sent("get") == ATTEMPTS


def test_an_object_that_stays_busy_is_given_up(subject: Subject) -> None:
    subject.fault("update", times=None, **FAILURES["busy"])

    with pytest.raises(ConflictError):
        subject.ask("update")

    assert subject.sent("update") > ATTEMPTS


def test_a_creation_that_was_only_slow_is_found(subject: Subject) -> None:
    # The first request is not answered, is not there when it is looked for, and is then.
    looks = iter([None, "/api/partitions/slow"])
    subject.lab.control.add_partitions(1, "new")
    subject.fault("create", kind="drop-before")

    uri = subject.hmc.create(subject.list_uri, {"name": "new", **BODY}, lambda: next(looks))

    assert uri == "/api/partitions/slow"


def test_a_name_that_somebody_else_has_is_an_error(subject: Subject) -> None:
    subject.lab.control.add_partitions(1, "new")

    with pytest.raises(NameTakenError):
        subject.ask("create")


def test_what_is_not_there_is_an_error_but_for_a_deletion(subject: Subject) -> None:
    subject.ask("delete")

    with pytest.raises(NotFoundError):
        subject.ask("get")
    subject.ask("delete")


def test_an_expired_session_is_renewed_by_one_of_several_threads(
    subject: Subject, lab: Lab
) -> None:
    count = 16
    barrier = threading.Barrier(count, lab.control.expire_sessions, timeout=300)
    subject.ask("get")
    lab.control.reset_log()

    def ask(number: int) -> Any:
        barrier.wait()
        return subject.ask("get")["name"]

    with ThreadPoolExecutor(count) as pool:
        found = list(pool.map(ask, range(count)))

    assert set(found) == {"other-0"}
    assert lab.control.counts()["POST /api/sessions"] == 1


@pytest.mark.parametrize("failure", ["drop-before", "drop-after", "500", "503", "busy"])
def test_a_logon_that_fails_once_is_repeated(lab: Lab, failure: str) -> None:
    lab.control.add_fault(Fault(method="POST", uri="/api/sessions", **FAILURES[failure]))
    hmc = lab.hmc()

    assert hmc.api_version() == (2, 1)
    hmc.close()


def test_a_wrong_password_is_tried_once_and_is_in_no_text(lab: Lab) -> None:
    hmc = lab.hmc(password="wr0ng-s3cret")
    lab.control.reset_log()

    with pytest.raises(LogonError, match="Check hmc_username and hmc_password") as caught:
        hmc.api_version()

    assert lab.control.counts()["POST /api/sessions"] == 1
    assert "wr0ng-s3cret" not in "".join(traceback.format_exception(caught.value))


def refused(hmc: Hmc) -> str:
    with pytest.raises(LogonError) as caught:
        hmc.api_version()
    return str(caught.value)


def test_a_refused_logon_is_not_repeated_by_who_asks_next_or_waits(lab: Lab) -> None:
    hmc = lab.hmc(password="wrong")
    lab.control.reset_log()

    with ThreadPoolExecutor(10) as pool:
        said = set(pool.map(lambda _: refused(hmc), range(20)))

    assert lab.control.counts()["POST /api/sessions"] == 1
    assert len(said) == 1


def test_after_a_refused_logon_the_next_ones_come_in_growing_pauses_until_one_succeeds(
    lab: Lab,
) -> None:
    clock = SimulatedTime()
    right, wrong = lab.settings().hmc, lab.settings(password="wrong").hmc
    hmc = Hmc(wrong, clock)
    lab.control.reset_log()
    logons: list[float] = []
    for _ in range(20 * 60):
        refused(hmc)
        if lab.control.counts()["POST /api/sessions"] > len(logons):
            logons.append(clock.now - 1000)
        clock.now += 10

    pauses = [after - before for before, after in pairwise(logons)]
    assert pauses == [60, 120, 240, 480, 960, 1920, 3600, 3600]

    hmc._sessions._settings = right  # as if the password had been set on the HMC
    clock.now += 3600
    hmc.api_version()
    hmc.close()
    hmc._sessions._settings = wrong
    refused(hmc)
    clock.now += 61
    lab.control.reset_log()
    refused(hmc)
    assert lab.control.counts()["POST /api/sessions"] == 1


@pytest.mark.parametrize(
    ("reason", "cure"),
    [
        (0, "Check hmc_username and hmc_password"),
        (40, "disabled.*enable it on the HMC"),
        (41, "access to the Web Services management interfaces"),
    ],
)
def test_each_way_of_being_refused_has_its_own_cure(lab: Lab, reason: int, cure: str) -> None:
    lab.control.add_fault(Fault(method="POST", uri="/api/sessions", status=403, reason=reason))
    hmc = lab.hmc()

    assert re.search(cure, refused(hmc))


def test_a_certificate_of_an_unknown_authority_is_named(lab: Lab) -> None:
    hmc = lab.hmc(verify=True)

    with pytest.raises(CertificateError, match="hmc_ca_file"):
        hmc.api_version()


class MeetingLock:
    """A lock that nobody gets before all threads want it."""

    def __init__(self, threads: int) -> None:
        self._barrier = threading.Barrier(threads, timeout=300)
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._barrier.wait()
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()


def test_where_no_hmc_answers_all_threads_fail_with_the_one_that_tried(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    with HmcServer("z13") as gone:
        port = gone.port
    hmc = lab.hmc(port=port)
    tries: list[object] = []
    new_session = dpm_hmc.connection.new_session

    def counted(*arguments: Any) -> object:
        tries.append(None)
        return new_session(*arguments)

    monkeypatch.setattr(hmc._sessions, "_logon_lock", MeetingLock(4))
    monkeypatch.setattr(dpm_hmc.session, "new_session", counted)

    def ask(number: int) -> str:
        with pytest.raises(UnreachableError) as caught:
            hmc.api_version()
        return str(caught.value)

    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(ask, range(4)))

    assert all(str(port) in each for each in said)
    assert len(tries) == ATTEMPTS


def test_a_job_that_does_not_end_is_canceled(subject: Subject, lab: Lab) -> None:
    subject.fault("post", kind="job-never-ends")
    job = subject.ask("post")

    with pytest.raises(JobTimeoutError, match="hmc_operation_timeout"):
        subject.hmc.wait(job)

    assert subject.ask("get")["status"] == "stopped"
