"""What a user reads of its own permissions, with a real zhmcclient."""

from __future__ import annotations

from typing import Any

import pytest
import zhmcclient

from tests.hmc.lab.client import Lab, refused, session

DETAILS = "Partition Details"
ADMINISTRATOR = "Configure Storage - Storage Administrator"


def console(lab: Lab) -> Any:
    return zhmcclient.Client(lab.session).consoles.console


def permissions(lab: Lab) -> set[tuple[str, bool | None]]:
    """Titles of tasks, classes, and names of objects that the role of the user has."""
    titles = {each.uri: each.prop("description") for each in console(lab).tasks.list()}
    objects = lab.hmc.service.tree.resources  # type: ignore[union-attr]
    names = titles | {uri: each.name for uri, each in objects.items()}
    role = console(lab).user_roles.find(name=f"{lab.hmc.userid}-role")
    return {
        (names.get(each["permitted-object"], each["permitted-object"]), each.get("view-only-mode"))
        for each in role.prop("permissions")
    }


def test_the_role_of_a_user_is_its_row_of_the_table(z16: Lab) -> None:
    tasks = ["New Partition", f"{DETAILS} (view-only)"]
    z16.control.set_user(z16.hmc.userid, tasks=tasks, objects=["cpc", "OSA-A"])

    assert permissions(z16) == {
        ("New Partition", False),
        (DETAILS, True),
        ("cpc", None),
        ("OSA-A", None),
    }


def test_a_user_that_may_all_has_all_tasks_and_classes(z16: Lab) -> None:
    found = permissions(z16)

    assert {(ADMINISTRATOR, False), (DETAILS, False), ("Manage User Roles", False)} <= found
    assert {name for name, view_only in found if view_only is None} == {
        *("cpc", "adapter", "virtual-switch", "partition", "storage-group"),
    }


def test_a_user_that_does_not_see_its_own_has_access_to_objects_one_by_one(z16: Lab) -> None:
    z16.control.set_user(z16.hmc.userid, sees_own=False)
    z16.partition("hidden")

    found = {name for name, view_only in permissions(z16) if view_only is None}

    assert {"Z16", "OSA-A", "FCP-A"} <= found
    assert found.isdisjoint({"hidden", "partition", "storage-group"})


def test_this_user_is_the_one_that_asks(z16: Lab) -> None:
    shown = z16.session.get("/api/users/this-user")

    (listed,) = console(z16).users.list()
    assert shown["name"] == z16.hmc.userid == listed.name
    assert z16.session.get(listed.uri) == shown
    assert "password" not in shown
    with refused(404, 1):
        z16.session.get("/api/users/00000000-0000-4000-8000-000000000000")
    with refused(404, 1):
        z16.session.get("/api/user-roles/00000000-0000-4000-8000-000000000000")


@pytest.mark.parametrize(
    ("behaviour", "this_user", "listed", "role"),
    [
        ("all", True, True, True),
        ("by-list", False, True, True),
        ("without-roles", True, True, False),
        ("hidden", False, False, False),
    ],
)
def test_what_is_shown_is_ordered(
    z16: Lab, behaviour: str, this_user: bool, listed: bool, role: bool
) -> None:
    (uri,) = z16.session.get("/api/users/this-user")["user-roles"]
    z16.control.set_behaviour(own_user=behaviour)

    def is_shown(asked: str) -> bool:
        try:
            z16.session.get(asked)
        except zhmcclient.HTTPError as error:
            assert (error.http_status, error.reason) == (404, 1)
            return False
        return True

    assert is_shown("/api/users/this-user") is this_user
    assert len(console(z16).users.list(filter_args={"name": z16.hmc.userid})) == listed
    assert is_shown(uri) is role
    name = f"{z16.hmc.userid}-role"
    assert len(console(z16).user_roles.list(filter_args={"name": name})) == role


@pytest.mark.parametrize(
    ("behaviour", "name"), [("short", "configure-storage-storageadmin"), ("titles", ADMINISTRATOR)]
)
def test_tasks_have_names_of_their_own(z16: Lab, behaviour: str, name: str) -> None:
    z16.control.set_behaviour(task_names=behaviour)

    task = console(z16).tasks.find(name=name)

    assert task.prop("description") == ADMINISTRATOR
    with refused(404, 1):
        z16.session.get("/api/console/tasks/00000000-0000-4000-8000-000000000000")


def test_a_permission_is_added_by_somebody_who_manages_roles(z16: Lab) -> None:
    z16.control.set_user(z16.hmc.userid, tasks=["New Partition"], objects=["cpc"])
    z16.control.set_user("admin", password="of-a-test", tasks=["Manage User Roles"])
    role = console(z16).user_roles.find(name=f"{z16.hmc.userid}-role")
    task = console(z16).tasks.find(name="partition-details")
    with refused(403, 1, "Manage User Roles"):
        role.add_permission(task, view_only=False)

    z16.hmc.userid = "admin"
    admin = session(z16.hmc, password="of-a-test")
    z16.hmc.userid = "labuser"
    of_admin = zhmcclient.Client(admin).consoles.console.user_roles.resource_object(role.uri)
    of_admin.add_permission(task)
    of_admin.add_permission("partition")

    found = {("New Partition", False), ("cpc", None), ("partition", None)}
    assert permissions(z16) == {*found, (DETAILS, True)}
    of_admin.add_permission(task, view_only=False)
    assert (DETAILS, False) in permissions(z16)
    with refused(404, 2, "permitted-object"):
        admin.post(
            f"{role.uri}/operations/add-permission",
            body={
                "permitted-object": "/api/console/tasks/x",
                "permitted-object-type": "object",
            },
        )
    admin.logoff()


def test_a_nic_needs_access_to_the_adapter_behind_the_switch(z16: Lab) -> None:
    partition = z16.partition("one")
    nic = {"name": "eth", "virtual-switch-uri": z16.switch()}
    z16.control.set_user(z16.hmc.userid, objects=["cpc", "one", "virtual-switch"])

    with refused(404, 2, "virtual-switch-uri"):
        partition.nics.create(nic)

    z16.control.set_user(z16.hmc.userid, objects=["cpc", "one", "virtual-switch", "adapter"])
    partition.nics.create(nic)


def test_who_inherits_sees_what_is_on_the_cpc(z16: Lab) -> None:
    z16.partition("one")
    group = z16.group()
    z16.control.set_user(z16.hmc.userid, objects=["Z16"], inherits=True, sees_own=False)

    assert [each.name for each in z16.cpc.partitions.list()] == ["one"]
    assert z16.session.get(z16.switch())["class"] == "virtual-switch"
    with refused(404, 1):
        z16.session.get(group.uri)
    z16.control.set_user(z16.hmc.userid, objects=["Z16"], inherits=False, sees_own=False)
    assert z16.cpc.partitions.list() == []
