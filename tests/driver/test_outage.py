"""An HMC that restarts for minutes costs waiting, not servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from nova import exception
from nova.compute import power_state

from dpm_hmc.tries import ATTEMPTS
from dpm_lab.hmc import Fault
from tests.driver import lab as labs
from tests.driver.compute import Compute, Server, server, wrongs
from tests.driver.lab import Lab

#: Requests that find nobody, some minutes of an impatient client's.
AWAY = 12 * ATTEMPTS


@pytest.fixture(params=["z13", "z16"])
def lab(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setattr(labs, "OUTAGE_TIMEOUT", 600)
    with Lab(request.param) as lab:
        yield lab


OPERATIONS: dict[str, Callable[[Compute, Server], object]] = {
    "reboot": lambda compute, subject: compute.reboot(subject),
    "stop": lambda compute, subject: compute.driver.power_off(subject.instance),
    "delete": lambda compute, subject: compute.delete(subject),
}


def away(lab: Lab, after: int, times: int | None = AWAY) -> None:
    lab.control.add_fault(Fault(kind="drop-before", after=after, times=times))


@pytest.mark.parametrize("after", range(14))
def test_a_server_is_built_over_an_outage(lab: Lab, after: int) -> None:
    compute, subject = Compute(lab), server(lab)
    away(lab, after)

    compute.build(subject)

    assert not wrongs(lab, subject)


@pytest.mark.parametrize("after", range(5))
@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_goes_on_after_an_outage(lab: Lab, operation: str, after: int) -> None:
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)
    away(lab, after)

    OPERATIONS[operation](compute, subject)

    if operation == "delete":
        assert not lab.left()
    elif operation == "stop":
        [partition] = lab.control.inventory()["partitions"].values()
        assert partition["status"] == "stopped"
    else:
        assert not wrongs(lab, subject)


def test_an_audit_does_not_wait_and_tells_the_figures_all_the_same(lab: Lab) -> None:
    compute = Compute(lab)
    [node] = compute.driver.get_available_nodes()
    figures = compute.driver.get_available_resource(node)
    lab.control.reset_log()
    away(lab, 0, None)

    assert compute.driver.get_available_resource(node) == figures

    assert sum(lab.control.counts().values()) <= 2 * ATTEMPTS


def test_a_periodic_task_that_cannot_be_done_passes_over_it(lab: Lab) -> None:
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)
    away(lab, 0, None)

    with pytest.raises(exception.VirtDriverNotReady, match="no answer from HMC"):
        compute.driver.get_num_instances()
    with pytest.raises(exception.NovaException, match=r"^no HMC answers, try again when one does"):
        compute.driver.get_info(subject.instance)


def test_an_hmc_that_stays_away_fails_the_operation_in_the_end(lab: Lab) -> None:
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)
    away(lab, 0, None)

    with pytest.raises(exception.InstancePowerOffFailure, match=r"^no HMC answers, try again"):
        compute.driver.power_off(subject.instance)
    with pytest.raises(exception.InstancePowerOffFailure, match=r"^no HMC answers, try again"):
        compute.delete(subject)


def test_a_state_is_asked_for_again_after_seconds(lab: Lab) -> None:
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)
    hmc = lab.hmc()
    listed = hmc.get(f"/api/cpcs/{lab.cpc_id}/partitions")
    hmc.close()
    [uri] = [each["object-uri"] for each in listed["partitions"]]

    def state_when(status: str, later: float) -> int:
        lab.control.set_properties(uri, {"status": status})
        lab.clock.sleep(later)
        return int(compute.driver.get_info(subject.instance).state)

    assert state_when("active", 0) == power_state.RUNNING
    assert state_when("terminated", 0) == power_state.RUNNING
    assert state_when("terminated", 6) == power_state.CRASHED
    assert state_when("degraded", 6) == power_state.RUNNING
