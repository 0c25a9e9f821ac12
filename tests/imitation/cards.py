"""What a test orders: cards, their state at the start, their faults, and the machine around
them."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

Kind = Literal["osa", "hipersockets", "virtio"]
Start = Literal["absent", "ungrouped", "grouped", "online"]
Step = Literal["group", "ungroup", "layer2", "portno", "online", "offline"]

# cutype and devtype as the channel subsystem reports them, the ccw driver, the driver's card_type
# (drivers/s390/net/qeth_core_main.c: qeth_ids, qeth_get_cardname_short).
CU_TYPES = {"osa": "1731/01", "hipersockets": "1731/05", "virtio": "3832/01"}
DEV_TYPES = {"osa": "1732/01", "hipersockets": "1732/05", "virtio": "0000/00"}
CARD_TYPES = {"osa": "OSD_Express", "hipersockets": "HiperSockets"}


def bus_id(devno: str | int) -> str:
    """``0600`` or 0x600 as ``0.0.0600``."""
    return f"0.0.{int(devno, 16) if isinstance(devno, str) else devno:04x}"


@dataclass(frozen=True)
class Fault:
    """A step's write fails with this errno, ``times`` times (None: every time)."""

    errno: int
    times: int | None = None


@dataclass(frozen=True)
class Card:
    """One NIC of the partition.

    A card that is grouped or online at the start was brought up by firmware, dracut or an
    administrator, with ``layer2`` and ``portno`` as given and, if ``up``, its link up.
    ``grouped_as`` are the device numbers of its group when they are not the usual three.
    ``silent``: ``online`` is not answered before the test says so (or the writer is interrupted).
    ``late_ids``: the n-th id appears only so many seconds after the machine is first looked at.
    ``mac`` is what firmware gave a virtio NIC. ``overwrite_mac``: somebody sets this address just
    before udev announces the interface.
    """

    devno: str
    kind: Kind = "osa"
    start: Start = "ungrouped"
    ports: int = 2
    layer2: int = -1
    portno: int = 0
    up: bool = False
    grouped_as: tuple[str, ...] = ()
    ignored: bool = False
    late_ids: Mapping[int, float] = field(default_factory=dict)
    delay: float = 0.0
    silent: bool = False
    given_up_after: float = 40.9
    fail: Mapping[Step, Fault] = field(default_factory=dict)
    mac: str = "52:54:00:12:34:56"
    overwrite_mac: str = ""
    chpid: str = "e0"

    @property
    def devnos(self) -> tuple[str, ...]:
        """The device numbers: three for a qeth card, one for a virtio device."""
        first = int(self.devno, 16)
        return tuple(f"{first + n:04x}" for n in range(1 if self.kind == "virtio" else 3))

    @property
    def group_ids(self) -> tuple[str, ...]:
        return tuple(bus_id(devno) for devno in self.grouped_as or self.devnos)

    @property
    def id_path(self) -> str:
        """udev's ID_PATH on the real machine, which a veth has none of (qeth.md, uevents)."""
        bus = "ccw" if self.kind == "virtio" else "ccwgroup"
        return f"{bus}-{self.group_ids[0]}"

    @property
    def name_path(self) -> str:
        """udev's path name: ``enc`` and the device number without leading zeros."""
        return f"enc{int(self.group_ids[0][4:], 16):x}"

    @property
    def link_group(self) -> int:
        """The IFLA_GROUP by which rules know the card's interface; 0 is every interface's
        default."""
        return 0x10000 + int(self.group_ids[0][4:], 16)


@dataclass(frozen=True)
class Description:
    """A machine: its cards, what its kernel has loaded or lacks, and further udev files."""

    cards: tuple[Card, ...]
    modules_loaded: tuple[str, ...] = ("qeth",)
    modules_missing: tuple[str, ...] = ()
    cio_ignore_all: bool = False
    rules: Mapping[str, str] = field(default_factory=dict)
    sysinfo: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Description:
        data = json.loads(text)
        cards = []
        for card in data.pop("cards"):
            card["fail"] = {step: Fault(**fault) for step, fault in card["fail"].items()}
            card["late_ids"] = {int(n): seconds for n, seconds in card["late_ids"].items()}
            card["grouped_as"] = tuple(card["grouped_as"])
            cards.append(Card(**card))
        return cls(cards=tuple(cards), **data)


@dataclass(frozen=True)
class Write:
    """One write by a program that runs on the machine, and the errno it ended with (0: none)."""

    path: str
    value: str
    errno: int


def refuse(number: int) -> OSError:
    """The error that a sysfs write ends with."""
    return OSError(number, errno.errorcode[number])
