"""What was asked of the HMC: a log with counts, without secrets."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

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
        return (
            f"{clock} {status} {self.seconds * 1000:6.1f} ms {self.method} {self.uri} {self.body}"
        ).rstrip()


def shown(body: Any) -> str:
    """Return a request's body as JSON, with secrets hidden."""
    return "" if body is None else json.dumps(_hidden(body), sort_keys=True)


def _hidden(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: "..." if _SECRET.search(name) else _hidden(item) for name, item in value.items()
        }
    if isinstance(value, list):
        return list(map(_hidden, value))
    return value


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner can read."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


class RequestLog:
    """All requests since the last reset."""

    def __init__(self, *streams: TextIO) -> None:
        self._lock = threading.Lock()
        self._requests: list[Request] = []
        self._streams = streams

    def add(self, request: Request) -> None:
        """Write one down."""
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
        """Return how many there were of each :attr:`Request.pattern`."""
        return dict(sorted(Counter(request.pattern for request in self.requests()).items()))
