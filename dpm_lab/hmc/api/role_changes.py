"""Users and roles that are made by the API, by somebody who manages them.

The resources are those of zhmcclient's mock. What a user may is copied to the table of users
(:class:`dpm_lab.hmc.api.users.User`) at each change, for that is what requests are checked against.
"""

from __future__ import annotations

from typing import Any

from dpm_lab.hmc.api import roles
from dpm_lab.hmc.api.calls import Call
from dpm_lab.hmc.api.refusals import reference_not_found
from dpm_lab.hmc.api.users import User


def create_user(call: Call) -> Any:
    """Create User."""
    answer = call.mock(call.object())
    _copy(call)
    return answer


def add_role(call: Call) -> None:
    """Add User Role to User."""
    call.mock(call.object("user-role-uri"))
    _copy(call)


def add_permission(call: Call) -> None:
    """Add Permission to a role: of a task, a class of objects or an object.

    :raises Refusal: 404, 1: there is no such role; 404, 2: no such task.
    """
    body = call.object("permitted-object", "permitted-object-type")
    call.allow("permitted-object", "permitted-object-type", "view-only-mode", "include-members")
    if str(body["permitted-object"]).startswith(roles.TASKS):
        # By default for viewing only (zhmccli, zhmc-ansible-modules).
        body.setdefault("view-only-mode", True)
        if roles.title(body) is None:
            raise reference_not_found("permitted-object", body["permitted-object"])
    made = call.tree.faked.all_resources.get(call.base)
    if made is not None:
        made.properties["permissions"].append(body)
        _copy(call)
        return
    of = roles.holder(call)
    assert call.context.users is not None
    call.context.users.put(roles.with_permission(of, body))


def _copy(call: Call) -> None:
    """Have the table of users say what the users that were made by the API may."""
    tree, users = call.tree, call.context.users
    assert users is not None
    for made in tree.faked.consoles.console.users.list():
        user = User(
            made.name,
            str(made.properties.get("password", "")),
            tasks=frozenset(),
            objects=frozenset(),
            management=bool(made.properties.get("allow-management-interfaces")),
            disabled=bool(made.properties.get("disabled")),
            inherits=any(
                tree.find(uri).properties["is-inheritance-enabled"]
                for uri in made.properties["user-roles"]
            ),
        )
        for uri in made.properties["user-roles"]:
            for permission in tree.find(uri).properties["permissions"]:
                user = roles.with_permission(user, permission)
        users.put(user)
