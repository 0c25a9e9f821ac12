"""Which task an operation needs, and which objects.

The tasks are those of the sections "Authorization requirements" in zhmcclient's documentation (all
methods that perform the operations below) and of IBM's pages of the operations. What is not in the
table needs no task.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from dpm_lab.hmc.api.refusals import Reason, Refusal, not_found, reference_not_found
from dpm_lab.hmc.api.tree import Tree
from dpm_lab.hmc.api.users import User

_DETAILS = ("Partition Details",)
_PROGRAMMER = ("Configure Storage - System Programmer",)
_ADMINISTRATOR = ("Configure Storage - Storage Administrator",)
_MESSAGES = ("Operating System Messages",)
_CONSOLE = ("Integrated ASCII Console",)
_VIEW_MESSAGES = "Operating System Messages (view-only)"
#: Get CPC Properties of all properties (zhmc-prometheus-exporter, "Setup").
FULL_CPC = ("Manage Secure Execution Keys",)
#: Who has these sees and changes all users, or roles.
MANAGE_USERS, MANAGE_ROLES = ("Manage Users",), ("Manage User Roles",)

_PARTITION = r"/api/partitions/[^/]+"
_GROUP = r"/api/storage-groups/[^/]+"
#: Method, path, and the tasks of which one is needed.
_TABLE = [
    ("POST", r"/api/cpcs/[^/]+/partitions", ("New Partition",)),
    ("POST", _PARTITION, _DETAILS),
    ("DELETE", _PARTITION, ("Delete Partition",)),
    ("POST", rf"{_PARTITION}/operations/start", ("Start Partition",)),
    ("POST", rf"{_PARTITION}/operations/stop", ("Stop Partition",)),
    ("POST", rf"{_PARTITION}/operations/psw-restart", ("PSW Restart",)),
    (
        "POST",
        rf"{_PARTITION}/operations/(?:scsi-dump|start-dump-program)",
        ("Dump Partition",),
    ),
    ("POST", rf"{_PARTITION}/operations/(?:un)?mount-iso-image", _DETAILS),
    ("POST", rf"{_PARTITION}/operations/(?:attach|detach)-storage-group", _DETAILS),
    ("GET", rf"{_PARTITION}/operations/list-os-messages", (*_MESSAGES, _VIEW_MESSAGES)),
    ("POST", rf"{_PARTITION}/operations/open-os-message-channel", (*_MESSAGES, _VIEW_MESSAGES)),
    ("POST", rf"{_PARTITION}/operations/send-os-cmd", _MESSAGES),
    ("POST", rf"{_PARTITION}/operations/get-ascii-console-websocket-uri", _CONSOLE),
    ("POST|DELETE", rf"{_PARTITION}/(?:nics|hbas)(?:/.*)?", _DETAILS),
    ("POST", r"/api/storage-groups", _PROGRAMMER),
    ("POST", rf"{_GROUP}/operations/start-fcp-storage-discovery", _PROGRAMMER + _ADMINISTRATOR),
    ("GET", rf"{_GROUP}/operations/get-connection-report", _PROGRAMMER + _ADMINISTRATOR),
    ("POST", rf"{_GROUP}/storage-volumes/.*/fulfill-.*", _ADMINISTRATOR),
    ("POST", rf"{_GROUP}/.*", _PROGRAMMER),
    ("POST", r"/api/cpcs/[^/]+/operations/validate-lun-path", _ADMINISTRATOR),
    ("POST|DELETE", r"/api/adapters/.*", ("Adapter Details",)),
    ("POST", r"/api/console/user-roles|/api/user-roles/.*", MANAGE_ROLES),
    ("POST", r"/api/console/users|/api/users/.*", MANAGE_USERS),
]
_OBJECT = re.compile(r"/api/(?:adapters|cpcs|partitions|storage-groups|virtual-switches)/[^/?]+")


def tasks() -> frozenset[str]:
    """Return the titles of all tasks that there are."""
    return frozenset(FULL_CPC).union(*(tasks for _, _, tasks in _TABLE))


def check(user: User | None, tree: Tree, method: str, uri: str, body: Any) -> None:
    """Check that a user may do something.

    Raises:
        Refusal: 403, 1: a task is missing; 404, 1: an object of the URI may not be seen; 404, 2:
            one that the body names; with ``object-access=403-1`` that is 403, 1 for both.
    """
    if user is None:
        return
    path = uri.partition("?")[0]
    for tasks in needed(method, uri):
        if not user.may(tasks):
            raise Reason.NO_PERMISSION(
                f"The user {user.name} has no permission to {' or '.join(tasks)}"
            )
    if not sees(user, tree, path):
        raise _hidden(tree, user, not_found(path))
    for field, named in _named(body):
        if not sees(user, tree, named) or not sees(user, tree, _backing(tree, named)):
            raise _hidden(tree, user, reference_not_found(field, named))


def needed(method: str, uri: str) -> Iterator[tuple[str, ...]]:
    """Iterate over the permissions that a request needs: of each, one of these tasks."""
    path, _, query = uri.partition("?")
    if method == "GET" and re.fullmatch(r"/api/cpcs/[^/]+", path) and "properties=" not in query:
        yield FULL_CPC
    for methods, pattern, tasks in _TABLE:
        if re.fullmatch(methods, method) and re.fullmatch(pattern, path):
            yield tasks
            return


def _hidden(tree: Tree, user: User, refusal: Refusal) -> Refusal:
    if tree.behaviour.object_access == "403-1":
        return Reason.NO_PERMISSION(f"The user {user.name} has no access to the object")
    return refusal


def _named(body: Any, field: str = "") -> Iterator[tuple[str, str]]:
    """Iterate over the URIs in a body, each with the field that it is in."""
    if isinstance(body, str) and body.startswith("/api/"):
        yield field, body
    elif isinstance(body, dict):
        for name, value in body.items():
            yield from _named(value, field or str(name))
    elif isinstance(body, list):
        for value in body:
            yield from _named(value, field)


def _backing(tree: Tree, uri: str) -> str:
    """Return the adapter of a virtual switch: a NIC needs access to both (zhmcclient, Nic)."""
    resource = tree.resources.get(uri)
    return "" if resource is None else str(resource.properties.get("backing-adapter-uri", ""))


def sees(user: User | None, tree: Tree, uri: str) -> bool:
    """Return whether a user has access to the object that a URI is of or below."""
    match = _OBJECT.match(uri)
    if user is None or match is None:
        return True
    own = tree.makers.get(match[0]) == user.name
    resource = tree.resources.get(match[0])
    if resource is None or (own and user.sees_own):
        return True
    if user.objects is None:
        return not own
    parent = resource.parent
    if (
        user.inherits
        and parent is not None
        and parent.kind == "cpc"
        and sees(user, tree, parent.uri)
    ):
        return True
    return not user.objects.isdisjoint({resource.kind, match[0], resource.name})


def visible(user: User | None, tree: Tree, answer: Any) -> Any:
    """Return the answer to a list request with what the user may see."""
    if user is None or not isinstance(answer, dict) or len(answer) != 1:
        return answer
    ((name, items),) = answer.items()
    if not isinstance(items, list):
        return answer
    return {
        name: [
            item
            for item in items
            if not isinstance(item, dict) or sees(user, tree, str(item.get("object-uri", "")))
        ]
    }


def made(user: User | None, tree: Tree, answer: Any) -> None:
    """Note who made what a request answers with."""
    if user is not None and isinstance(answer, dict) and "object-uri" in answer:
        tree.makers[str(answer["object-uri"])] = user.name
