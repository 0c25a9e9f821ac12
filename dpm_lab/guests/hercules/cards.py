"""The cards that a guest has, as a person writes them down."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dpm_lab.errors import UsageError

MOST_NICS = 12
_FIRST = 0x0600
#: The guest's own disk, and whatever else a test may need, lie above.
_LAST = 0xFE00

HELP = """DEVNO[,WORD...]: a NIC with this first device number, such as 0700,silent. The first two
digits are the card (CHPID). Words: ports=N (default 2), delay=SECONDS (before the card answers),
silent (it never answers)"""


@dataclass(frozen=True)
class Nic:
    """A NIC: three devices with numbers in a row."""

    devno: int
    ports: int = 2
    delay: float = 0.0
    silent: bool = False

    @classmethod
    def parse(cls, text: str) -> Nic:
        """Read ``0700,delay=2,ports=1``.

        Raises:
            UsageError: it is something else.
        """
        number, *words = text.split(",")
        if not re.fullmatch(r"[0-9a-fA-F]{4}", number) or not 0 < int(number, 16) <= _LAST:
            raise UsageError(f"{text!r}: {number!r} is no device number of four hex digits")
        found: dict[str, str] = {}
        for word in words:
            name, _, value = word.partition("=")
            pattern = {"ports": r"[1-9]|1[0-6]", "delay": r"\d+(\.\d+)?"}.get(name, "")
            if name not in ("ports", "delay", "silent") or not re.fullmatch(pattern, value):
                raise UsageError(f"{text!r}: what is {word!r}? {HELP}")
            found[name] = value
        return cls(
            int(number, 16),
            ports=int(found.get("ports", "2")),
            delay=float(found.get("delay", "0")),
            silent="silent" in found,
        )

    @property
    def bus_id(self) -> str:
        return f"0.0.{self.devno:04x}"

    @property
    def words(self) -> str:
        """The options of its devices in hercules' configuration (card/nics.c)."""
        words = [f"ports={self.ports}", f"delay={self.delay:g}"]
        words += ["silent"] if self.silent else []
        return " ".join(words)

    def tuple(self, port: int, mac: str) -> str:
        """Its boot parameter."""
        return f"{self.devno:04x},{port},{mac};"


def row(count: int) -> tuple[Nic, ...]:
    """So many NICs of one card: 0600, 0603, 0606, ...

    Raises:
        UsageError: more than a partition can have.
    """
    if not 0 <= count <= MOST_NICS:
        raise UsageError(f"--nics {count}: a partition has at most {MOST_NICS}")
    return tuple(Nic(_FIRST + 3 * index) for index in range(count))


def parameters(nics: tuple[Nic, ...]) -> str:
    """Boot parameters that ask for all NICs: port 0, MACs that are easily told apart."""
    return "".join(nic.tuple(0, f"0a0000{nic.devno:04x}01") for nic in nics)


def check(nics: tuple[Nic, ...]) -> None:
    """Raise `UsageError` where device numbers overlap."""
    taken: dict[int, Nic] = {}
    for nic in nics:
        for number in range(nic.devno, nic.devno + 3):
            if number in taken:
                raise UsageError(f"device {number:04x} belongs to {taken[number].devno:04x} too")
            taken[number] = nic
