"""What a user may read of its own permissions: itself, its role, and the names of all tasks.

Get User Properties takes ``this-user`` for the user that asks, who may read itself, and its roles
(IBM, pages of "Get User Properties" and "Get User Role Properties"; zhmcclient, ``_user_role.py``);
List Tasks needs no permission (zhmcclient, ``_task.py``). Here a user has one role, which says what
the table of users says (:class:`dpm_lab.hmc.users.User`), sees no other user, and other roles only
with the task "Manage User Roles".
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

from dpm_lab.hmc import permissions
from dpm_lab.hmc.calls import Call
from dpm_lab.hmc.refusals import not_found, reference_not_found
from dpm_lab.hmc.tree import Tree
from dpm_lab.hmc.users import User

CLASSES = ("cpc", "adapter", "virtual-switch", "partition", "storage-group")
_USERS, _ROLES, _TASKS = "/api/users/", "/api/user-roles/", "/api/console/tasks/"
_THIS_USER = f"{_USERS}this-user"
_VIEW_ONLY = " (view-only)"
#: Names that are not just the title with hyphens: the first as in the sample of a role in
#: zhmc-ansible-modules, ``zhmc_user_role.py``; the second is guessed after it.
_SHORT = {
    "Configure Storage - Storage Administrator": "configure-storage-storageadmin",
    "Configure Storage - System Programmer": "configure-storage-systemprog",
}


def user(call: Call) -> Any:
    """Get User Properties.

    :raises Refusal: 404, 1: of another user, or where users don't see themselves.
    """
    own = _own(call)
    shown = {_THIS_USER, _uri(_USERS, own)}
    if call.tree.behaviour.own_user == "by-list":
        shown.remove(_THIS_USER)
    if call.tree.behaviour.own_user == "hidden" or call.path not in shown:
        raise not_found(call.path)
    return {
        **_common("user", _uri(_USERS, own)),
        "name": own.name,
        "type": "standard",
        "authentication-type": "local",
        "disabled": own.disabled,
        "allow-management-interfaces": own.management,
        "user-roles": [_uri(_ROLES, own)],
    }


def users(call: Call) -> Any:
    """List Users: the one that asks."""
    own = _own(call)
    item = {"object-uri": _uri(_USERS, own), "name": own.name, "type": "standard"}
    return {"users": [] if call.tree.behaviour.own_user == "hidden" else _named(call, [item])}


def role(call: Call) -> Any:
    """Get User Role Properties.

    :raises Refusal: 404, 1: of another user's role, or where users don't see their roles.
    """
    of = _holder(call)
    return {
        **_common("user-role", call.path),
        "name": f"{of.name}-role",
        "type": "user-defined",
        "is-inheritance-enabled": of.inherits,
        "associated-system-defined-user-role-uri": None,
        "permissions": [*_permitted_tasks(of), *_permitted_objects(of, call.tree)],
    }


def add_permission(call: Call) -> None:
    """Add Permission to a role: of a task, a class of objects or an object.

    :raises Refusal: 404, 1: there is no such role; 404, 2: no such task.
    """
    of = _holder(call)
    body = call.object("permitted-object", "permitted-object-type")
    call.allow("permitted-object", "permitted-object-type", "view-only-mode", "include-members")
    permitted = str(body["permitted-object"])
    titles = {_task_uri(title): title for title in _titles()}
    if permitted in titles:
        # By default for viewing only (zhmccli, zhmc-ansible-modules).
        title = titles[permitted] + (_VIEW_ONLY if body.get("view-only-mode", True) else "")
        if of.tasks is not None:
            of = replace(of, tasks=of.tasks | {title})
    elif permitted.startswith(_TASKS):
        raise reference_not_found("permitted-object", permitted)
    elif of.objects is not None:
        of = replace(of, objects=of.objects | {permitted})
    assert call.context.users is not None
    call.context.users.put(of)


def roles(call: Call) -> Any:
    """List User Roles: that of the user that asks; all where it manages roles."""
    items = [
        {"object-uri": _uri(_ROLES, each), "name": f"{each.name}-role", "type": "user-defined"}
        for each in _holders(call)
    ]
    return {"user-roles": _named(call, items)}


def tasks(call: Call) -> Any:
    """List Tasks."""
    items = [
        {"element-uri": _task_uri(title), "name": _name(call.tree, title)} for title in _titles()
    ]
    return {"tasks": _named(call, items)}


def task(call: Call) -> Any:
    """Get Task Properties.

    :raises Refusal: 404, 1: there is no such task.
    """
    for title in _titles():
        if _task_uri(title) == call.path:
            return {
                "element-uri": call.path,
                "element-id": call.path.removeprefix(_TASKS),
                "parent": "/api/console",
                "class": "task",
                "name": _name(call.tree, title),
                "description": title,
                "view-only-mode-supported": f"{title}{_VIEW_ONLY}" in permissions.tasks(),
            }
    raise not_found(call.path)


def _own(call: Call) -> User:
    own = call.context.user
    if own is None:  # it was removed, and its session is still there
        raise not_found(call.path)
    return own


def _holder(call: Call) -> User:
    """Return the user whose role a request is about."""
    for each in _holders(call):
        if call.base == _uri(_ROLES, each):
            return each
    raise not_found(call.path)


def _holders(call: Call) -> list[User]:
    """Return the users whose roles the user that asks may see."""
    own, users = _own(call), call.context.users
    if call.tree.behaviour.own_user not in {"all", "by-list"}:
        return []
    return users.all() if users and own.may(permissions.MANAGE_ROLES) else [own]


def _uri(base: str, of: User) -> str:
    return f"{base}{uuid.uuid5(uuid.NAMESPACE_URL, base + of.name)}"


def _task_uri(title: str) -> str:
    return f"{_TASKS}{uuid.uuid5(uuid.NAMESPACE_URL, title)}"


def _common(kind: str, uri: str) -> dict[str, Any]:
    return {
        "object-uri": uri,
        "object-id": uri.rpartition("/")[2],
        "class": kind,
        "parent": "/api/console",
        "description": "",
    }


def _named(call: Call, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    patterns = parse_qs(call.uri.partition("?")[2]).get("name", [".*"])
    return [item for item in items if any(re.fullmatch(each, item["name"]) for each in patterns)]


def _titles() -> list[str]:
    return sorted({title.removesuffix(_VIEW_ONLY) for title in permissions.tasks()})


def _name(tree: Tree, title: str) -> str:
    if tree.behaviour.task_names == "titles":
        return title
    return _SHORT.get(title, re.sub("[^a-z0-9]+", "-", title.lower()))


def _permitted_tasks(of: User) -> Iterator[dict[str, Any]]:
    for title in sorted(_titles() if of.tasks is None else of.tasks):
        yield {
            "permitted-object": _task_uri(title.removesuffix(_VIEW_ONLY)),
            "permitted-object-type": "object",
            "view-only-mode": title.endswith(_VIEW_ONLY),
        }


def _permitted_objects(of: User, tree: Tree) -> Iterator[dict[str, Any]]:
    """Classes and objects; who sees all but its own has access to each object by itself."""
    classes = set(CLASSES if of.objects is None else of.objects & set(CLASSES))
    if of.objects is None and not of.sees_own:
        classes.clear()
    for name in sorted(classes):
        yield {"permitted-object": name, "permitted-object-type": "object-class"}
    alone = replace(of, sees_own=False)
    for uri, resource in tree.faked.all_resources.items():
        kind = resource.properties.get("class")
        if kind in CLASSES and kind not in classes and permissions.sees(alone, tree, uri):
            yield {"permitted-object": uri, "permitted-object-type": "object"}
