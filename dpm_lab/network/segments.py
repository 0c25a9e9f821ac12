"""A segment: its name, its folder, the sockets in it."""

from __future__ import annotations

import contextlib
import re
import socket
from dataclasses import dataclass
from pathlib import Path

from dpm_lab.errors import LabError

#: The switch's socket in the folder of each segment.
SWITCH = "switch"
#: A file of this name in the folder of a segment: it leads nowhere, nothing is sent on.
SILENT = "silent"
#: The switch's socket in the folder of all segments: whatever comes there has it look at once.
CONTROL = "control"
#: Bytes of a socket's name (unix(7), ``sun_path``, without its end).
LONGEST = 107
#: Of them, those of the longest name below the folder of all segments.
_ROOM = 44


class NetworkError(LabError):
    """The lab's networks cannot be where they shall be."""


@dataclass(frozen=True)
class Segment:
    """What a NIC is plugged into: a port of an adapter, and a VLAN of it.

    Frames without a VLAN and those of each VLAN are networks apart, as they are for a NIC.

    >>> str(Segment("Z16", "OSA-A", 0, 101))
    'Z16/OSA-A.0.101'
    """

    cpc: str
    adapter: str
    port: int
    vlan: int | None = None

    def __str__(self) -> str:
        port = f"{_plain(self.cpc, 8)}/{_plain(self.adapter, 16)}.{self.port}"
        return of_vlan(port, self.vlan)

    def folder(self, networks: Path) -> Path:
        """Return where its sockets are."""
        return networks / str(self)

    def switch(self, networks: Path) -> Path:
        """Return the socket that takes its frames; the switch makes it once it is asked for."""
        return self.folder(networks) / SWITCH

    def ask_for(self, networks: Path) -> None:
        """Have the switch serve it, soon."""
        folder = self.folder(networks)
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            look(networks)


def of_vlan(port: str, vlan: int | None) -> str:
    """Return the name of a segment.

    Args:
        port: the name of the one without a VLAN
    """
    return port if vlan is None else f"{port}.{vlan}"


def check(networks: Path) -> None:
    """Check that sockets can be in a folder.

    Raises:
        NetworkError: its name is too long.
    """
    length = len(bytes(networks.absolute()))
    if length > LONGEST - _ROOM:
        raise NetworkError(
            f"{networks.absolute()}: the name of a folder of sockets has at most"
            f" {LONGEST - _ROOM} characters, and this one {length}; choose another (--networks)"
        )


def look(networks: Path) -> None:
    """Have the switch look into its folder now, and not within a second."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as poke, contextlib.suppress(OSError):
        poke.setblocking(False)
        poke.sendto(b"look", str(networks / CONTROL))


def _plain(name: str, longest: int) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)[:longest] or "_"
