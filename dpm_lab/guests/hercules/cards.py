"""The cards that a guest has, as a person writes them down."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from dpm_guest.bootparams import NicParams
from dpm_guest.ids import CcwId, Mac, is_hex, overlap
from dpm_lab import guests
from dpm_lab.errors import UsageError

MOST_NICS = 12
_FIRST = 0x0600
#: The guest's own disk, and whatever else a test may need, lie above.
_LAST = 0xFE00

HELP = """DEVNO[,WORD...]: a NIC with this first device number, such as 0700,silent. The first two
digits are the card (CHPID). Words: ports=N (default 2), delay=SECONDS (before the card answers),
silent (it never answers)"""


@dataclass(frozen=True)
class Nic(guests.Nic):
    """A NIC of a guest in hercules: a card behaves as it says.

    Attributes:
        ports: how many its card has
        delay: seconds before the card answers
        silent: it never answers
    """

    ports: int = 2
    delay: float = 0.0
    silent: bool = False

    @classmethod
    def parse(cls, text: str) -> Nic:
        """Read ``0700,delay=2,ports=1``.

        It asks for port 0, and for a MAC that is easily told from others.

        Raises:
            UsageError: it is something else.
        """
        number, *words = text.split(",")
        if not is_hex(number, 4) or not 0 < int(number, 16) <= _LAST:
            raise UsageError(f"{text!r}: {number!r} is no device number of four hex digits")
        found: dict[str, str] = {}
        for word in words:
            name, _, value = word.partition("=")
            pattern = {"ports": r"[1-9]|1[0-6]", "delay": r"\d+(\.\d+)?"}.get(name, "")
            if name not in ("ports", "delay", "silent") or not re.fullmatch(pattern, value):
                raise UsageError(f"{text!r}: what is {word!r}? {HELP}")
            found[name] = value
        mac = Mac.parse(f"0a0000{number}01")
        return cls(
            NicParams(CcwId.parse(number), 0, mac),
            ports=int(found.get("ports", "2")),
            delay=float(found.get("delay", "0")),
            silent="silent" in found,
        )

    @property
    def words(self) -> str:
        """The options of its devices in hercules' configuration (card/nics.c)."""
        words = [f"ports={self.ports}", f"delay={self.delay:g}"]
        words += ["silent"] if self.silent else []
        return " ".join(words)

    def asking(self, port: int, mac: str) -> Nic:
        """Return the same NIC with other wishes in its boot parameters."""
        return replace(self, params=NicParams(self.bus_id, port, Mac.parse(mac)))


def row(count: int) -> tuple[Nic, ...]:
    """So many NICs of one card: 0600, 0603, 0606, ...

    Raises:
        UsageError: more than a partition can have.
    """
    if not 0 <= count <= MOST_NICS:
        raise UsageError(f"--nics {count}: a partition has at most {MOST_NICS}")
    return tuple(Nic.parse(f"{_FIRST + 3 * index:04x}") for index in range(count))


def check(nics: tuple[Nic, ...]) -> None:
    """Raise `UsageError` where device numbers overlap."""
    if taken := overlap(nic.bus_id.devno for nic in nics):
        first, _, devno = taken
        raise UsageError(f"device {devno} belongs to {first} too")
