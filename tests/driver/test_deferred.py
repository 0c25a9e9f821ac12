"""The end of the job of a start or stop is not yet the status that it leads to.

In all tests of this folder the lab shows another one first, for a blink (`tests.brisk`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from nova import exception
from nova.compute import power_state

from dpm_lab.hmc import Fault
from tests.driver.compute import Compute, Server, server, wrongs
from tests.driver.lab import Lab

#: What is shown after the job's end, and for how long: in true seconds, of which the driver's own
#: are many (`tests.driver.haste`).
LATE = ("stale:0.1", "paused:0.1")
#: Characters at which Nova cuts a fault.
FAULT = 255


@pytest.fixture(params=["z13", "z16"])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with Lab(request.param) as lab:
        yield lab


def status(lab: Lab, subject: Server) -> str:
    return str(lab.control.inventory()["partitions"][subject.partition]["status"])


@pytest.mark.parametrize("after", LATE)
def test_a_build_ends_when_the_partition_is_active(lab: Lab, after: str) -> None:
    lab.control.set_behaviour(after_start=after)
    compute, subject = Compute(lab), server(lab)

    compute.build(subject)

    assert not wrongs(lab, subject)
    assert compute.driver.get_info(subject.instance).state == power_state.RUNNING


@pytest.mark.parametrize("after", LATE)
@pytest.mark.parametrize("operation", ["reboot", "off and on"])
def test_a_server_that_was_stopped_is_started_again(lab: Lab, after: str, operation: str) -> None:
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)
    lab.control.set_behaviour(after_stop=after)

    if operation == "reboot":
        compute.reboot(subject)
    else:
        compute.driver.power_off(subject.instance)
        compute.power_on(subject)

    lab.control.set_behaviour(after_stop="none")
    assert not wrongs(lab, subject)


@pytest.mark.parametrize("after", LATE)
def test_a_server_is_deleted_in_one_go(lab: Lab, after: str) -> None:
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)
    lab.control.set_behaviour(after_stop=after)

    compute.delete(subject)

    assert not lab.left()


@pytest.mark.parametrize("after", LATE)
@pytest.mark.parametrize("operation", ["start", "stop"])
@pytest.mark.parametrize("kind", ["drop-after", "status-after"])
def test_an_operation_whose_answer_is_lost_is_known_by_a_status_that_comes_late(
    lab: Lab, after: str, operation: str, kind: str
) -> None:
    lab.control.set_behaviour(**{f"after_{operation}": after})
    compute, subject = Compute(lab), server(lab)
    lab.control.add_fault(Fault("POST", f".*/operations/{operation}", kind, status=500))

    compute.build(subject)
    compute.reboot(subject)

    assert not wrongs(lab, subject)


def test_a_start_of_somebody_else_is_joined_until_the_status_is_there(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.control.set_behaviour(after_start="paused:0.1")
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)
    compute.driver.power_off(subject.instance)
    hmc = compute.driver._hmc
    original = hmc.begin

    def begin(uri: str, body: dict[str, Any]) -> Any:
        monkeypatch.undo()
        original(uri, body)
        return original(uri, body)

    monkeypatch.setattr(hmc, "begin", begin)
    compute.power_on(subject)

    assert not wrongs(lab, subject)


def test_a_partition_that_stays_paused_is_no_server_that_runs(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    lab.control.set_behaviour(after_start="paused")
    compute, subject = Compute(lab), server(lab)

    # The user reads it, and no other host is asked.
    with pytest.raises(exception.BuildAbortException) as caught:
        compute.build(subject)

    assert "its partition is paused after the start: is its boot volume" in str(caught.value)
    assert len(str(caught.value)) < FAULT
    assert "is paused after start: nothing could be loaded" in caplog.text
    assert not lab.left()


@pytest.mark.parametrize("operation", ["reboot", "power_on"])
def test_a_server_that_does_not_come_up_again_says_why(
    lab: Lab, operation: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)
    compute.driver.power_off(subject.instance)
    lab.control.set_behaviour(after_start="paused")
    _say_at_start(lab, compute, monkeypatch, "LOADPARM=[        ]", "! No IPL device !", "")

    with pytest.raises(exception.NovaException) as caught:
        getattr(compute, operation)(subject)

    assert "is paused after start" in caplog.text
    assert "is its boot volume of an image for s390x" in str(caught.value)
    # The HMC of a z13 keeps no messages.
    assert ("It said last: ! No IPL device !" in str(caught.value)) == (lab.machine == "z16")
    assert "/api/" not in str(caught.value)


def _say_at_start(lab: Lab, compute: Compute, monkeypatch: pytest.MonkeyPatch, *texts: str) -> None:
    """Have a partition say something when it is started."""
    hmc = compute.driver._hmc
    original = hmc.begin

    def begin(uri: str, body: dict[str, Any]) -> Any:
        job = original(uri, body)
        if uri.endswith("/start"):
            for text in texts:
                lab.control.add_os_message(uris(lab)[0], text)
        return job

    monkeypatch.setattr(hmc, "begin", begin)


def test_a_start_that_did_not_end_can_be_repeated(lab: Lab) -> None:
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)
    compute.driver.power_off(subject.instance)
    lab.control.set_duration("cancel", 0.1)
    lab.control.add_fault(Fault("POST", ".*/operations/start", "job-never-ends", times=1))
    fewer = replace(subject, ports=())

    with pytest.raises(exception.NovaException):
        compute.power_on(subject)
    assert status(lab, subject) == "stopped"

    compute.power_on(fewer)
    assert not wrongs(lab, fewer)


@pytest.mark.parametrize("halted", ["paused", "terminated"])
def test_a_server_whose_system_has_ended_is_off_and_can_be_started(lab: Lab, halted: str) -> None:
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)
    [uri] = uris(lab)
    lab.control.set_properties(uri, {"status": halted})

    state = compute.driver.get_info(subject.instance, use_cache=False).state
    assert state in (power_state.SHUTDOWN, power_state.CRASHED)

    compute.power_on(subject)
    assert not wrongs(lab, subject)


@pytest.mark.parametrize("operation", ["reboot", "power_on", "power_off", "delete"])
def test_a_partition_that_lacked_its_resources_is_started_or_deleted_as_it_is(
    lab: Lab, operation: str
) -> None:
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)
    [uri] = uris(lab)
    lab.control.set_properties(uri, {"status": "reservation-error"})

    actions: dict[str, Any] = {
        "reboot": lambda: compute.reboot(subject),
        "power_on": lambda: compute.power_on(subject),
        "power_off": lambda: compute.driver.power_off(subject.instance),
        "delete": lambda: compute.delete(subject),
    }
    actions[operation]()

    if operation == "delete":
        assert not lab.left()
    elif operation == "power_off":
        assert status(lab, subject) == "reservation-error"
    else:
        assert not wrongs(lab, subject)


def uris(lab: Lab) -> list[str]:
    return [each["object-uri"] for each in lab.control.inventory()["partitions"].values()]
