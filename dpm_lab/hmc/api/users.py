"""Who may log on, and what each of them may do and see."""

from __future__ import annotations

import hmac
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import yaml

from dpm_lab.hmc.api.refusals import Reason
from dpm_lab.hmc.errors import ControlError


@dataclass(frozen=True)
class User:
    """A user, with the tasks and the objects of its roles; None: all there are.

    `objects` are classes (``partition`` is all partitions, also those to come), names or URIs.
    `sees_own`: whether it sees what it made although `objects` does not have it; where that is not
    so and `objects` is None, it sees all but what it made. `inherits`: whether it sees what is on a
    CPC that it sees. `management`: "Allow access to Web Services management interfaces".
    """

    name: str
    password: str = field(repr=False)
    tasks: frozenset[str] | None = None
    objects: frozenset[str] | None = None
    sees_own: bool = True
    inherits: bool = False
    management: bool = True
    disabled: bool = False

    def may(self, tasks: tuple[str, ...]) -> bool:
        """Return whether it has one of these tasks, or none is needed."""
        return self.tasks is None or not tasks or not self.tasks.isdisjoint(tasks)

    def changed(self, changes: Mapping[str, Any]) -> User:
        """Return the user with some of the fields changed.

        Raises:
            ControlError: there is no such field, or it is of another type.
        """
        values: dict[str, Any] = {}
        for key, value in changes.items():
            name = key.replace("-", "_")
            kinds = {each.name: str(each.type) for each in fields(self)}
            kind = kinds.get(name)
            if kind is None or name == "name":
                raise ControlError(f"user {self.name}: no field {key!r}: there are {_FIELDS}")
            if kind.startswith("frozenset"):
                if value is not None and not isinstance(value, list | tuple | set | frozenset):
                    raise ControlError(f"user {self.name}: {key} is a list, not {value!r}")
                values[name] = None if value is None else frozenset(map(str, value))
                continue
            if not isinstance(value, {"bool": bool, "str": str}[kind]):
                raise ControlError(f"user {self.name}: {key} cannot be {value!r}")
            values[name] = value
        return replace(self, **values)


_FIELDS = ", ".join(each.name for each in fields(User) if each.name != "name")


def read(path: Path, first: User) -> list[User]:
    """Read users from a YAML file: a mapping of names, each with what differs from `User`.

    `first` is the lab's own user; an entry of its name says what it may.

    Raises:
        ControlError: the file cannot be read, or is not right.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ControlError(f"users file {path}: {error}".replace("\n", " ")) from error
    if not isinstance(data, dict) or not all(isinstance(item, dict) for item in data.values()):
        raise ControlError(f"users file {path}: it is a mapping of names to what each user may")
    users = {first.name: first}
    for name, changes in data.items():
        user = users.get(str(name), User(str(name), ""))
        users[user.name] = user.changed(changes)
    for user in users.values():
        if not user.password:
            raise ControlError(f"users file {path}: user {user.name} has no password")
    return list(users.values())


class Users:
    """The users of the HMC."""

    def __init__(self, initial: Iterable[User]) -> None:
        self._initial = {user.name: user for user in initial}
        #: How many refused logons disable a user (None: none do), and for how many seconds (None:
        #: for ever); set by the service.
        self.limits: Callable[[], tuple[int | None, int | None]] = lambda: (None, None)
        self._lock = threading.Lock()
        self._users: dict[str, User] = {}
        self._failures: dict[str, int] = {}
        self._locked: dict[str, float] = {}
        self.reset()

    def reset(self) -> None:
        """Have the users of the start again, and no others."""
        with self._lock:
            self._users = dict(self._initial)
            self._failures.clear()
            self._locked.clear()

    def put(self, user: User) -> None:
        """Add a user, or have one be like that; whatever disabled it is forgotten."""
        with self._lock:
            self._users[user.name] = user
            self._failures.pop(user.name, None)
            self._locked.pop(user.name, None)

    def find(self, name: str) -> User | None:
        """Return a user."""
        with self._lock:
            return self._users.get(name)

    def all(self) -> list[User]:
        """Return all users."""
        with self._lock:
            return list(self._users.values())

    def password_is(self, name: str, password: str) -> bool:
        """Return whether they are a user's, in a time that says nothing."""
        found = False
        for user in list(self._users.values()):
            # Both are compared at all times.
            found |= hmac.compare_digest(name.encode(), user.name.encode()) & hmac.compare_digest(
                password.encode(), user.password.encode()
            )
        return found

    def check(self, name: str, password: str) -> User:
        """Return the user who logs on.

        Raises:
            Refusal: 403, 0: user or password are wrong, as messages of zhmcclient users have it
                ("403,0: Login failed"); 403, 40: the user is disabled; 403, 41: it may not use this
                API. That a disabled user is told so whatever the password is guessed.
        """
        right = self.password_is(name, password)
        with self._lock:
            user = self._users.get(name)
            if user is not None and (user.disabled or self._is_locked(name)):
                raise Reason.USER_IS_DISABLED(f"The user {name} is disabled")
            if user is None or not right:
                if user is not None:
                    self._count(name)
                raise Reason.LOGON_FAILED("Login failed")
            self._failures.pop(name, None)
        if not user.management:
            raise Reason.USER_HAS_NO_API(f"The user {name} may not use the management interfaces")
        return user

    def _count(self, name: str) -> None:
        most = self.limits()[0]
        self._failures[name] = self._failures.get(name, 0) + 1
        if most is not None and self._failures[name] >= most:
            self._locked[name] = time.monotonic()

    def _is_locked(self, name: str) -> bool:
        since = self._locked.get(name)
        if since is None:
            return False
        seconds = self.limits()[1]
        if seconds is not None and time.monotonic() - since > seconds:
            del self._locked[name]
            self._failures.pop(name, None)
            return False
        return True
