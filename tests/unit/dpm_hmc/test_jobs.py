"""Waiting for jobs, and for what comes after them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from dpm_hmc.client import Hmc
from dpm_hmc.clock import pause
from dpm_hmc.errors import ConflictError, HttpError, JobError, JobTimeoutError
from tests.unit.dpm_hmc.simulated import SETTINGS, SimulatedTime


@pytest.fixture
def clock() -> SimulatedTime:
    return SimulatedTime()


@pytest.fixture
def hmc(clock: SimulatedTime) -> Hmc:
    return Hmc(SETTINGS, clock)


JOB: Any = SimpleNamespace(uri="/api/jobs/1", op_method="POST", op_uri="/start")


def test_a_job_s_end_is_noticed_at_most_a_fifth_of_its_duration_late(
    hmc: Hmc, clock: SimulatedTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    durations = [0.5 * 1.03**number for number in range(215)]
    late = []
    polls: list[float] = []

    def get(uri: str) -> dict[str, Any]:
        polls.append(clock.now)
        if clock.now < end:
            return {"status": "running"}
        return {"status": "complete", "job-status-code": 204, "job-reason-code": 0}

    monkeypatch.setattr(hmc, "get", get)
    monkeypatch.setattr(hmc, "delete", lambda uri: None)
    for duration in durations:
        end = clock.now + duration
        polls.clear()
        hmc.wait(JOB)
        late.append((clock.now - end) / duration)
        assert len(polls) < 100

    assert 0.5 <= min(durations) < 1 < 270 < max(durations) < 300
    assert max(late) <= 0.2


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (
            {"status": "complete", "job-status-code": 500, "job-reason-code": 263,
             "job-results": {"message": "no boot"}},
            "^Job POST /start: failed with 500,263: no boot$",
        ),
        (
            {"status": "complete", "job-status-code": 400, "job-results": {"error": "bad"}},
            "failed with 400,None: bad$",
        ),
        ({"status": "complete"}, ": no reason given$"),
        ({"status": "canceled"}, "canceled"),
    ],
)  # fmt: skip
def test_a_job_that_did_not_end_well_is_an_error(
    hmc: Hmc, monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any], text: str
) -> None:
    monkeypatch.setattr(hmc, "get", lambda uri: answer)
    monkeypatch.setattr(hmc, "delete", lambda uri: None)

    with pytest.raises(JobError, match=text):
        hmc.wait(JOB)


def test_a_job_that_ends_well_before_it_is_canceled_has_its_result(
    hmc: Hmc, clock: SimulatedTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def get(uri: str) -> dict[str, Any]:
        if not told:
            return {"status": "running"}
        told.append("asked")
        if len(told) < 4:
            return {"status": "cancel-pending"}
        return {"status": "complete", "job-status-code": 200, "job-results": {"a": 1}}

    monkeypatch.setattr(hmc, "get", get)
    monkeypatch.setattr(hmc, "update", lambda uri, body: told.append(uri))
    monkeypatch.setattr(hmc, "delete", lambda uri: None)

    assert hmc.wait(JOB) == {"a": 1}
    assert told[0].endswith("/operations/cancel")


def test_a_job_that_stays_about_to_be_canceled_is_given_up(
    hmc: Hmc, clock: SimulatedTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hmc, "get", lambda uri: {"status": "cancel-pending"})
    monkeypatch.setattr(hmc, "update", lambda uri, body: None)
    begin = clock.now

    with pytest.raises(JobTimeoutError, match="hmc_operation_timeout"):
        hmc.wait(JOB)

    assert 360 <= clock.now - begin <= 400


def test_what_never_comes_true_is_given_up(hmc: Hmc, clock: SimulatedTime) -> None:
    begin = clock.now

    with pytest.raises(JobTimeoutError, match="The moon is made of cheese: not so after 3"):
        hmc.until("The moon is made of cheese", lambda: None)

    assert 300 <= clock.now - begin <= 330


def test_an_option_is_named_where_it_said_how_long(hmc: Hmc, clock: SimulatedTime) -> None:
    with pytest.raises(JobTimeoutError, match=r" s \(option hmc_operation_timeout\)$"):
        hmc.until("The moon is made of cheese", lambda: None)

    with pytest.raises(JobTimeoutError, match=r"not so after \d+ s$"):
        hmc.until("The moon is made of cheese", lambda: None, 5)


def test_what_is_asked_about_a_job_is_the_job_and_it_is_forgotten(
    hmc: Hmc, clock: SimulatedTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []
    done: dict[str, Any] = {"status": "complete", "job-status-code": 200}
    answers = iter([{"status": "running"}, done])

    def get(uri: str) -> dict[str, Any]:
        asked.append(("get", uri))
        return next(answers)

    monkeypatch.setattr(hmc, "get", get)
    monkeypatch.setattr(hmc, "delete", lambda uri: asked.append(("delete", uri)))

    assert hmc.wait(JOB) == {}
    assert asked == [("get", JOB.uri), ("get", JOB.uri), ("delete", JOB.uri)]


@pytest.mark.parametrize("refused", [False, True])
def test_a_job_that_does_not_end_says_what_to_look_at(
    hmc: Hmc, clock: SimulatedTime, monkeypatch: pytest.MonkeyPatch, refused: bool
) -> None:
    told: list[tuple[str, object]] = []

    def update(uri: str, body: object) -> None:
        told.append((uri, body))
        if refused:
            raise HttpError(f"POST {uri}", 404, 1, "not cancelable")

    monkeypatch.setattr(hmc, "get", lambda uri: {"status": "running"})
    monkeypatch.setattr(hmc, "update", update)

    with pytest.raises(
        JobTimeoutError, match=r"^Job POST /start: not done after 3\d\d s"
    ) as caught:
        hmc.wait(JOB)

    assert caught.value.cure == "Look at the partition and its messages on the HMC"
    assert told == [("/api/jobs/1/operations/cancel", {})]


def test_a_job_that_fails_while_it_is_canceled_has_its_error(
    hmc: Hmc, clock: SimulatedTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def get(uri: str) -> dict[str, Any]:
        return {"status": "complete", "job-status-code": 500} if told else {"status": "running"}

    def update(uri: str, body: object) -> None:
        told.append(uri)
        raise ConflictError(f"POST {uri}", 409, 1, "it has just ended")

    monkeypatch.setattr(hmc, "get", get)
    monkeypatch.setattr(hmc, "update", update)
    monkeypatch.setattr(hmc, "delete", lambda uri: None)

    with pytest.raises(JobError, match=r"^Job POST /start: failed with 500,None: no reason given$"):
        hmc.wait(JOB)


@pytest.mark.parametrize(("elapsed", "slept"), [(0, 0.1), (1, 0.1), (50, 5), (100, 10), (500, 10)])
def test_a_pause_is_a_tenth_of_the_time_gone_by(elapsed: float, slept: float) -> None:
    clock = SimulatedTime()

    pause(clock, elapsed)

    assert clock.pauses == [slept]
