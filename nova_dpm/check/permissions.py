"""Which of its permissions the HMC's user has, as far as it can read that itself.

A user may read itself (``GET /api/users/this-user``: IBM, "Get User Properties") and its roles
(IBM, "Get User Role Properties": user-related access); which task a URI is, the list of tasks says
to everybody (zhmcclient 1.26, ``_task.py``). No other request tells whether a task is permitted
without changing something. Only what a role says is said to be granted.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from urllib.parse import quote

from dpm_hmc import answers
from dpm_hmc.answers import Properties
from dpm_hmc.client import Hmc
from dpm_hmc.console import SINCE as SINCE_SERIAL
from dpm_hmc.cpc import Cpc, version_number
from dpm_hmc.errors import AnswerError, DpmError, HttpError
from dpm_hmc.finding import FAILED, OK, SKIPPED, WARNING, Finding
from dpm_hmc.permissions import API_NAMES, CLASSES, CONSOLE, MESSAGES, STORAGE_TASKS, TASKS
from nova_dpm.check import contents
from nova_dpm.conf import Settings

_THIS_USER = "/api/users/this-user"
_USERS = "/api/console/users"
_TASKS = "/api/console/tasks"
_MOST_ROLES = 20
"""How many roles of the user are read."""

_CONSOLE_LOG = "console log"
SERIAL_CONSOLE = "serial console"
_LISTS_MESSAGES = version_number("2.14.0")
_CHANGEABLE = "user-defined"
_GIVE_IT = "Give it to a role of the user on the HMC"


@dataclass(frozen=True)
class _Role:
    """What a role permits.

    Args:
        name: for messages
        uri: where permissions can be added, or nothing
        objects: URIs of objects, also of tasks
        views: URIs of tasks whose view-only version it permits
        classes: of objects
        inherits: whether objects of a permitted CPC are permitted
        unread: why it may permit more
    """

    name: str
    uri: str
    objects: frozenset[str]
    views: frozenset[str]
    classes: frozenset[str]
    inherits: bool
    unread: str


class _UnreadableError(Exception):
    """Something cannot be read; the text says what, and why."""


@contextmanager
def _reading(what: str) -> Iterator[None]:
    """Make of an error of the HMC the reason why something cannot be told."""
    try:
        yield
    except HttpError as error:
        said = f"the HMC answered {error.status},{error.reason}"
        raise _UnreadableError(f"{what} cannot be read: {said}") from None
    except DpmError as error:
        raise _UnreadableError(f"{what} cannot be read: {error.finding}") from None


def permissions(hmc: Hmc, settings: Settings, cpc: Cpc) -> list[Finding]:
    """Return what can be said of each permission that the driver needs, in the operators' order.

    Access to the CPC, adapters and virtual switches is not among them: that they can be read shows
    it. Whatever the HMC answers, or does not, is part of the result: `SKIPPED` is what nobody can
    tell, `WARNING` what the driver may do without.

    Args:
        hmc: the session
        settings: whose user is logged on
        cpc: that servers run on
    """
    needed = [*TASKS, *(STORAGE_TASKS if cpc.has_storage_management else ())]
    classes = CLASSES if cpc.has_storage_management else CLASSES[:1]
    has_logs = version_number(cpc.se_version) >= _LISTS_MESSAGES
    has_serial = cpc.api_version >= SINCE_SERIAL
    others = [
        *(f"class {name}" for name in classes),
        *([_CONSOLE_LOG] if has_logs else ()),
        *([SERIAL_CONSOLE] if has_serial else ()),
    ]
    try:
        roles, unread = _roles(hmc, settings.hmc.username)
    except _UnreadableError as error:
        refused = _refused_report(hmc, settings.host) if cpc.has_storage_management else ""
        return [
            Finding(f"task {task}", FAILED, refused, _GIVE_IT)
            if refused and task in STORAGE_TASKS
            else Finding(f"task {task}", SKIPPED, str(error))
            for task in needed
        ] + [Finding(what, SKIPPED, str(error)) for what in others]
    try:
        named = _tasks(hmc)
        tasks = [_task(task, roles, unread, named) for task in needed]
        log = _console_log(roles, unread, named)
        serial = _serial_console(roles, unread, named)
    except _UnreadableError as error:
        tasks = [Finding(f"task {task}", SKIPPED, str(error)) for task in needed]
        log = Finding(_CONSOLE_LOG, SKIPPED, str(error))
        serial = Finding(SERIAL_CONSOLE, SKIPPED, str(error))
    found = [*tasks, *(_class(name, roles, unread, cpc) for name in classes)]
    return [*found, *([log] if has_logs else ()), *([serial] if has_serial else ())]


def _refused_report(hmc: Hmc, host: str) -> str:
    """Return what shows that neither storage task is permitted, or nothing.

    The one GET that needs a task of ours is that of a group's connection report, which wants one of
    the two (zhmcclient 1.26, ``_storage_group.py``); so it never shows that both are there.
    """
    uri = ""
    try:
        for group in contents.host_groups(hmc, host)[:1]:
            uri = answers.uri(group, "object-uri")
            hmc.get(f"{uri}/operations/get-connection-report")
    except HttpError as error:
        if uri and (error.status, error.reason) == (HTTPStatus.FORBIDDEN, 1):
            return "the HMC refuses a connection report (403,1), for which one of the two is enough"
    except DpmError:
        pass
    return ""


def _roles(hmc: Hmc, username: str) -> tuple[list[_Role], str]:
    """Return the roles of the user, and what of them cannot be read."""
    with _reading("the user that is logged on"):
        uris = answers.uris(_user(hmc, username), "user-roles")
    if not uris:
        raise _UnreadableError("the HMC shows no roles of the user")
    roles = []
    unread = "" if len(uris) <= _MOST_ROLES else f"the user has {len(uris)} roles"
    for uri in uris[:_MOST_ROLES]:
        try:
            with _reading("a role of the user"):
                roles.append(_role(uri, hmc.get(uri)))
        except _UnreadableError as error:
            unread = str(error)
    if not roles:
        raise _UnreadableError(unread)
    return roles, unread or next((role.unread for role in roles if role.unread), "")


def _user(hmc: Hmc, username: str) -> Properties:
    try:
        return hmc.get(_THIS_USER)
    except HttpError as error:
        if error.status not in (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND):
            raise
        first = error
    # An HMC that does not know this-user may still list the user to itself.
    listed = hmc.get(f"{_USERS}?name={quote(re.escape(username))}")
    for each in answers.objects(listed, "users"):
        if answers.text(each, "name").lower() == username.lower():
            return hmc.get(answers.uri(each, "object-uri"))
    raise first


def _role(uri: str, answer: Properties) -> _Role:
    found: dict[str, set[str]] = {"object": set(), "object-class": set()}
    views: set[str] = set()
    unread = ""
    for each in answers.objects(answer, "permissions"):
        try:
            kind = answers.text(each, "permitted-object-type")
            permitted = answers.text(each, "permitted-object")
            is_view = permitted.startswith(f"{_TASKS}/") and _flag(each, "view-only-mode")
            (views if is_view else found[kind]).add(permitted)
        except (AnswerError, KeyError) as error:
            unread = f"a permission in a role of the user is not understood: {error}"
    return _Role(
        name=answers.text(answer, "name"),
        uri=uri if answers.optional_text(answer, "type") == _CHANGEABLE else "",
        objects=frozenset(found["object"]),
        views=frozenset(views),
        classes=frozenset(found["object-class"]),
        inherits=_flag(answer, "is-inheritance-enabled"),
        unread=unread,
    )


def _flag(properties: Properties, name: str) -> bool:
    """Return a property that is true or false; a task without a view-only version may have none."""
    value = properties.get(name, False)
    if not isinstance(value, bool):
        raise AnswerError(f"The HMC's answer cannot be used: {name} is neither true nor false")
    return value


def _tasks(hmc: Hmc) -> dict[str, set[str]]:
    """Return the URIs of the tasks by their names."""
    named: dict[str, set[str]] = {}
    with _reading("the list of tasks"):
        for each in answers.objects(hmc.get(_TASKS), "tasks"):
            name = answers.text(each, "name").lower()
            named.setdefault(name, set()).add(answers.uri(each, "element-uri"))
    return named


def _console_log(roles: list[_Role], unread: str, named: dict[str, set[str]]) -> Finding:
    """Return whether console logs can be read: servers run without."""
    found = replace(_task(MESSAGES, roles, unread, named, viewing=True), check=_CONSOLE_LOG)
    if found.result != FAILED:
        return found
    detail = f"none of the user's roles gives task {MESSAGES}, without which there are no logs"
    return replace(found, result=WARNING, detail=detail)


def _serial_console(roles: list[_Role], unread: str, named: dict[str, set[str]]) -> Finding:
    """Return whether serial consoles can be had: servers run without."""
    found = replace(_task(CONSOLE, roles, unread, named), check=SERIAL_CONSOLE)
    if found.result != FAILED:
        return found
    detail = f"none of the user's roles gives task {CONSOLE}, without which there are none"
    return replace(found, result=WARNING, detail=detail)


def _task(
    task: str, roles: list[_Role], unread: str, named: dict[str, set[str]], viewing: bool = False
) -> Finding:
    """Return whether a task is permitted, or where `viewing`, at least for viewing only."""
    what = f"task {task}"
    known = [name for name in (task.lower(), *API_NAMES[task]) if name in named]
    uris = set().union(*(named[name] for name in known))
    if not uris:
        return Finding(what, SKIPPED, f"the HMC lists no task {' or '.join(API_NAMES[task])}")
    giving = [
        role.name
        for role in roles
        if uris <= (role.objects | role.views if viewing else role.objects)
    ]
    if giving:
        return Finding(what, OK, f"given by role {', '.join(giving)}")
    if any(uris & role.objects for role in roles):
        return Finding(what, SKIPPED, f"the HMC lists several tasks {', '.join(known)}")
    if unread:
        return Finding(what, SKIPPED, unread)
    text = f"none of the user's roles gives it: {', '.join(role.name for role in roles)}"
    showing = [role.name for role in roles if uris & role.views]
    if showing:
        text = f"given by role {', '.join(showing)} for viewing only"
    permission = {
        "permitted-object": min(uris),
        "permitted-object-type": "object",
        "view-only-mode": viewing,
    }
    return Finding(what, FAILED, text, _GIVE_IT, _add(roles, permission))


def _class(name: str, roles: list[_Role], unread: str, cpc: Cpc) -> Finding:
    what = f"class {name}"
    giving = [role.name for role in roles if name in role.classes or _inherits(name, role, cpc)]
    if giving:
        return Finding(what, OK, f"given by role {', '.join(giving)}")
    if unread:
        return Finding(what, SKIPPED, unread)
    return Finding(
        what,
        WARNING,
        "none of the user's roles gives access to it; whether the HMC shows a user what it has "
        "made without that is not known",
        _GIVE_IT,
        _add(roles, {"permitted-object": name, "permitted-object-type": "object-class"}),
    )


def _inherits(name: str, role: _Role, cpc: Cpc) -> bool:
    """Whether a role gives access to what is on a CPC (zhmccli 1.15, ``_cmd_user_role.py``)."""
    return (
        name == "partition" and role.inherits and (cpc.uri in role.objects or "cpc" in role.classes)
    )


def _add(roles: Iterable[_Role], permission: Properties) -> str:
    """Return the command by which somebody who manages roles adds a permission, or nothing.

    zhmc's own command for it takes no tasks (zhmccli 1.15, ``_cmd_user_role.py``).
    """
    role = next((role for role in roles if role.uri), None)
    if role is None:
        return ""
    body = shlex.quote(json.dumps(permission))
    return f"zhmc http post {role.uri}/operations/add-permission {body}"
