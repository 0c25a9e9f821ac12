"""What a user may read of its own permissions: itself, its role, and the names of all tasks.

Get User Properties takes ``this-user`` for the user that asks, who may read itself, and its roles
(IBM, pages of "Get User Properties" and "Get User Role Properties"; zhmcclient, ``_user_role.py``);
List Tasks needs no permission (zhmcclient, ``_task.py``). A user of the lab's table
(`dpm_lab.hmc.api.users.User`) has one role here, which says what the table says; one that
was made by the API has those that it was given. Others are seen by those who manage them only.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from dpm_lab.hmc.api import permissions
from dpm_lab.hmc.api.calls import Call
from dpm_lab.hmc.api.refusals import not_found
from dpm_lab.hmc.api.resources import Resource
from dpm_lab.hmc.api.tree import Tree
from dpm_lab.hmc.api.users import User

CLASSES = ("cpc", "adapter", "virtual-switch", "partition", "storage-group")
_USERS, _ROLES, TASKS = "/api/users/", "/api/user-roles/", "/api/console/tasks/"
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

    Raises:
        Refusal: 404, 1: of another user, or where users don't see themselves.
    """
    own = _own(call)
    shown = _shown_user(call, own)
    paths = {_THIS_USER, shown["object-uri"]}
    if call.tree.behaviour.own_user == "by-list":
        paths.remove(_THIS_USER)
    if call.tree.behaviour.own_user == "hidden" or call.path not in paths:
        raise not_found(call.path)
    return shown


def users(call: Call) -> Any:
    """List Users: the one that asks; with those made by the API where it manages them."""
    own = _own(call)
    items = [] if call.tree.behaviour.own_user == "hidden" else [_shown_user(call, own)]
    if own.may(permissions.MANAGE_USERS):
        items += [each.properties for each in _made(call, "user") if each.name != own.name]
    return {"users": _named(call, items, "type")}


def role(call: Call) -> Any:
    """Get User Role Properties.

    Raises:
        Refusal: 404, 1: of another user's role, or where users don't see their roles.
    """
    own = _own(call)
    for made in _made(call, "user-role"):
        is_own = made.uri in _shown_user(call, own)["user-roles"] and _shows_roles(call)
        if made.uri == call.path and (is_own or own.may(permissions.MANAGE_ROLES)):
            return made.properties
    return _shown_role(holder(call), call.tree)


def roles(call: Call) -> Any:
    """List User Roles: those of the user that asks; all where it manages roles."""
    own = _own(call)
    items = [_shown_role(each, call.tree) for each in _holders(call)]
    own_uris = _shown_user(call, own)["user-roles"] if _shows_roles(call) else []
    items += [
        each.properties
        for each in _made(call, "user-role")
        if each.uri in own_uris or own.may(permissions.MANAGE_ROLES)
    ]
    return {"user-roles": _named(call, items, "type")}


def tasks(call: Call) -> Any:
    """List Tasks."""
    items = [
        {"element-uri": _task_uri(title), "name": _name(call.tree, title)} for title in _titles()
    ]
    return {"tasks": _named(call, items)}


def task(call: Call) -> Any:
    """Get Task Properties.

    Raises:
        Refusal: 404, 1: there is no such task.
    """
    for title in _titles():
        if _task_uri(title) == call.path:
            return {
                "element-uri": call.path,
                "element-id": call.path.removeprefix(TASKS),
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


def holder(call: Call) -> User:
    """Return the user of the lab's table whose role a request is about.

    Raises:
        Refusal: 404, 1: there is none, or it may not be seen.
    """
    for each in _holders(call):
        if call.base == _uri(_ROLES, each):
            return each
    raise not_found(call.path)


def title(permission: dict[str, Any]) -> str | None:
    """Return the title of the task that a permission is for, None where there is no such."""
    for each in _titles():
        if _task_uri(each) == permission["permitted-object"]:
            return each + (_VIEW_ONLY if permission["view-only-mode"] else "")
    return None


def with_permission(of: User, permission: dict[str, Any]) -> User:
    """Return a user that has one permission more."""
    permitted = str(permission["permitted-object"])
    if permitted.startswith(TASKS):
        named = title(permission)
        if of.tasks is None or named is None:
            return of
        return replace(of, tasks=of.tasks | {named})
    return of if of.objects is None else replace(of, objects=of.objects | {permitted})


def _shown_user(call: Call, of: User) -> dict[str, Any]:
    for made in _made(call, "user"):
        if made.name == of.name:
            return {name: value for name, value in made.properties.items() if name != "password"}
    return {
        **_common("user", _uri(_USERS, of)),
        "name": of.name,
        "type": "standard",
        "authentication-type": "local",
        "disabled": of.disabled,
        "allow-management-interfaces": of.management,
        "user-roles": [_uri(_ROLES, of)],
    }


def _shown_role(of: User, tree: Tree) -> dict[str, Any]:
    return {
        **_common("user-role", _uri(_ROLES, of)),
        "name": f"{of.name}-role",
        "type": "user-defined",
        "is-inheritance-enabled": of.inherits,
        "associated-system-defined-user-role-uri": None,
        "permissions": [*_permitted_tasks(of), *_permitted_objects(of, tree)],
    }


def _made(call: Call, kind: str) -> list[Resource]:
    """Return users or roles that were made by the API, and system-defined ones."""
    return call.tree.console.of(kind)


def _holders(call: Call) -> list[User]:
    """Return the users of the lab's table whose roles the user that asks may see."""
    own, users = _own(call), call.context.users
    if not _shows_roles(call):
        return []
    all_users = users.all() if users and own.may(permissions.MANAGE_ROLES) else [own]
    made = {each.name for each in _made(call, "user")}
    return [each for each in all_users if each.name not in made]


def _shows_roles(call: Call) -> bool:
    return call.tree.behaviour.own_user in {"all", "by-list"}


def _uri(base: str, of: User) -> str:
    return f"{base}{uuid.uuid5(uuid.NAMESPACE_URL, base + of.name)}"


def _task_uri(title: str) -> str:
    return f"{TASKS}{uuid.uuid5(uuid.NAMESPACE_URL, title)}"


def _common(kind: str, uri: str) -> dict[str, Any]:
    return {
        "object-uri": uri,
        "object-id": uri.rpartition("/")[2],
        "class": kind,
        "parent": "/api/console",
        "description": "",
    }


def _named(call: Call, items: list[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    """Return what a list shows of those that a request asks for."""
    patterns = call.query("name", "type").get("name", [".*"])
    return [
        {name: item[name] for name in ("object-uri", "element-uri", "name", *names) if name in item}
        for item in items
        if any(re.fullmatch(each, item["name"]) for each in patterns)
    ]


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
    for uri, resource in tree.resources.items():
        kind = resource.kind
        if kind in CLASSES and kind not in classes and permissions.sees(alone, tree, uri):
            yield {"permitted-object": uri, "permitted-object-type": "object"}
