"""The machine's udevd: the real one, told what it cannot find out about a veth, and its events."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pyudev

from .cards import Card
from .namespace import udevd


@dataclass(frozen=True)
class Event:
    """A uevent of a network interface, as the kernel sent it or as udevd passed it on."""

    source: str
    action: str
    interface: str
    properties: dict[str, str] = field(repr=False)


def rules(cards: tuple[Card, ...]) -> dict[str, str]:
    """The rule files that give each veth the properties of a channel device.

    ID_PATH and the path name come from the device's parents, which a veth has none of; qeth.md,
    section uevents, says what they are. 80-net-setup-link.rules then applies ``.link`` files as
    ever.
    """
    before, after = [], []
    for card in cards:
        match = f'SUBSYSTEM=="net", ATTR{{netdev_group}}=="{card.link_group}"'
        tag = card.id_path.replace(".", "_")
        driver = "virtio_net" if card.kind == "virtio" else "qeth_l2"
        before.append(
            f'{match}, ENV{{ID_PATH}}="{card.id_path}", ENV{{ID_PATH_TAG}}="{tag}", '
            f'ENV{{ID_NET_NAME_PATH}}="{card.name_path}"'
        )
        after.append(f'{match}, ENV{{ID_NET_DRIVER}}="{driver}"')
        if card.overwrite_mac:
            # After 80-net-setup-link.rules set a MAC, before udevd's database and "add" tell of the
            # interface; what RUN starts would come between those two.
            program = f"/bin/ip link set group {card.link_group} address {card.overwrite_mac}"
            after.append(f'{match}, ACTION=="add", PROGRAM="{program}"')
    return {
        "79-imitation.rules": "\n".join(before) + "\n",
        "81-imitation.rules": "\n".join(after) + "\n",
    }


def start(log: Path) -> subprocess.Popen[bytes]:
    """systemd-udevd, ready to take events."""
    program = udevd()
    assert program is not None
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, "--resolve-names=never"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={"PATH": os.environ["PATH"], "SYSTEMD_LOG_LEVEL": "info"},
        )
    control = Path("/run/udev/control")
    while not control.exists():
        if process.poll() is not None:
            raise RuntimeError(f"systemd-udevd ended at once: {log.read_text()}")
        time.sleep(0.005)
    return process


class Recorder:
    """Keeps every uevent of the machine's interfaces, from the kernel and from udevd."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._changed = threading.Condition()
        context = pyudev.Context()
        for source in ("kernel", "udev"):
            monitor = pyudev.Monitor.from_netlink(context, source=source)
            monitor.filter_by(subsystem="net")
            monitor.start()
            threading.Thread(target=self._record, args=(source, monitor), daemon=True).start()

    def _record(self, source: str, monitor: pyudev.Monitor) -> None:
        while True:
            device = monitor.poll()
            if device is None:
                continue
            event = Event(source, device.action, device.sys_name, dict(device.properties))
            with self._changed:
                self.events.append(event)
                self._changed.notify_all()

    def wait(self, wanted: Callable[[Event], bool], limit: float) -> bool:
        """Until such an event was there."""
        with self._changed:
            return self._changed.wait_for(lambda: any(map(wanted, self.events)), limit)
