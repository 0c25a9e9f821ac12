"""The ccwgroup bus and the qeth driver: what each write does and with which errno it is refused."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from .cards import Card, Step, refuse
from .channel import CcwDevice, ChannelSubsystem
from .links import Links

# What each module brings along (modinfo -F depends on s390x).
DEPENDENCIES = {
    "ccwgroup": (),
    "qdio": (),
    "qeth": ("ccwgroup", "qdio"),
    "qeth_l2": ("qeth",),
    "qeth_l3": ("qeth",),
}
# "Regrouping right after `ungroup` gives a transient EINVAL ...; a retry 20 ms later worked every
# time" (qeth.md, group). Here the first try within BUSY_FOR of the ungroup is always refused.
BUSY_FOR = 2.0
RETRY_AFTER = 0.02

Interrupted = Callable[[], bool]


@dataclass
class GroupDevice:
    """One directory in ``/sys/devices/qeth``."""

    card: Card
    ids: tuple[str, ...]
    layer2: int = -1
    portno: int = 0
    online: bool = False
    alive: bool = True
    link: int | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def bus_id(self) -> str:
        return self.ids[0]


class Qeth:
    """The driver, its modules and its group devices."""

    def __init__(
        self,
        channel: ChannelSubsystem,
        links: Links,
        loaded: tuple[str, ...],
        missing: tuple[str, ...],
    ) -> None:
        self._channel = channel
        self._links = links
        self._lock = threading.RLock()
        self._missing = set(missing)
        self._faults: dict[tuple[str, Step], int] = {}
        self._answering: set[str] = set()
        self._ungrouped: dict[str, float] = {}
        self._refused: dict[str, float] = {}
        self.modules: set[str] = set()
        self.groups: dict[str, GroupDevice] = {}
        for name in loaded:
            self.load(name)

    def load(self, name: str) -> None:
        """modprobe: ENOENT when the module or one it needs is not installed."""
        with self._lock:
            needed = [name]
            for module in needed:
                if module not in DEPENDENCIES or module in self._missing:
                    raise refuse(errno.ENOENT)
                needed.extend(DEPENDENCIES[module])
            self.modules.update(needed)

    def group_of(self, bus_id: str) -> GroupDevice | None:
        return next((group for group in self.groups.values() if bus_id in group.ids), None)

    def group(self, text: str) -> GroupDevice:
        """A write to ``drivers/qeth/group`` (qeth.md, group; drivers/s390/cio/ccwgroup.c)."""
        with self._lock:
            devices = self._grouping(text.removesuffix("\n"))
            card = devices[0].card
            self._fault(card, "group")
            ids = tuple(device.bus_id for device in devices)
            self._wait_for_udev(ids)
            self.groups[ids[0]] = group = GroupDevice(card=card, ids=ids)
            return group

    def _grouping(self, text: str) -> list[CcwDevice]:
        """The devices that a list of ids means.

        "EINVAL: unknown device, already grouped, other than three ids, space-separated, ids without
        `0.0.`, duplicates, junk. [...] Any order and upper case are accepted" (qeth.md, group). All
        must be of one type (ccwgroup_create_dev compares driver_info).
        """
        present = self._channel.present()
        devices: list[CcwDevice] = []
        for part in text.split(","):
            device = present.get(_full(part.lower()))
            if device is None or device in devices or device.card.kind == "virtio":
                raise refuse(errno.EINVAL)
            if self.group_of(device.bus_id) or (
                devices and devices[0].card.kind != device.card.kind
            ):
                raise refuse(errno.EINVAL)
            devices.append(device)
        if len(devices) != 3:
            raise refuse(errno.EINVAL)
        return devices

    def _wait_for_udev(self, ids: tuple[str, ...]) -> None:
        now = time.monotonic()
        for bus_id in ids:
            since = now - self._ungrouped.get(bus_id, -BUSY_FOR)
            if since >= BUSY_FOR:
                continue
            if bus_id not in self._refused or now - self._refused[bus_id] < RETRY_AFTER:
                for busy in ids:
                    self._refused.setdefault(busy, now)
                raise refuse(errno.EINVAL)

    def ungroup(self, group: GroupDevice) -> None:
        """EINVAL while online; the interface goes (qeth.md, layer2, portno, online). EAGAIN at once
        while another change is under way (seen on the true driver; ccwgroup.c: onoff)."""
        if group.lock.locked():
            raise refuse(errno.EAGAIN)
        with self._changing(group, "ungroup", lambda: False):
            if group.online:
                raise refuse(errno.EINVAL)
            self._drop(group)

    def _drop(self, group: GroupDevice) -> None:
        with self._lock:
            self.groups.pop(group.bus_id, None)
            group.alive = False
            for bus_id in group.ids:
                self._ungrouped[bus_id] = time.monotonic()
                self._refused.pop(bus_id, None)
        self._remove_link(group)

    def unplug(self, card: Card) -> None:
        """The card is gone: a group that misses one of its devices goes with it
        (ccwgroup_remove_ccwdev)."""
        self._channel.unplug(card)
        for group in list(self.groups.values()):
            if group.card == card:
                group.online = False
                self._drop(group)

    def set_layer2(self, group: GroupDevice, text: str, interrupted: Interrupted) -> None:
        """Layer 2 or 3: "values other than 0/1 EINVAL; [...] (a change after an online destroys the
        netdev)"; EPERM while online, even for the same value (qeth.md, layer2, portno, online)."""
        with self._changing(group, "layer2", interrupted):
            if group.online:
                raise refuse(errno.EPERM)
            value = _leading_hex(text)
            if value not in (0, 1):
                raise refuse(errno.EINVAL)
            if value != group.layer2:
                self._discipline(value)
                self._remove_link(group)
                group.layer2 = value

    def set_portno(self, group: GroupDevice, text: str, interrupted: Interrupted) -> None:
        """EPERM while online, even for the same value; EINVAL beyond the card's ports (same
        section). The number is read as hexadecimal (qeth_dev_portno_store)."""
        with self._changing(group, "portno", interrupted):
            if group.online:
                raise refuse(errno.EPERM)
            value = _leading_hex(text)
            if value >= group.card.ports:
                raise refuse(errno.EINVAL)
            group.portno = value

    def set_online(self, group: GroupDevice, text: str, interrupted: Interrupted) -> None:
        """Online or offline; "`online=1` when online, `online=0` when offline: **EINVAL**"."""
        wanted = text.strip()
        if wanted not in ("0", "1"):
            raise refuse(errno.EINVAL)
        with self._changing(group, "online" if wanted == "1" else "offline", interrupted):
            if group.online == (wanted == "1"):
                raise refuse(errno.EINVAL)
            if wanted == "0":
                # "After offline the netdev, its name and MAC remain"
                group.online = False
                return
            self._answer(group, interrupted)
            if group.layer2 == -1:
                # "Unset + online: comes up as layer 2."
                self._discipline(1)
                group.layer2 = 1
            # "No net event on offline or re-online" (uevents): the interface is made once.
            if group.link is None:
                group.link = self._links.create(group.card.link_group)
            group.online = True

    def _answer(self, group: GroupDevice, interrupted: Interrupted) -> None:
        """The card takes "tenths of seconds to seconds on real hardware, where the card must
        answer": the driver waits for it, interruptibly (qeth_send_control_data). It gives a silent
        card four times 10 s (seen on the true driver: ENODEV after 40.9 s)."""
        start = time.monotonic()
        while self._is_silent(group.card) or time.monotonic() < start + group.card.delay:
            if time.monotonic() > start + group.card.delay + group.card.given_up_after:
                raise refuse(errno.ENODEV)
            if interrupted():
                raise refuse(errno.EINTR)
            if not group.alive:
                raise refuse(errno.ENODEV)
            time.sleep(0.01)

    def _is_silent(self, card: Card) -> bool:
        return card.silent and card.devno not in self._answering

    def answer(self, card: Card) -> None:
        """A silent card speaks at last."""
        self._answering.add(card.devno)

    def _discipline(self, layer2: int) -> None:
        """The module for the layer, which "loads on the `layer2` or `online` write" (before
        grouping); without it EINVAL (qeth_setup_discipline)."""
        try:
            self.load("qeth_l2" if layer2 == 1 else "qeth_l3")
        except OSError:
            raise refuse(errno.EINVAL) from None

    def _remove_link(self, group: GroupDevice) -> None:
        link, group.link = group.link, None
        if link is not None:
            self._links.remove(link)

    @contextmanager
    def _changing(self, group: GroupDevice, step: Step, interrupted: Interrupted) -> Iterator[None]:
        """One change of a device at a time, and the fault that was ordered for it."""
        while not group.lock.acquire(timeout=0.02):
            if interrupted():
                raise refuse(errno.EINTR)
        try:
            if not group.alive:
                raise refuse(errno.ENODEV)
            self._fault(group.card, step)
            yield
        finally:
            group.lock.release()

    def _fault(self, card: Card, step: Step) -> None:
        fault = card.fail.get(step)
        if fault is None:
            return
        with self._lock:
            key = (card.devno, step)
            self._faults[key] = happened = self._faults.get(key, 0) + 1
        if fault.times is None or happened <= fault.times:
            raise refuse(fault.errno)


def _full(bus_id: str) -> str:
    """A bus id in the kernel's own spelling; a short device number is taken too, as ``0.0.600``
    (seen on the true driver; ccwgroup.c: get_next_id scans ``%2x.%1x.%04x``)."""
    head, dot, devno = bus_id.rpartition(".")
    return f"{head}.{devno.zfill(4)}" if dot and 0 < len(devno) <= 4 else bus_id


def _leading_hex(text: str) -> int:
    """The kernel's simple_strtoul(text, base 16): digits up to the first other character, else
    0."""
    digits = ""
    for character in text.strip().lower():
        if character not in "0123456789abcdef":
            break
        digits += character
    return int(digits or "0", 16)
