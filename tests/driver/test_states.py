"""What Nova is told of a server's state while it changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from nova.compute import power_state
from nova.exception import InstanceNotFound, NovaException

from dpm_lab.hmc import Fault
from nova_dpm.partition import Partitions
from tests.driver.compute import Compute, Server, server
from tests.driver.lab import Lab


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab("z13") as lab:
        yield lab


CHANGES: dict[str, tuple[str, Callable[[Compute, Server], Any], int | None]] = {
    "power_off": (
        "stop",
        lambda compute, subject: compute.driver.power_off(subject.instance),
        power_state.SHUTDOWN,
    ),
    "reboot": ("stop", Compute.reboot, power_state.RUNNING),
    "delete": ("delete", Compute.delete, None),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_look_in_the_middle_of_a_change_does_not_outlive_it(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    method, change, expected = CHANGES[name]
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)
    original = getattr(Partitions, method)

    def looked(*arguments: Any) -> Any:
        compute.driver.get_info(subject.instance)  # as Nova's periodic task does
        return original(*arguments)

    monkeypatch.setattr(Partitions, method, looked)
    change(compute, subject)

    assert _state(compute, subject) == expected


def test_a_change_that_failed_half_way_is_seen(lab: Lab) -> None:
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)
    lab.control.add_fault(Fault("POST", ".*/operations/start", status=500, times=None))

    with pytest.raises(NovaException):
        compute.reboot(subject)

    assert _state(compute, subject) == power_state.SHUTDOWN


def test_one_look_answers_for_all_servers_for_a_while(lab: Lab) -> None:
    compute, subjects = Compute(lab), [server(lab) for _ in range(3)]
    for subject in subjects:
        compute.build(subject)
    lab.control.reset_log()

    states = {_state(compute, subject) for subject in subjects}

    assert states == {power_state.RUNNING}
    assert len(lab.control.requests()) == 1


def _state(compute: Compute, subject: Server) -> int | None:
    try:
        return int(compute.driver.get_info(subject.instance).state)
    except InstanceNotFound:
        return None
