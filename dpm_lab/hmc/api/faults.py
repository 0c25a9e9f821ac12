"""Things that go wrong, to order."""

from __future__ import annotations

import itertools
import re
import threading
from dataclasses import asdict, dataclass
from typing import Any

from dpm_lab.hmc.errors import ControlError

KINDS = (
    "delay",
    "drop-before",
    "drop-after",
    "status",
    "status-after",
    "expire-session",
    "job-fails",
    "job-never-ends",
    "nothing-loaded",
)


@dataclass(frozen=True)
class Fault:
    """What shall happen to which requests.

    `method` and `uri` are regular expressions that must match the whole method and the whole path
    (without the query). `kind`:

    - ``delay``: `seconds` pass before the request is processed
    - ``drop-before``: the connection is closed, nothing was processed
    - ``drop-after``: the request is processed, the connection is closed instead of an answer
    - ``status``: answered with `status`, `reason` and `message`, nothing was processed
    - ``status-after``: the same, but everything was done
    - ``expire-session``: the session of the request is no longer valid (403, reason 5)
    - ``job-fails``: the job that the request starts ends with `status`, `reason` and `message`
    - ``job-never-ends``: the job that the request starts stays ``running``
    - ``nothing-loaded``: the job of the start ends well, and the partition stays ``paused``

    The first `after` requests that match are spared, then `times` requests are hit (None: all).
    """

    method: str = ".*"
    uri: str = ".*"
    kind: str = "status"
    status: int = 500
    reason: int = 0
    message: str = "ordered by the lab"
    seconds: float = 0.0
    after: int = 0
    times: int | None = 1

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ControlError(f"no such fault: {self.kind!r}; there are {', '.join(KINDS)}")
        for pattern in (self.method, self.uri):
            try:
                re.compile(pattern)
            except re.error as error:
                raise ControlError(f"{pattern!r} is no regular expression: {error}") from error

    def matches(self, method: str, uri: str) -> bool:
        """Return whether a request is one of those."""
        path = uri.partition("?")[0]
        return bool(re.fullmatch(self.method, method) and re.fullmatch(self.uri, path))

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read ``METHOD URI KIND [name=value ...]``, as on the command line.

        >>> Fault.parse("POST /api/cpcs/.*/partitions status status=409 reason=2").status
        409
        """
        words = text.split()
        if len(words) < 3:
            raise ControlError(
                f"a fault is 'METHOD URI KIND [name=value ...]', not {text!r}; kinds:"
                f" {', '.join(KINDS)}"
            )
        options: dict[str, Any] = {}
        readers = {"status": int, "reason": int, "seconds": float, "after": int, "message": str}
        for word in words[3:]:
            name, _, value = word.partition("=")
            try:
                if name == "times":
                    options[name] = None if value == "all" else int(value)
                else:
                    options[name] = readers[name](value)
            except (KeyError, ValueError) as error:
                raise ControlError(
                    f"{word!r} in {text!r}: there are {', '.join(readers)}, times=N|all"
                ) from error
        return cls(words[0], words[1], words[2], **options)


class Faults:
    """The faults that were ordered, and how often each one matched."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self._faults: dict[str, Fault] = {}
        self._matched: dict[str, int] = {}

    def add(self, fault: Fault) -> str:
        """Order one; return its id."""
        with self._lock:
            key = f"fault-{next(self._ids)}"
            self._faults[key] = fault
            self._matched[key] = 0
            return key

    def clear(self) -> None:
        """Order nothing any more."""
        with self._lock:
            self._faults.clear()
            self._matched.clear()

    def hits(self, method: str, uri: str) -> list[Fault]:
        """Return the faults that hit this request, and count it as one that matched."""
        hits = []
        with self._lock:
            for key, fault in self._faults.items():
                if not fault.matches(method, uri):
                    continue
                number = self._matched[key]
                self._matched[key] = number + 1
                if number >= fault.after and (
                    fault.times is None or number < fault.after + fault.times
                ):
                    hits.append(fault)
        return hits
