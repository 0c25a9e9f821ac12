"""What was asked of the HMC: a log with counts, without secrets."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, replace
from typing import Any, TextIO

#: How many requests are kept, and how many characters of each one's body and URI: whoever reaches
#: the port may send both without a session, a mebibyte at a time.
MOST_REQUESTS = 10_000
MOST_CHARACTERS = 4096

#: Fields of bodies that never are written down.
_SECRET = re.compile(r"password|credential|-pw$|secret|session", re.IGNORECASE)
#: Path elements before which the next one is an id.
_COLLECTIONS = frozenset(
    {
        "adapters",
        "capacity-groups",
        "cpcs",
        "hbas",
        "jobs",
        "network-ports",
        "nics",
        "partitions",
        "storage-groups",
        "storage-ports",
        "storage-templates",
        "storage-volumes",
        "virtual-functions",
        "virtual-storage-resources",
        "virtual-switches",
    }
)


@dataclass(frozen=True)
class Request:
    """One request. `status` 0: the connection was dropped instead of an answer."""

    method: str
    uri: str
    status: int
    time: float = 0.0
    seconds: float = 0.0
    body: str = ""

    @property
    def pattern(self) -> str:
        """Method and path with ``{}`` for the ids, for counting.

        >>> Request("GET", "/api/partitions/1/nics/2?properties=name", 200).pattern
        'GET /api/partitions/{}/nics/{}'
        """
        parts = self.uri.partition("?")[0].split("/")
        shown = [
            "{}" if number and parts[number - 1] in _COLLECTIONS else part
            for number, part in enumerate(parts)
        ]
        return f"{self.method} {'/'.join(shown)}"

    def line(self) -> str:
        """Return it as a line of a log."""
        clock = time.strftime("%H:%M:%S", time.localtime(self.time))
        status = str(self.status) if self.status else "dropped"
        took = f"{self.seconds * 1000:6.1f} ms"
        return f"{clock} {status} {took} {self.method} {_visible(self.uri)} {self.body}".rstrip()


def shown(body: Any) -> str:
    """Return a request's body as JSON, with secrets hidden."""
    return "" if body is None else json.dumps(_hidden(body), sort_keys=True)


def _visible(text: str) -> str:
    """Return text without what a terminal would obey. (JSON is plain ASCII.)"""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def _cut(text: str) -> str:
    if len(text) <= MOST_CHARACTERS:
        return text
    return f"{text[:MOST_CHARACTERS]}... ({len(text)} characters)"


def _hidden(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: "..." if _SECRET.search(name) else _hidden(item) for name, item in value.items()
        }
    if isinstance(value, list):
        return list(map(_hidden, value))
    return value


class RequestLog:
    """The requests since the last reset, the last `MOST_REQUESTS` of them."""

    def __init__(self, *streams: TextIO) -> None:
        self._lock = threading.Lock()
        self._requests: deque[Request] = deque(maxlen=MOST_REQUESTS)
        self._streams = streams

    def add(self, request: Request) -> None:
        """Write one down, cut to what is of use."""
        request = replace(request, uri=_cut(request.uri), body=_cut(request.body))
        with self._lock:
            self._requests.append(request)
            for stream in self._streams:
                print(request.line(), file=stream, flush=True)

    def reset(self) -> None:
        """Forget them."""
        with self._lock:
            self._requests.clear()

    def requests(self) -> list[Request]:
        """Return them in the order in which they were answered."""
        with self._lock:
            return list(self._requests)

    def counts(self) -> dict[str, int]:
        """Return how many there were of each `Request.pattern`."""
        return dict(sorted(Counter(request.pattern for request in self.requests()).items()))
