"""Process 1 of a machine's namespaces: holds the state, answers FUSE, runs udevd, does as it is
told.

Started by ``machine``, with the description as the first line on standard input. Each further line
is a request in JSON and gets one line in answer. The end of the input is the end of the machine:
with its process 1 the kernel ends all others in the namespace, and the mounts and interfaces go
with them.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import namespace, udevd
from .cards import Card, Description, bus_id
from .channel import ChannelSubsystem
from .filesystem import Filesystem, interrupted, serve
from .links import Links
from .qeth import GroupDevice, Qeth
from .tree import Tree, Virtio

UDEVD_LOG = Path("/run/udevd.log")
# Only to end a run that hangs; far beyond what udevd takes for an interface.
PATIENCE = 300.0


class Supervisor:
    """One machine."""

    def __init__(self, description: Description) -> None:
        self._cards = {card.devno: card for card in description.cards}
        cards = description.cards
        namespace.furnish({**udevd.rules(cards), **description.rules})
        self._links = Links()
        self._channel = ChannelSubsystem(cards, description.cio_ignore_all)
        self._qeth = Qeth(
            self._channel, self._links, description.modules_loaded, description.modules_missing
        )
        self._tree = Tree(self._channel, self._qeth, interrupted, description.sysinfo)
        self._filesystem = Filesystem(self._tree, self._channel.looked_at)
        udevd.start(UDEVD_LOG)
        self._recorder = udevd.Recorder()
        self._bring_up(cards)
        self._mount()

    def _bring_up(self, cards: tuple[Card, ...]) -> None:
        """What firmware, dracut or an administrator did before the agent comes."""
        for card in cards:
            if card.start == "absent":
                continue
            if card.kind == "virtio":
                self._plug_virtio(card)
            elif card.start in ("grouped", "online"):
                group = GroupDevice(card, card.group_ids, card.layer2, card.portno)
                self._qeth.groups[group.bus_id] = group
                if card.start == "online":
                    group.layer2 = 1 if card.layer2 == -1 else card.layer2
                    self._qeth.load("qeth_l2" if group.layer2 == 1 else "qeth_l3")
                    group.link = self._links.create(card.link_group)
                    group.online = True
        for link, card in self._known_links():
            self._await_udev(link)
            if card.up:
                self._links.set_up(link)

    def _plug_virtio(self, card: Card) -> None:
        link = self._links.create(card.link_group, mac=card.mac)
        self._tree.virtio[bus_id(card.devno)] = Virtio(card, link)

    def _known_links(self) -> list[tuple[int, Card]]:
        groups = self._qeth.groups.values()
        known = [(group.link, group.card) for group in groups if group.link is not None]
        return known + [(virtio.link, virtio.card) for virtio in self._tree.virtio.values()]

    def _await_udev(self, link: int) -> None:
        def renamed(event: udevd.Event) -> bool:
            return (
                event.source == "udev"
                and event.action == "move"
                and event.properties.get("IFINDEX") == str(link)
            )

        if not self._recorder.wait(renamed, PATIENCE):
            raise RuntimeError(
                f"udevd did not finish with {self._links.name(link)}: {UDEVD_LOG.read_text()}"
            )

    def _mount(self) -> None:
        threading.Thread(
            target=serve, args=(self._filesystem, str(namespace.IMITATION)), daemon=True
        ).start()
        limit = time.monotonic() + PATIENCE
        while not (namespace.IMITATION / "sys").exists():
            if time.monotonic() > limit:
                raise RuntimeError("FUSE did not mount the imitation")
            time.sleep(0.005)

    # requests

    def interface(self, devno: str) -> str | None:
        card = self._cards[devno]
        links = [link for link, owner in self._known_links() if owner == card]
        return self._links.name(links[0]) if links else None

    def set_mac(self, devno: str, mac: str) -> None:
        link = next(link for link, owner in self._known_links() if owner.devno == devno)
        self._links.set_mac(link, mac)

    def answer(self, devno: str) -> None:
        self._qeth.answer(self._cards[devno])

    def plug(self, devno: str) -> None:
        card = self._cards[devno]
        self._channel.plug(card)
        if card.kind == "virtio":
            self._plug_virtio(card)

    def unplug(self, devno: str) -> None:
        card = self._cards[devno]
        self._qeth.unplug(card)
        virtio = self._tree.virtio.pop(bus_id(devno), None)
        if virtio:
            self._links.remove(virtio.link)

    def writes(self) -> list[dict[str, Any]]:
        return [asdict(write) for write in list(self._filesystem.journal)]

    def writing(self) -> list[str]:
        return list(self._filesystem.writing)

    def forget_writes(self) -> None:
        self._filesystem.journal.clear()

    def events(self) -> list[dict[str, Any]]:
        return [asdict(event) for event in list(self._recorder.events)]

    def modules(self) -> list[str]:
        return sorted(self._qeth.modules)

    def broken(self) -> list[str]:
        return list(self._filesystem.broken)

    def udevd_log(self) -> str:
        return UDEVD_LOG.read_text()


REQUESTS = (
    "interface",
    "set_mac",
    "answer",
    "plug",
    "unplug",
    "writes",
    "writing",
    "forget_writes",
    "events",
    "modules",
    "udevd_log",
    "broken",
)


def main() -> None:
    # Still the /proc of the host: the number by which the test enters the namespaces.
    pid = int(str(Path("/proc/self").readlink()))

    def answer(**content: Any) -> None:
        sys.stdout.write(json.dumps(content) + "\n")
        sys.stdout.flush()

    try:
        supervisor = Supervisor(Description.from_json(sys.stdin.readline()))
    except (OSError, RuntimeError) as error:
        answer(error=f"{type(error).__name__}: {error}")
        os._exit(1)
    answer(pid=pid)
    for line in sys.stdin:
        request = json.loads(line)
        assert request["do"] in REQUESTS
        try:
            result = getattr(supervisor, request["do"])(*request["arguments"])
        except (OSError, RuntimeError, KeyError, StopIteration) as error:
            answer(error=f"{type(error).__name__}: {error}")
        else:
            answer(result=result)
    # Threads wait in FUSE; there is nothing to be saved.
    os._exit(0)


if __name__ == "__main__":
    main()
