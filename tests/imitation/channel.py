"""The channel subsystem: ccw devices, when they are there, ``cio_ignore`` and ``cio_settle``."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from .cards import Card, bus_id, refuse

# "returns before the devices appear (~0.2 s)" (qeth.md, before grouping)
APPEARS_AFTER = 0.2


@dataclass
class CcwDevice:
    """One device number behind its subchannel."""

    card: Card
    bus_id: str
    subchannel: str
    late: float
    plugged: bool
    appears_at: float = 0.0

    @property
    def devno(self) -> int:
        return int(self.bus_id[4:], 16)


class ChannelSubsystem:
    """Which devices are to be seen. Time is only ever looked at here, nothing runs in the
    background."""

    def __init__(self, cards: tuple[Card, ...], ignore_all: bool) -> None:
        self._lock = threading.Lock()
        self._first_look: float | None = None
        self.ignored: set[int] = set(range(0x10000)) if ignore_all else set()
        self.devices: dict[str, CcwDevice] = {}
        for card in cards:
            if card.ignored:
                self.ignored.update(int(devno, 16) for devno in card.devnos)
            for n, devno in enumerate(card.devnos):
                self.devices[bus_id(devno)] = CcwDevice(
                    card=card,
                    bus_id=bus_id(devno),
                    subchannel=bus_id(len(self.devices)),
                    late=card.late_ids.get(n, 0.0),
                    plugged=card.start != "absent",
                )
        # A device in use was there before the list of ignored devices could hide it.
        for card in cards:
            if card.start in ("grouped", "online") or card.kind == "virtio":
                self.ignored.difference_update(int(devno, 16) for devno in card.devnos)

    def looked_at(self) -> None:
        """The clock of late devices starts when the machine is first looked at."""
        with self._lock:
            if self._first_look is None:
                self._first_look = time.monotonic()

    def present(self) -> dict[str, CcwDevice]:
        """The devices in ``/sys/bus/ccw/devices``, by bus id."""
        return {name: device for name, device in self.devices.items() if self._is_present(device)}

    def _is_present(self, device: CcwDevice) -> bool:
        if not device.plugged or device.devno in self.ignored:
            return False
        now = time.monotonic()
        if device.late and (self._first_look is None or now < self._first_look + device.late):
            return False
        return now >= device.appears_at

    def plug(self, card: Card) -> None:
        for device in self._of(card):
            device.plugged = True
            device.appears_at = time.monotonic() + APPEARS_AFTER

    def unplug(self, card: Card) -> None:
        for device in self._of(card):
            device.plugged = False

    def _of(self, card: Card) -> list[CcwDevice]:
        return [device for device in self.devices.values() if device.card == card]

    def ignored_text(self) -> str:
        """What ``/proc/cio_ignore`` lists: one bus id or range a line
        (drivers/s390/cio/blacklist.c)."""
        lines: list[str] = []
        numbers = sorted(self.ignored)
        while numbers:
            length = 1
            while length < len(numbers) and numbers[length] == numbers[0] + length:
                length += 1
            first, last = numbers[0], numbers[length - 1]
            lines.append(bus_id(first) if length == 1 else f"{bus_id(first)}-{bus_id(last)}")
            numbers = numbers[length:]
        return "".join(f"{line}\n" for line in lines)

    def ignore_store(self, text: str) -> None:
        """``free <list>``, ``free all``, ``add <list>``, ``purge``; returns before devices
        appear."""
        words = text.split()
        if words == ["purge"]:
            return
        if len(words) != 2 or words[0] not in ("free", "add"):
            raise refuse(errno.EINVAL)
        numbers: set[int] = set()
        for part in words[1].split(","):
            numbers |= set(range(0x10000)) if part == "all" else _range(part)
        if words[0] == "add":
            self.ignored |= numbers
            return
        for device in self.devices.values():
            if device.devno in numbers and device.devno in self.ignored:
                device.appears_at = time.monotonic() + APPEARS_AFTER
        self.ignored -= numbers

    def settle(self, interrupted: Callable[[], bool]) -> None:
        """A write to ``/proc/cio_settle`` waits for what is on its way (qeth.md, before
        grouping)."""
        while any(
            time.monotonic() < device.appears_at
            for device in self.devices.values()
            if device.plugged and device.devno not in self.ignored
        ):
            if interrupted():
                raise refuse(errno.EINTR)
            time.sleep(0.01)


def _range(part: str) -> set[int]:
    ends = part.split("-")
    if len(ends) > 2:
        raise refuse(errno.EINVAL)
    numbers = [_number(end) for end in ends]
    return set(range(numbers[0], numbers[-1] + 1))


def _number(text: str) -> int:
    pieces = text.split(".")
    if len(pieces) != 3 or pieces[0] != "0" or pieces[1] != "0" or not 1 <= len(pieces[2]) <= 4:
        raise refuse(errno.EINVAL)
    try:
        return int(pieces[2], 16)
    except ValueError:
        raise refuse(errno.EINVAL) from None
