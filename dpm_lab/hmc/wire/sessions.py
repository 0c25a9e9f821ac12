"""Logon, logoff and sessions that expire."""

from __future__ import annotations

import hmac
import itertools
import threading
import time
import uuid
from dataclasses import dataclass, field

from dpm_lab.hmc.api.refusals import Reason
from dpm_lab.hmc.api.users import Users


@dataclass
class Session:
    """Someone is logged on. The topics are those of notifications, one pair a session."""

    key: str
    userid: str
    number: int
    credential: str = field(repr=False)
    since: float = field(default_factory=time.monotonic)
    used: float = field(default_factory=time.monotonic)

    def credential_is(self, credential: str) -> bool:
        """Return whether it is the right one, in a time that says nothing."""
        return hmac.compare_digest(credential.encode(), self.credential.encode())

    @property
    def object_topic(self) -> str:
        """The topic for changes of properties and inventory."""
        return f"lab.object.{self.number}"

    @property
    def job_topic(self) -> str:
        """The topic for jobs that ended."""
        return f"lab.job.{self.number}"


class Sessions:
    """Who is logged on. `idle` and `lifetime` are in seconds, None: for ever."""

    def __init__(
        self,
        users: Users,
        *,
        idle: float | None = None,
        lifetime: float | None = None,
    ) -> None:
        self.users = users
        self._idle = idle
        self._lifetime = lifetime
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}

    def password_is(self, userid: str, password: str) -> bool:
        """Return whether they are the right ones."""
        return self.users.password_is(userid, password)

    def logon(self, userid: str, password: str) -> Session:
        """Begin a session.

        Raises:
            Refusal: 403, 0, 40 or 41 (`Users.check`).
        """
        self.users.check(userid, password)
        session = Session(
            uuid.uuid4().hex, userid, next(self._numbers), credential=uuid.uuid4().hex
        )
        with self._lock:
            self._sessions[session.key] = session
        return session

    def use(self, key: str | None) -> Session:
        """Return the session of a request and note that it was used.

        Raises:
            Refusal: 403, reason 4 without a session, reason 5 with one that is not valid (any
                more): the two upon which zhmcclient logs on again (``_session.py``).
        """
        if not key:
            raise Reason.NO_SESSION("The request needs a session, but has no X-API-Session header")
        now = time.monotonic()
        with self._lock:
            session = self._sessions.get(key)
            if session and self._over(session, now):
                del self._sessions[key]
                session = None
            if session is None:
                raise Reason.SESSION_IS_OVER("The X-API-Session header names no valid session")
            session.used = now
            return session

    def _over(self, session: Session, now: float) -> bool:
        return (self._idle is not None and now - session.used > self._idle) or (
            self._lifetime is not None and now - session.since > self._lifetime
        )

    def end(self, key: str | None) -> None:
        """End one, if it is there."""
        with self._lock:
            self._sessions.pop(key or "", None)

    def end_all(self) -> None:
        """End all: whoever comes next has to log on again."""
        with self._lock:
            self._sessions.clear()

    def find(self, key: str) -> Session | None:
        """Return a session without using it."""
        with self._lock:
            return self._sessions.get(key)

    @property
    def count(self) -> int:
        """How many are logged on."""
        with self._lock:
            return len(self._sessions)
