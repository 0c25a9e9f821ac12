"""What a guest reports: the events that ``in_guest`` sends, read as they arrive."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass

from dpm_lab.errors import GuestError
from dpm_lab.plain import cut

#: The longest line: that of a piece of output has some 6000 bytes.
_LINE = 2**20


@dataclass(frozen=True)
class CloudInit:
    """cloud-init is done. `errors` is None where it left no result."""

    errors: tuple[str, ...] | None
    datasource: str


@dataclass(frozen=True)
class Output:
    """A command wrote something."""

    step: str
    data: bytes


@dataclass(frozen=True)
class Exit:
    """A command ended."""

    step: str
    code: int


@dataclass(frozen=True)
class End:
    """No more commands are taken."""


Event = CloudInit | Output | Exit | End


class ReportError(GuestError):
    """A guest reports what its program never writes."""


class Reader:
    """Turns the bytes of the report, in whatever pieces they come, into events."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Event]:
        """Yield the events that `data` completes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            try:
                yield _event(json.loads(line))
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise ReportError(
                    f"the guest's report has a damaged line: {cut(repr(line))}"
                ) from error
        if len(self._rest) > _LINE:
            raise ReportError(f"the guest's report has a line of more than {_LINE} bytes")


def _event(fields: dict[str, object]) -> Event:
    kind = fields["kind"]
    step = str(fields.get("step", ""))
    if kind == "cloud-init":
        errors = fields["errors"]
        listed = tuple(str(error) for error in errors) if isinstance(errors, list) else None
        return CloudInit(listed, str(fields["datasource"]))
    if kind == "output":
        return Output(step, base64.b64decode(str(fields["data"]), validate=True))
    if kind == "exit":
        code = int(str(fields["code"]))
        if code not in range(256):
            raise ValueError(f"exit status {code}")
        return Exit(step, code)
    if kind == "end":
        return End()
    raise ValueError(f"unknown kind {kind!r}")
