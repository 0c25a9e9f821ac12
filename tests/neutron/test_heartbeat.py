"""The agent's heartbeat, over a message bus of this process."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import oslo_messaging
import pytest

from dpm_hmc.networks import VSWITCH
from networking_dpm.agent.heartbeat import Heartbeat
from networking_dpm.report import Backing, Report
from tests.neutron.bus import Bus

FIRST = Report({}, {"physnet1": "the HMC has not been asked yet"})
THEN = Report({"physnet1": Backing(VSWITCH, "switch-1", 1)}, {})
FAILURE = oslo_messaging.RemoteError("DBError", "no database")


@pytest.fixture
def bus() -> Iterator[Bus]:
    with Bus() as bus:
        yield bus


def states(bus: Bus) -> list[dict[str, Any]]:
    """What neutron-server has heard of the agent, heartbeat by heartbeat."""
    return [sent["agent_state"]["agent_state"] for _, sent in bus.heard]


def said(log: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Levels and lines of the agent's log since this was asked last."""
    records = [each for each in log.records if each.name.startswith("networking_dpm")]
    lines = [(each.levelname, each.getMessage()) for each in records]
    log.clear()
    return lines


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "networking_dpm")
    return caplog


def test_a_heartbeat_says_who_and_when_and_what_is_behind_the_networks(bus: Bus) -> None:
    bus.heartbeat("host1").beat(THEN)

    [(context, sent)] = bus.heard
    [state] = states(bus)
    assert context["is_admin"] is True
    assert datetime.strptime(sent["time"], "%Y-%m-%dT%H:%M:%S.%f")
    assert (state["host"], state["configurations"]) == ("host1", THEN.configurations())


def test_neutron_is_told_of_a_start_when_there_is_something_else_to_report(bus: Bus) -> None:
    """Neutron maps segments to hosts again only then."""
    agent = bus.heartbeat("host1")

    for report in (FIRST, FIRST, THEN, THEN):
        agent.beat(report)

    assert ["start_flag" in state for state in states(bus)] == [True, False, True, False]


def test_what_neutron_did_not_take_is_a_start_again(bus: Bus) -> None:
    agent = bus.heartbeat("host1")
    agent.beat(FIRST)
    bus.answer = FAILURE
    agent.beat(THEN)
    bus.answer = "alive"

    agent.beat(THEN)

    assert [state.get("start_flag") for state in states(bus)] == [True, True, True]


def test_each_heartbeat_is_told_from_the_last(bus: Bus) -> None:
    agent = bus.heartbeat("host1")

    agent.beat(THEN)
    agent.beat(THEN)

    assert len({state["uuid"] for state in states(bus)}) == 2


def test_an_outage_is_said_once_and_so_is_its_end(bus: Bus, log: pytest.LogCaptureFixture) -> None:
    agent = bus.heartbeat("host1")
    agent.beat(THEN)
    assert said(log) == [("INFO", "neutron-server knows the agent of host host1")]
    agent.beat(THEN)
    assert said(log) == []

    bus.answer = FAILURE
    agent.beat(THEN)
    agent.beat(THEN)

    [(level, line)] = said(log)
    assert level == "ERROR"
    assert line.startswith("neutron-server does not take the heartbeat: RemoteError: ")
    assert "no database" in line
    bus.answer = "alive"
    agent.beat(THEN)
    agent.beat(THEN)
    assert said(log) == [("INFO", "neutron-server takes the heartbeat again")]


def test_that_neutron_had_given_the_agent_up_is_said(
    bus: Bus, log: pytest.LogCaptureFixture
) -> None:
    agent = bus.heartbeat("host1")
    agent.beat(THEN)
    said(log)
    bus.answer = "revived"

    agent.beat(THEN)

    assert said(log) == [("INFO", "neutron-server takes the heartbeat again")]


def test_an_answer_that_does_not_come_is_given_up(bus: Bus, log: pytest.LogCaptureFixture) -> None:
    agent = Heartbeat(bus.conf, "host1", 0.1, bus.transport)
    bus.conf.set_override("rpc_response_timeout", 3600)
    bus.may_answer.clear()

    agent.beat(THEN)

    bus.may_answer.set()
    bus.conf.clear_override("rpc_response_timeout")

    [(level, line)] = said(log)
    assert (level, "MessagingTimeout" in line) == ("ERROR", True)


def test_news_go_out_at_once_and_nothing_before_them(bus: Bus) -> None:
    agent = Heartbeat(bus.conf, "host1", 3600, bus.transport)
    stop, news = threading.Event(), threading.Event()
    thread = threading.Thread(target=agent.run, args=(stop, news, lambda: THEN))
    thread.start()
    assert bus.heard == []

    news.set()
    bus.came.acquire()
    news.set()
    bus.came.acquire()
    stop.set()
    news.set()
    thread.join()

    assert [state["configurations"] for state in states(bus)] == [THEN.configurations()] * 2


def test_heartbeats_go_on_without_news_and_after_something_unforeseen(
    bus: Bus, log: pytest.LogCaptureFixture
) -> None:
    agent = Heartbeat(bus.conf, "host1", 0.01, bus.transport)
    stop = threading.Event()
    asked: list[int] = []

    def now() -> Report:
        asked.append(1)
        if len(asked) == 1:
            raise RuntimeError("unforeseen")
        return THEN

    thread = threading.Thread(target=agent.run, args=(stop, threading.Event(), now))
    thread.start()
    for _ in range(3):
        bus.came.acquire()
    stop.set()
    thread.join()

    assert ("ERROR", "The heartbeat failed; again in 0.01 s") in said(log)
