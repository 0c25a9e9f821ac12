"""Builds at the same time share one session, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dpm_hmc.client import Hmc
from nova_dpm.partition import Partitions
from tests.driver.compute import Compute, Server, server
from tests.driver.lab import Lab

BUILDS = 20
#: Seconds after which a thread that never comes is given up: the test fails then.
_PATIENCE = 300


@pytest.fixture(params=["z13", "z16"])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with Lab(request.param) as lab:
        yield lab


def test_no_build_waits_for_the_job_of_another(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nobody asks about a job before all have started theirs; where one waited for another, this
    # would never come about.
    _gate(monkeypatch, Hmc, "wait", lambda: None)

    log = _build_all(lab)

    starts = [place for place, each in enumerate(log) if each.endswith("/operations/start")]
    polls = [place for place, each in enumerate(log) if each == "GET /api/jobs/{}"]
    assert len(starts) == BUILDS
    assert max(starts) < min(polls)


def test_all_builds_share_one_logon(lab: Lab) -> None:
    log = _build_all(lab)

    assert log.count("POST /api/sessions") == 1


def test_a_session_that_expires_in_the_middle_is_renewed_once(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    _gate(monkeypatch, Partitions, "start", lab.control.expire_sessions)
    _gate(monkeypatch, Hmc, "wait", lab.control.expire_sessions)

    log = _build_all(lab)

    assert log.count("POST /api/sessions") == 3


def _gate(
    monkeypatch: pytest.MonkeyPatch, owner: type, name: str, action: Callable[[], Any]
) -> None:
    """Have all builds meet before a method; `action` is done once, when they all are there."""
    barrier = threading.Barrier(BUILDS, action, _PATIENCE)
    original = getattr(owner, name)

    def gated(*arguments: Any) -> Any:
        barrier.wait()
        return original(*arguments)

    monkeypatch.setattr(owner, name, gated)


def _build_all(lab: Lab) -> list[str]:
    """Build all servers at once with one driver; return the patterns of the requests."""
    compute = Compute(lab)
    subjects = [server(lab) for _ in range(BUILDS)]
    lab.control.reset_log()

    def build(subject: Server) -> None:
        compute.build(subject)

    with ThreadPoolExecutor(BUILDS) as pool:
        list(pool.map(build, subjects))

    log = [each.pattern for each in lab.control.requests()]
    partitions = lab.control.inventory()["partitions"]
    assert sorted(partitions) == sorted(each.partition for each in subjects)
    assert {each["status"] for each in partitions.values()} == {"active"}
    return log
