"""Users and roles that are made by the API, by somebody who manages them.

Their properties are those of zhmcclient.mock. What a user may is copied to the table of users
(`dpm_lab.hmc.api.users.User`) at each change, for that is what requests are checked against.
"""

from __future__ import annotations

from typing import Any

from dpm_lab.hmc.api import roles
from dpm_lab.hmc.api.calls import Call
from dpm_lab.hmc.api.refusals import Reason, reference_not_found, unknown
from dpm_lab.hmc.api.users import User

_USER: dict[str, Any] = {
    "allow-management-interfaces": True,
    "allow-remote-access": True,
    "default-group-uri": None,
    "description": "",
    "disable-delay": 1,
    "disabled": False,
    "disruptive-pw-required": True,
    "disruptive-text-required": False,
    "email-address": None,
    "force-password-change": False,
    "force-shared-secret-key-change": None,
    "idle-timeout": 0,
    "inactivity-timeout": 0,
    "is-locked": False,
    "max-failed-logins": 3,
    "max-web-services-api-sessions": 1000,
    "min-pw-change-time": 0,
    "multi-factor-authentication-required": False,
    "password-expires": -1,
    "replication-overwrite-possible": False,
    "session-timeout": 0,
    "userid-on-ldap-server": None,
    "verify-timeout": 15,
    "web-services-api-session-idle-timeout": 360,
}
_TYPES = ("standard", "template", "pattern-based")


def create_user(call: Call) -> Any:
    """Create User."""
    body = call.object("name", "type", "authentication-type", "password", "password-rule-uri")
    if body["authentication-type"] != "local":
        raise Reason.BAD_TYPE("The lab has no servers that authenticate users")
    if body["type"] not in _TYPES:
        raise Reason.BAD_TYPE(f"The type of a user is one of {', '.join(_TYPES)}")
    tree = call.tree
    user = tree.add("user", tree.console, {**_USER, "user-roles": [], **body})
    _copy(call)
    return {"object-uri": user.uri}


def create_role(call: Call) -> Any:
    """Create User Role."""
    body = call.object("name")
    if "type" in body:
        raise unknown("type")
    tree = call.tree
    operator = next(each.uri for each in tree.console.of("user-role"))
    properties = {
        "description": "",
        "associated-system-defined-user-role-uri": operator,
        "is-inheritance-enabled": False,
        "replication-overwrite-possible": True,
        "permissions": [],
        **body,
        "type": "user-defined",
    }
    return {"object-uri": tree.add("user-role", tree.console, properties).uri}


def add_role(call: Call) -> None:
    """Add User Role to User."""
    user = call.tree.find(call.base)
    uri = call.object("user-role-uri")["user-role-uri"]
    if user.properties["type"] == "pattern-based":
        raise Reason.ROLES_ARE_FIXED(f"Users of type {user.properties['type']} are given no roles")
    call.tree.refer("user-role-uri", uri)
    user.properties["user-roles"].append(uri)
    _copy(call)


def add_permission(call: Call) -> None:
    """Add Permission to a role: of a task, a class of objects or an object.

    Raises:
        Refusal: 404, 1: there is no such role; 404, 2: no such task.
    """
    body = call.object("permitted-object", "permitted-object-type")
    call.allow("permitted-object", "permitted-object-type", "view-only-mode", "include-members")
    if str(body["permitted-object"]).startswith(roles.TASKS):
        # By default for viewing only (zhmccli, zhmc-ansible-modules).
        body.setdefault("view-only-mode", True)
        if roles.title(body) is None:
            raise reference_not_found("permitted-object", body["permitted-object"])
    made = call.tree.resources.get(call.base)
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
    for made in tree.console.of("user"):
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
