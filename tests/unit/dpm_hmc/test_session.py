"""Which HMC somebody logs on to, how often it is tried, and what is said where none answers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dpm_hmc.errors import (
    AnswerError,
    CertificateError,
    HmcError,
    HttpError,
    Kind,
    LogonError,
    UnreachableError,
)
from dpm_hmc.session import SharedSession
from tests.unit.dpm_hmc.broken import (
    answered,
    certificate,
    dropped,
    not_connected,
    redirected,
    tls,
    unauthorized,
)
from tests.unit.dpm_hmc.scripted import Script
from tests.unit.dpm_hmc.simulated import SETTINGS, SimulatedTime

NO_CERTIFICATE = tls(certificate(20, "unable to get local issuer certificate"))


class World:
    """The session with two HMCs that take a logon as they are told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.script = Script()
        self.clock = SimulatedTime()
        monkeypatch.setattr("dpm_hmc.session.new_session", self.script.session)
        self.sessions = SharedSession(replace(SETTINGS, addresses=("a", "b")), self.clock)

    def logons(self, a: list[Any], b: list[Any]) -> None:
        self.script.logons = {"a": a, "b": b}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


@pytest.mark.parametrize("end", [not_connected(), dropped(), NO_CERTIFICATE], ids=str)
def test_the_first_hmc_that_answers_is_used(world: World, end: Exception) -> None:
    world.logons([end], ["id"])

    assert world.sessions.address == "a, b"
    assert world.sessions.get().actual_host == "b"
    assert world.sessions.address == "b"
    assert world.sessions.get() is world.sessions.get()
    assert world.script.logged_on == ["a", "b"]


def test_a_certificate_that_is_passed_over_is_logged(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.logons([NO_CERTIFICATE], ["id"])

    world.sessions.get()

    [record] = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert record.getMessage().startswith("The certificate of HMC a cannot be verified: unable to")


@pytest.mark.parametrize(
    ("end", "times", "error"),
    [
        (unauthorized(0), 1, LogonError),
        (unauthorized(4), 1, LogonError),
        (answered(400, 1), 1, HttpError),
        (answered(500), 4, HttpError),
        (redirected("x"), 1, AnswerError),
        (TypeError(), 1, AnswerError),
        (5, 1, AnswerError),
    ],
    ids=str,
)
def test_an_hmc_that_answers_is_not_passed_over_whatever_it_answers(
    world: World, end: Any, times: int, error: type[HmcError]
) -> None:
    world.logons([end], ["id"])

    with pytest.raises(error, match=r"HMC a"):
        world.sessions.get()

    assert world.script.logged_on == ["a"] * times


def test_a_busy_hmc_is_waited_for(world: World) -> None:
    world.logons([answered(503)] * 8 + ["id"], ["id"])

    assert world.sessions.get().actual_host == "a"


def test_a_busy_hmc_is_given_up_in_the_end(world: World) -> None:
    world.logons([answered(503)], ["id"])
    begin = world.clock.now

    with pytest.raises(HttpError, match="503"):
        world.sessions.get()

    assert 10 <= world.clock.now - begin < 11


@pytest.mark.parametrize(
    ("a", "b", "error", "tries"),
    [
        (not_connected(), dropped(), UnreachableError, 4),
        (NO_CERTIFICATE, NO_CERTIFICATE, CertificateError, 1),
        (NO_CERTIFICATE, not_connected(), CertificateError, 4),
        (not_connected(), NO_CERTIFICATE, CertificateError, 4),
    ],
    ids=["nobody", "certificates", "certificate-nobody", "nobody-certificate"],
)
def test_where_no_hmc_answers_all_are_tried_four_times_but_for_certificates(
    world: World, a: Exception, b: Exception, error: type[HmcError], tries: int
) -> None:
    world.logons([a], [b])

    with pytest.raises(error) as caught:
        world.sessions.get()

    assert type(caught.value) is error
    assert world.script.logged_on == ["a", "b"] * tries


def test_what_each_hmc_that_does_not_answer_said_is_told(world: World) -> None:
    world.logons([not_connected()], [dropped()])

    with pytest.raises(UnreachableError) as caught:
        world.sessions.get()

    assert caught.value.finding == (
        "No HMC answers: tried a, b port 6794 4 times: a: Connection refused; b: reset by peer"
    )
    assert "Check hmc and hmc_port" in caught.value.cure


def test_of_one_hmc_only_the_reason_is_told(world: World) -> None:
    sessions = SharedSession(replace(SETTINGS, addresses=("a",)), world.clock)
    world.logons([not_connected()], [])

    with pytest.raises(UnreachableError, match=r"tried a port 6794 4 times: Connection refused\."):
        sessions.get()


@pytest.mark.parametrize(
    ("reason", "cure"),
    [
        (0, "Check hmc_username"),
        (40, "The user is disabled"),
        (41, "Give the user access to"),
    ],
)
def test_a_refused_logon_has_the_cure_of_its_reason(world: World, reason: int, cure: str) -> None:
    world.logons([unauthorized(reason)], ["id"])

    with pytest.raises(LogonError, match=r"^HMC a refused the logon of user user: ") as caught:
        world.sessions.get()

    assert caught.value.cure.startswith(cure)


def test_nobody_logs_on_for_a_minute_after_a_refusal_and_then_for_two(world: World) -> None:
    world.logons([unauthorized(0)], ["id"])
    said, logons = set(), []
    for seconds in (0, 59, 1, 119, 1):
        world.clock.now += seconds
        with pytest.raises(LogonError) as caught:
            world.sessions.get()
        said.add((str(caught.value), caught.value.cure))
        logons.append(len(world.script.logged_on))

    assert logons == [1, 1, 2, 2, 3]
    assert len(said) == 1


def test_after_a_logon_a_refusal_begins_again_with_a_minute(world: World) -> None:
    world.logons([unauthorized(0), "id", unauthorized(0)], ["id"])
    with pytest.raises(LogonError):
        world.sessions.get()
    world.clock.now += 60
    session = world.sessions.get()
    with pytest.raises(LogonError):
        world.sessions.renew(session)
    world.clock.now += 60

    with pytest.raises(LogonError):
        world.sessions.renew(session)

    assert world.script.logged_on == ["a"] * 4


def test_a_session_that_another_thread_has_renewed_is_taken(world: World) -> None:
    old = world.sessions.get()
    new = world.sessions.renew(old)

    assert world.sessions.renew(old) is new
    assert world.script.asked == ["logon a", "logon a", "logoff a"]


def test_what_is_replaced_by_another_hmc_s_session_is_logged_off_when_that_is_back_or_at_the_end(
    world: World,
) -> None:
    world.logons(["id", not_connected(), not_connected()], ["id"])
    first = world.sessions.get()
    second = world.sessions.renew(first)
    third = world.sessions.renew(second)
    assert (second.actual_host, third.actual_host) == ("b", "b")

    world.sessions.close()

    assert [each for each in world.script.asked if "logoff" in each] == [
        *("logoff b", "logoff a", "logoff b"),
    ]
    assert world.sessions.address == "a, b"


class Lock:
    """A lock at which something happens before it is had."""

    def __init__(self, before: Callable[[], None]) -> None:
        self._before = before

    def __enter__(self) -> None:
        before, self._before = self._before, lambda: None
        before()

    def __exit__(self, *error: object) -> None:
        pass


@pytest.mark.parametrize("end", [not_connected(), NO_CERTIFICATE], ids=["nobody", "certificate"])
def test_who_waited_for_a_logon_that_nobody_answered_fails_with_it(
    world: World, monkeypatch: pytest.MonkeyPatch, end: Exception
) -> None:
    world.logons([end], [end])

    def another_thread() -> None:
        with pytest.raises(UnreachableError):
            world.sessions.get()

    monkeypatch.setattr(world.sessions, "_logon_lock", Lock(another_thread))
    with pytest.raises(UnreachableError) as caught:
        world.sessions.get()

    tried = world.script.logged_on
    assert len(tried) == (8 if end is not NO_CERTIFICATE else 2)
    assert caught.value.cure
    assert caught.value.kind is (Kind.CERTIFICATE if end is NO_CERTIFICATE else Kind.NOT_SENT)

    with pytest.raises(UnreachableError):
        world.sessions.get()  # who comes later tries itself
    assert len(world.script.logged_on) == 2 * len(tried)
