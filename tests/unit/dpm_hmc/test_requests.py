"""What is sent again, logons in between, and how long a patient thread waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Thread
from typing import Any

import pytest
import zhmcclient

from dpm_hmc.client import Hmc
from dpm_hmc.errors import (
    AnswerError,
    CertificateError,
    ConflictError,
    DpmError,
    HttpError,
    LogonError,
    NameTakenError,
    NotFoundError,
    UnansweredError,
    UnreachableError,
)
from tests.unit.dpm_hmc.broken import (
    answered,
    certificate,
    dropped,
    not_connected,
    redirected,
    tls,
    unauthorized,
)
from tests.unit.dpm_hmc.scripted import OK, Script
from tests.unit.dpm_hmc.simulated import SETTINGS, SimulatedTime


class World:
    """A client of HMCs that answer as they are told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.script = Script()
        self.clock = SimulatedTime()
        self._patch = monkeypatch
        self.hmc = self.client()

    def client(self, **changed: Any) -> Hmc:
        self._patch.setattr("dpm_hmc.session.new_session", self.script.session)
        self.hmc = Hmc(replace(SETTINGS, **changed), self.clock)
        return self.hmc


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


ASK: dict[str, Callable[[Hmc], Any]] = {
    "get": lambda hmc: hmc.get("/api/x"),
    "update": lambda hmc: hmc.update("/api/x", {}),
    "delete": lambda hmc: hmc.delete("/api/x"),
    "post": lambda hmc: hmc.post("/api/x", {}),
}

#: How a request ends, how often it is sent, how often if it can't be done twice, with how many
#: logons, and the error in the end.
ENDS: list[tuple[Exception, int, int, bool, type[DpmError]]] = [
    (dropped(), 4, 1, False, UnansweredError),
    (not_connected(), 4, 4, True, UnreachableError),
    (answered(500), 4, 1, False, HttpError),
    (answered(409, 1), 1, 1, False, ConflictError),
    (unauthorized(4), 4, 4, True, LogonError),
    (unauthorized(5), 4, 4, True, LogonError),
    (unauthorized(2), 1, 1, False, LogonError),
    (redirected("http://elsewhere"), 1, 1, False, AnswerError),
    (tls(certificate(20, "no")), 1, 1, False, CertificateError),
    (TypeError(), 1, 1, False, AnswerError),
]


@pytest.mark.parametrize("way", ASK)
@pytest.mark.parametrize(
    ("end", "often", "once", "logs_on", "error"), ENDS, ids=[f"{each[0]!r:.50}" for each in ENDS]
)
def test_a_request_that_always_fails_is_given_up(
    world: World,
    way: str,
    end: Exception,
    often: int,
    once: int,
    logs_on: bool,
    error: type[DpmError],
) -> None:
    world.script.answers = [end]

    with pytest.raises(error) as caught:
        ASK[way](world.hmc)

    times = once if way == "post" else often
    verb = {"get": "GET", "delete": "DELETE"}.get(way, "POST")
    assert type(caught.value) is error
    assert caught.value.finding.startswith((f"{verb} /api/x: ", "The certificate of HMC hmc "))
    assert "no answer" not in caught.value.finding or " from HMC hmc: " in caught.value.finding
    assert world.script.sent == [f"{verb} /api/x"] * times
    assert len(world.script.logged_on) == (times if logs_on else 1)


@pytest.mark.parametrize("way", ASK)
@pytest.mark.parametrize("reason", [4, 5])
def test_an_expired_session_is_renewed_and_the_request_sent_again(
    world: World, way: str, reason: int
) -> None:
    world.script.answers = [unauthorized(reason), OK]
    begin = world.clock.now

    ASK[way](world.hmc)

    verb = {"get": "GET", "delete": "DELETE"}.get(way, "POST")
    again = [f"{verb} /api/x", "logon hmc", "logoff hmc", f"{verb} /api/x"]
    assert world.script.asked == ["logon hmc", *again]
    assert world.clock.now == begin


def test_what_is_busy_is_sent_again_for_a_while_and_its_session_stays(world: World) -> None:
    world.script.answers = [answered(409, 2)] * 5 + [OK]

    assert world.hmc.get("/api/x") == OK
    assert len(world.script.sent) == 6
    assert world.script.logged_on == ["hmc"]


def test_what_is_not_there_is_deleted(world: World) -> None:
    world.script.answers = [answered(404, 1)]

    world.hmc.delete("/api/x")
    with pytest.raises(NotFoundError):
        world.hmc.get("/api/x")


@pytest.mark.parametrize(
    "answer", [None, 7, [], {"http-status": 200, "reason": 900, "message": "<html>"}]
)
def test_what_is_no_object_is_no_answer(world: World, answer: Any) -> None:
    world.script.answers = [answer]

    with pytest.raises(AnswerError, match=r"^GET /api/x: an answer of another form; this is no"):
        world.hmc.get("/api/x")
    if answer != []:
        with pytest.raises(AnswerError, match=r"^GET /api/x: an answer of another form"):
            world.hmc.get_list("/api/x")


def test_a_list_is_a_list(world: World) -> None:
    world.script.answers = [["a"]]

    assert world.hmc.get_list("/api/x") == ["a"]


def test_the_version_is_two_numbers(world: World) -> None:
    world.script.answers = [{"api-major-version": 4, "api-minor-version": 10}]

    assert world.hmc.api_version() == (4, 10)
    assert world.script.sent == ["GET /api/version"]


# Patience


@pytest.mark.parametrize(
    ("way", "end", "waits"),
    [
        ("get", not_connected(), True),
        ("post", not_connected(), True),
        ("get", dropped(), True),
        ("post", dropped(), False),
        ("get", answered(500), False),
        ("get", tls(certificate(20, "no")), False),
        ("get", redirected("x"), False),
        ("get", TypeError(), False),
    ],
    ids=str,
)
def test_a_patient_thread_waits_for_an_hmc_that_restarts(
    world: World, way: str, end: Exception, waits: bool
) -> None:
    world.script.answers = [end]
    begin = world.clock.now

    with world.hmc.patience(), pytest.raises(DpmError):
        ASK[way](world.hmc)

    waited = world.clock.now - begin
    assert (600 <= waited < 620) if waits else waited < 5


def test_a_patient_thread_goes_on_when_the_hmc_is_back(world: World) -> None:
    world.script.answers = [dropped()] * 200 + [OK]

    with world.hmc.patience():
        assert world.hmc.get("/api/x") == OK


def test_a_patient_thread_waits_also_where_nobody_answers_the_logon(world: World) -> None:
    world.script.logons["hmc"] = [not_connected()] * 30 + ["id"]
    world.script.answers = [OK]

    with world.hmc.patience():
        assert world.hmc.get("/api/x") == OK


def test_pauses_are_from_two_seconds_to_ten(world: World) -> None:
    world.script.answers = [dropped()]

    with world.hmc.patience(), pytest.raises(UnansweredError):
        world.hmc.get("/api/x")

    between = [each for each in world.clock.pauses if each >= 2]
    assert between[0] == 2.0
    assert between[-1] == 10.0
    assert sorted(between) == between


def test_who_is_not_patient_does_not_wait_and_no_other_thread_is(world: World) -> None:
    world.script.answers = [dropped()]
    begin = world.clock.now
    failed: list[BaseException] = []

    def ask() -> None:
        try:
            world.hmc.get("/api/x")
        except UnansweredError as error:
            failed.append(error)

    with world.hmc.patience():
        with world.hmc.patience():
            pass
        other = Thread(target=ask)
        other.start()
        other.join()
    ask()

    assert len(failed) == 2
    assert world.clock.now - begin < 10


def test_patience_inside_of_patience_leaves_it(world: World) -> None:
    world.script.answers = [dropped()]
    begin = world.clock.now

    with world.hmc.patience():
        with world.hmc.patience():
            pass
        with pytest.raises(UnansweredError):
            world.hmc.get("/api/x")

    assert world.clock.now - begin >= 600


# Creations


def test_a_creation_returns_the_uri_of_what_was_made(world: World) -> None:
    world.script.answers = [{"object-uri": "/api/a/1"}, {"element-uri": "/api/a/1/b/2"}]

    assert world.hmc.create("/api/a", {"name": "a"}, lambda: None) == "/api/a/1"
    assert world.hmc.create("/api/a/1/b", {}, lambda: None) == "/api/a/1/b/2"
    assert world.script.sent == ["POST /api/a", "POST /api/a/1/b"]
    assert world.script.bodies == [{"name": "a"}, {}]


def test_an_update_sends_its_body(world: World) -> None:
    world.script.answers = [None]

    world.hmc.update("/api/a/1", {"name": "b"})

    assert world.script.bodies == [{"name": "b"}]


def test_an_operation_begins_a_job(world: World) -> None:
    world.script.answers = [zhmcclient.Job(None, "/api/jobs/1", "POST", "/api/a/1/operations/b")]

    assert world.hmc.begin("/api/a/1/operations/b", {"c": "d"}) is world.script.answers[0]
    assert world.script.sent == ["POST /api/a/1/operations/b"]
    assert world.script.bodies == [{"c": "d"}]


def test_a_job_that_is_elsewhere_is_no_answer(world: World) -> None:
    world.script.answers = [zhmcclient.Job(None, "@evil.example", "POST", "/api/a")]

    with pytest.raises(AnswerError, match="job-uri is '@evil"):
        world.hmc.begin("/api/a", {})


def test_a_creation_that_nobody_answered_is_looked_for_and_made_where_it_is_not(
    world: World,
) -> None:
    world.script.answers = [dropped(), {"object-uri": "/api/a/1"}]
    looks: list[None] = []

    assert world.hmc.create("/api/a", {}, lambda: looks.append(None)) == "/api/a/1"
    assert looks == [None]
    assert len(world.script.sent) == 2


def test_a_creation_that_nobody_answers_is_tried_four_times(world: World) -> None:
    world.script.answers = [dropped()]

    with pytest.raises(UnansweredError):
        world.hmc.create("/api/a", {}, lambda: None)

    assert len(world.script.sent) == 4


def test_a_name_that_is_taken_at_once_is_not_ours(world: World) -> None:
    world.script.answers = [answered(400, 8)]

    with pytest.raises(NameTakenError):
        world.hmc.create("/api/a", {}, lambda: "/api/a/of-somebody-else")

    assert len(world.script.sent) == 1


@pytest.mark.parametrize("found", [None, "/api/a/1"])
def test_a_name_that_is_taken_after_no_answer_may_be_ours(world: World, found: str | None) -> None:
    world.script.answers = [dropped(), answered(400, 8)]
    looks = iter([None, found])

    if found is None:
        with pytest.raises(NameTakenError):
            world.hmc.create("/api/a", {}, lambda: next(looks))
    else:
        assert world.hmc.create("/api/a", {}, lambda: next(looks)) == found
    assert len(world.script.sent) == 2


@pytest.mark.parametrize("answer", [None, [], {}, {"object-uri": "@evil.example"}])
def test_a_creation_without_a_uri_is_no_answer(world: World, answer: Any) -> None:
    world.script.answers = [answer]

    with pytest.raises(AnswerError, match=r"^(POST /api/a: an answer|The HMC's answer)"):
        world.hmc.create("/api/a", {}, lambda: None)


@pytest.mark.parametrize("answer", [None, {}, {"object-uri": "/api/a/1"}])
def test_what_is_no_job_is_no_answer_to_an_operation(world: World, answer: Any) -> None:
    world.script.answers = [answer]

    with pytest.raises(AnswerError, match=r"^POST /api/a/operations/b: an answer of another form"):
        world.hmc.begin("/api/a/operations/b", {})
