"""What stands between a partition and its disks, to order."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields

from dpm_lab.hmc.errors import ControlError

KINDS = ("zoning", "masking")


@dataclass(frozen=True)
class Path:
    """A way to a LUN. `port` is the URI of an adapter port; "": the HMC does not say."""

    host: str
    port: str
    target: str
    lun: str


@dataclass(frozen=True)
class Barrier:
    """Paths that do not work, and why: ``zoning`` (target not reached) or ``masking`` (LUN is not).

    The others are regular expressions for the whole of it.
    """

    kind: str
    host: str = ".*"
    port: str = ".*"
    target: str = ".*"
    lun: str = ".*"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ControlError(f"no such barrier: {self.kind!r}; there are {', '.join(KINDS)}")
        for each in fields(Path):
            try:
                re.compile(getattr(self, each.name))
            except re.error as error:
                raise ControlError(f"{each.name}: no regular expression: {error}") from error

    def stops(self, path: Path) -> bool:
        """Return whether a path is one of those."""
        return all(
            re.fullmatch(getattr(self, each.name), getattr(path, each.name))
            for each in fields(Path)
        )
