"""What nova-dpm-check says of a user's permissions, and what the HMC then refuses the driver."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from nova import exception

from dpm_hmc.client import Hmc
from dpm_hmc.errors import DpmError
from dpm_hmc.finding import FAILED, OK, WARNING
from dpm_hmc.permissions import CONSOLE, MESSAGES, STORAGE_TASKS, TASKS
from dpm_lab.hmc import permissions as table
from nova_dpm.check import permissions, start
from tests.driver.compute import Compute, Server, port, server
from tests.driver.haste import HASTY
from tests.driver.lab import Lab

ALL = {*TASKS, *STORAGE_TASKS}
VIEW_ONLY = "Partition Details (view-only)"
OBJECTS = ["cpc", "adapter", "virtual-switch", "partition", "storage-group"]


@pytest.fixture(params=["z13", "z16", "z17"])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with Lab(request.param) as lab:
        yield lab


def needed(lab: Lab) -> set[str]:
    return set(TASKS) | (set(STORAGE_TASKS) if lab.has_groups else set())


def said(lab: Lab) -> dict[str, str]:
    """What the check says of each permission."""
    settings = lab.settings()
    hmc = Hmc(settings.hmc, HASTY)
    try:
        found = permissions.permissions(hmc, settings, start.usable_cpc(hmc, settings))
    finally:
        hmc.close()
    return {each.check: each.result for each in found}


def granted(lab: Lab) -> set[str]:
    return {what for what, result in said(lab).items() if result == OK}


def life(compute: Compute, old: Server, young: Server) -> None:
    """Do all that the driver does, with a server that is there and one that is new."""
    driver, lab = compute.driver, compute.lab
    steps: list[Callable[[], object]] = [
        lambda: driver.power_off(old.instance),
        lambda: driver.attach_interface(compute.context, old.instance, None, port(lab)),
        lambda: compute.power_on(old),
        lambda: compute.reboot(old),
        lambda: compute.delete(old),
        lambda: compute.build(young),
        lambda: compute.reboot(young),
        lambda: compute.delete(young),
    ]
    for step in steps:
        with suppress(exception.NovaException, DpmError):
            step()


def refused(lab: Lab) -> set[str]:
    """The tasks of the requests that the HMC has refused with 403, by its own table."""
    return {
        f"task {task}"
        for request in lab.control.requests()
        if request.status == 403
        for tasks in table.needed(request.method, request.uri)
        for task in tasks
    }


@pytest.mark.parametrize("names", ["short", "titles"])
@pytest.mark.parametrize("task", sorted(ALL))
def test_what_is_said_to_be_missing_is_refused_and_nothing_else(
    lab: Lab, task: str, names: str
) -> None:
    if task not in needed(lab):
        pytest.skip("a z13 has no storage groups")
    compute, old = Compute(lab), server(lab)
    compute.build(old)
    left = {*ALL, VIEW_ONLY} - {task}
    lab.control.set_user(lab.server.userid, tasks=sorted(left))
    lab.control.set_behaviour(task_names=names)

    found = said(lab)
    lab.control.reset_log()
    life(compute, old, server(lab))

    missing = {what for what, result in found.items() if result == FAILED}
    assert missing == refused(lab) == {f"task {task}"}
    assert {what for what, result in found.items() if result == OK} >= {
        f"task {each}" for each in needed(lab) - {task}
    }


@pytest.mark.parametrize("own_user", ["all", "by-list", "without-roles", "hidden"])
def test_a_user_without_any_task_is_granted_none(lab: Lab, own_user: str) -> None:
    compute, old = Compute(lab), server(lab)
    compute.build(old)
    lab.control.set_user(lab.server.userid, tasks=[VIEW_ONLY])
    lab.control.set_behaviour(own_user=own_user)

    found = granted(lab)
    lab.control.reset_log()
    life(compute, old, server(lab))

    assert refused(lab)
    assert not any(what.startswith("task ") for what in found)


@pytest.mark.parametrize("missing", ["partition", "storage-group"])
@pytest.mark.parametrize("sees_own", [False, True])
def test_a_class_is_granted_only_where_what_is_made_is_seen(
    lab: Lab, missing: str, sees_own: bool
) -> None:
    if missing == "storage-group" and not lab.has_groups:
        pytest.skip("a z13 has no storage groups")
    objects = [each for each in OBJECTS if each != missing]
    lab.control.set_user(lab.server.userid, objects=objects, sees_own=sees_own)

    found = said(lab)

    assert found[f"class {missing}"] == WARNING
    compute = Compute(lab)
    if sees_own:
        compute.build(server(lab))
    else:
        with pytest.raises(exception.NovaException):
            compute.build(server(lab))


def test_what_is_said_to_be_granted_is_enough(lab: Lab) -> None:
    """By the classes that are said to be granted alone, without seeing what is one's own."""
    lab.control.set_user(
        lab.server.userid,
        tasks=sorted({*needed(lab), MESSAGES, CONSOLE}),
        objects=OBJECTS,
        sees_own=False,
    )

    assert set(said(lab).values()) == {OK}

    compute, old = Compute(lab), server(lab)
    compute.build(old)
    lab.control.reset_log()
    life(compute, old, server(lab))
    assert not refused(lab)
    assert not lab.left()
