"""nova-compute ends at any point, and another one goes on: what there is, is on the HMC."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest
from nova.exception import NovaException

from dpm_lab.hmc import Fault
from tests.driver.compute import Compute, Server, block_device_info, server, wrongs
from tests.driver.lab import Lab

Step = Callable[[Compute, Server], object]


def _spawn(compute: Compute, subject: Server) -> None:
    wwpns = compute.driver.get_volume_connector(subject.instance)["wwpns"]
    compute.restart()
    compute.driver.spawn(
        compute.context,
        subject.instance,
        None,
        [],
        None,
        {},
        network_info=subject.ports,
        block_device_info=block_device_info(subject, wwpns),
    )


STEPS: dict[str, Step] = {
    "prepare_for_spawn": lambda compute, subject: compute.driver.prepare_for_spawn(
        subject.instance
    ),
    "prepare_networks": lambda compute, subject: (
        compute.driver.prepare_networks_before_block_device_mapping(subject.instance, subject.ports)
    ),
    "connector": lambda compute, subject: compute.driver.get_volume_connector(subject.instance),
    "spawn": _spawn,
    "power_off": lambda compute, subject: compute.driver.power_off(subject.instance),
    "power_on": Compute.power_on,
    "reboot": Compute.reboot,
}


@pytest.fixture(params=["z13", "z16", "z17"])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with Lab(request.param) as lab:
        yield lab


def test_a_new_nova_compute_goes_on_after_every_step(lab: Lab) -> None:
    compute, subject = Compute(lab), server(lab, ports=2)
    connectors = []

    for name, step in STEPS.items():
        step(compute, subject)
        compute.restart()
        if name not in ("prepare_for_spawn",):
            connectors.append(compute.driver.get_volume_connector(subject.instance))
        compute.restart()

    assert not wrongs(lab, subject)
    assert all(each == connectors[0] for each in connectors)
    assert len(connectors[0]["wwpns"]) == lab.storage_ports
    compute.delete(subject)
    assert not lab.left()


@pytest.mark.parametrize("last", STEPS)
def test_a_new_nova_compute_deletes_after_every_step(lab: Lab, last: str) -> None:
    compute, subject = Compute(lab), server(lab)
    for name, step in STEPS.items():
        step(compute, subject)
        if name == last:
            break

    compute.restart()
    compute.delete(subject)

    assert not lab.left()


@pytest.mark.parametrize("goes_on", ["delete", "build"])
@pytest.mark.parametrize("carried_out", [False, True])
@pytest.mark.parametrize("machine", ["z13", "z16"])
def test_killed_at_any_request_of_a_build(machine: str, carried_out: bool, goes_on: str) -> None:
    with Lab(machine) as lab:
        compute, subject = Compute(lab), server(lab, ports=2)
        lab.control.reset_log()
        compute.build(subject)
        count = len(lab.control.requests())
        compute.delete(subject)

        for place in range(count):
            subject = server(lab, ports=2)
            _die(lab, subject, place, carried_out)
            compute.restart()
            if goes_on == "build":
                compute.build(subject)
                assert not wrongs(lab, subject), f"killed at request {place}"
            compute.delete(subject)
            assert not lab.left(), f"killed at request {place}"


@pytest.mark.parametrize("carried_out", [False, True])
def test_killed_at_any_request_of_a_deletion(lab: Lab, carried_out: bool) -> None:
    compute, subject = Compute(lab), server(lab, ports=2)
    compute.build(subject)
    compute.restart()
    lab.control.reset_log()
    compute.delete(subject)
    count = len(lab.control.requests())

    for place in range(count):
        compute.build(subject)
        compute.restart()
        _order_death(lab, place, carried_out)
        with contextlib.suppress(NovaException):  # a process that is killed says nothing
            compute.delete(subject)
        lab.control.clear_faults()
        compute.restart()
        compute.delete(subject)
        assert not lab.left(), f"killed at request {place}"


def _die(lab: Lab, subject: Server, place: int, carried_out: bool) -> None:
    """Build until a request, and do nothing after it, no cleanup either."""
    compute = Compute(lab)
    compute.delete = lambda server: None  # type: ignore[method-assign]
    compute.driver.failed_spawn_cleanup = lambda instance: None  # type: ignore[method-assign]
    _order_death(lab, place, carried_out)
    with contextlib.suppress(NovaException):  # a process that is killed says nothing
        compute.build(subject)
    lab.control.clear_faults()


def _order_death(lab: Lab, place: int, carried_out: bool) -> None:
    if carried_out:
        lab.control.add_fault(Fault(kind="drop-after", after=place))
        place += 1
    lab.control.add_fault(Fault(kind="drop-before", after=place, times=None))
