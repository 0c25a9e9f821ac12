"""HMCs that answer as a list says, one answer a request: no connection, no time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dpm_hmc.settings import HmcSettings

OK: dict[str, Any] = {"ok": True}


@dataclass
class Script:
    """What HMCs answer, and what they were asked.

    Args:
        logons: what a logon ends with, by address; the last one again and again
        answers: what requests end with, one after the other; the last one again and again
    """

    logons: dict[str, list[Any]] = field(default_factory=dict)
    answers: list[Any] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)

    def session(self, settings: HmcSettings, address: str) -> Session:
        """Stand in for `dpm_hmc.connection.new_session`."""
        assert address in settings.addresses
        return Session(self, address)

    @property
    def sent(self) -> list[str]:
        """The requests, without logons and logoffs."""
        return [each for each in self.asked if "logo" not in each]

    @property
    def logged_on(self) -> list[str]:
        """Where somebody tried to log on."""
        return [each.removeprefix("logon ") for each in self.asked if each.startswith("logon ")]


class Session:
    """Stands in for `dpm_hmc.connection.HmcSession`."""

    def __init__(self, script: Script, address: str) -> None:
        self._script = script
        self.actual_host = address
        self.session_id: object = None

    def logon(self) -> None:
        self._script.asked.append(f"logon {self.actual_host}")
        self.session_id = _next(self._script.logons.get(self.actual_host, ["id"]))

    def get(self, uri: str, *, logon_required: bool, renew_session: bool) -> Any:
        assert not logon_required
        assert not renew_session
        return self._answer(f"GET {uri}")

    def post(self, uri: str, *, body: Any, wait_for_completion: bool, **plain: bool) -> Any:
        assert not wait_for_completion
        assert plain == {"logon_required": False, "renew_session": False}
        self._script.bodies.append(body)
        return self._answer(f"POST {uri}")

    def delete(self, uri: str, *, logon_required: bool, renew_session: bool) -> Any:
        assert not logon_required
        assert not renew_session
        if uri == "/api/sessions/this-session":
            self._script.asked.append(f"logoff {self.actual_host}")
            return None
        return self._answer(f"DELETE {uri}")

    def _answer(self, request: str) -> Any:
        self._script.asked.append(request)
        return _next(self._script.answers)


def _next(left: list[Any]) -> Any:
    answer = left[0] if len(left) == 1 else left.pop(0)
    if isinstance(answer, BaseException):
        raise answer
    return answer
