"""A user that lacks a task or an object: the operator reads which."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from nova import exception

from dpm_hmc.permissions import ADMINISTRATOR, CLASSES, PROGRAMMER, STORAGE_TASKS, TASKS
from tests.driver.compute import Compute, Server, port, server, wrongs
from tests.driver.lab import Lab

ALL = {*TASKS, *STORAGE_TASKS}


@pytest.fixture(params=["z13", "z16"])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with Lab(request.param) as lab:
        yield lab


def permit(lab: Lab, tasks: set[str]) -> None:
    lab.control.set_user(lab.server.userid, tasks=sorted(tasks))


def needed(lab: Lab) -> set[str]:
    return set(TASKS) | (set(STORAGE_TASKS) if lab.has_groups else set())


def attach(compute: Compute, subject: Server) -> None:
    compute.driver.attach_interface(compute.context, subject.instance, None, port(compute.lab))


BUILD = ("New Partition", "Partition Details", "Start Partition", PROGRAMMER, ADMINISTRATOR)
LATER: list[tuple[str, Callable[[Compute, Server], object]]] = [
    ("Stop Partition", lambda compute, subject: compute.driver.power_off(subject.instance)),
    ("Stop Partition", lambda compute, subject: compute.reboot(subject)),
    ("Partition Details", attach),
]


def test_a_user_with_the_tasks_that_are_named_and_no_other_is_enough(lab: Lab) -> None:
    permit(lab, needed(lab))
    compute, subject = Compute(lab), server(lab)

    compute.build(subject)
    compute.reboot(subject)
    assert not wrongs(lab, subject)

    compute.delete(subject)
    assert not lab.left()


@pytest.mark.parametrize("task", BUILD)
def test_a_build_that_lacks_a_task_names_it_and_leaves_nothing(
    lab: Lab, task: str, caplog: pytest.LogCaptureFixture
) -> None:
    if task not in needed(lab):
        pytest.skip("a z13 has no storage groups")
    permit(lab, ALL - {task})
    compute, subject = Compute(lab), server(lab)

    with pytest.raises(exception.NovaException) as caught:
        compute.build(subject)

    assert f"The HMC user lacks the task {task}, or access" in caplog.text
    assert task not in str(caught.value)
    assert not lab.left()


@pytest.mark.parametrize(("task", "operation"), LATER)
def test_an_operation_that_lacks_a_task_names_it(
    lab: Lab,
    task: str,
    operation: Callable[[Compute, Server], object],
    caplog: pytest.LogCaptureFixture,
) -> None:
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)
    if task == "Partition Details":
        compute.driver.power_off(subject.instance)
    permit(lab, ALL - {task})

    with pytest.raises(exception.NovaException):
        operation(compute, subject)

    assert f"The HMC user lacks the task {task}, or access" in caplog.text


def test_a_user_that_does_not_see_what_it_makes_is_told_so(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    lab.control.set_user(lab.server.userid, sees_own=False)
    compute, subject = Compute(lab), server(lab)

    with pytest.raises(exception.NovaException):
        compute.build(subject)

    assert "access is given to a class of objects" in caplog.text
    assert all(each in caplog.text for each in CLASSES)
    assert subject.partition in caplog.text
