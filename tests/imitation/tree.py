"""The files: ``/sys`` and ``/proc`` of the machine, built from its state at every look."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from .cards import CARD_TYPES, CU_TYPES, DEV_TYPES, Card, refuse
from .channel import CcwDevice, ChannelSubsystem
from .interfaces import NET, kernels, net
from .links import Links
from .nodes import Directory, Entries, File, Link, Node, fixed, value
from .qeth import GroupDevice, Interrupted, Qeth


@dataclass
class Virtio:
    """A NIC that virtio_ccw drives: no group, an interface from the start."""

    card: Card
    link: int


class Tree:
    """Finds the node of a path."""

    def __init__(
        self,
        channel: ChannelSubsystem,
        qeth: Qeth,
        interrupted: Callable[[], bool],
        sysinfo: str = "",
    ) -> None:
        self._channel = channel
        self._qeth = qeth
        self._interrupted: Interrupted = interrupted
        self.virtio: dict[str, Virtio] = {}
        self._root = fixed(
            {
                "sys": fixed(
                    {
                        "bus": Directory(self._buses),
                        "class": fixed({"net": Directory(self._class_net)}),
                        "devices": Directory(self._devices),
                        "module": Directory(
                            lambda: {name: fixed({}) for name in sorted(qeth.modules)}
                        ),
                    }
                ),
                "proc": fixed(
                    {
                        "cio_ignore": File(channel.ignored_text, channel.ignore_store),
                        "cio_settle": File(write=lambda _: channel.settle(interrupted)),
                        "sysinfo": File(read=lambda: sysinfo),
                    }
                ),
                # Not of the real machine: what the stand-in for modprobe writes to.
                "control": fixed({"modprobe": File(write=lambda text: qeth.load(text.strip()))}),
            }
        )

    def find(self, path: str) -> Node:
        node: Node = self._root
        for part in path.strip("/").split("/") if path.strip("/") else ():
            if not isinstance(node, Directory):
                raise refuse(errno.ENOTDIR)
            try:
                node = node.entries()[part]
            except KeyError:
                raise refuse(errno.ENOENT) from None
        return node

    # /sys/bus

    def _buses(self) -> Entries:
        buses: Entries = {
            "ccw": fixed(
                {"devices": Directory(self._bus_ccw), "drivers": Directory(self._ccw_drivers)}
            )
        }
        if self.virtio:
            drivers = fixed({"virtio_net": fixed({})})
            buses["virtio"] = fixed({"devices": fixed({}), "drivers": drivers})
        # "`/sys/bus/ccwgroup` does not exist until `ccwgroup` or `qeth` is loaded" (before
        # grouping)
        if "ccwgroup" in self._qeth.modules:
            qeth: Entries = (
                {"qeth": Directory(self._driver_qeth)} if "qeth" in self._qeth.modules else {}
            )
            buses["ccwgroup"] = fixed(
                {"devices": Directory(self._bus_ccwgroup), "drivers": fixed(qeth)}
            )
        return buses

    def _bus_ccw(self) -> Entries:
        return {
            name: Link(f"../../../devices/css0/{device.subchannel}/{name}")
            for name, device in self._channel.present().items()
        }

    def _ccw_drivers(self) -> Entries:
        def bound(driver: str) -> Directory:
            return fixed(
                {
                    name: Link(f"../../../../devices/css0/{device.subchannel}/{name}")
                    for name, device in self._channel.present().items()
                    if self._ccw_driver(device) == driver
                }
            )

        names = ["virtio_ccw", *(["qeth"] if "qeth" in self._qeth.modules else [])]
        return {name: bound(name) for name in names}

    def _ccw_driver(self, device: CcwDevice) -> str | None:
        if device.card.kind == "virtio":
            return "virtio_ccw"
        return "qeth" if "qeth" in self._qeth.modules else None

    def _bus_ccwgroup(self) -> Entries:
        return {name: Link(f"../../../devices/qeth/{name}") for name in list(self._qeth.groups)}

    def _driver_qeth(self) -> Entries:
        """The driver: "`drivers/qeth` holds `bind group module uevent unbind`" and a link to each
        device."""
        entries: Entries = {
            "bind": File(write=_not_imitated),
            "group": File(write=self._group),
            "module": Link("../../../../module/qeth"),
            "uevent": File(write=_not_imitated),
            "unbind": File(write=_not_imitated),
        }
        entries.update(
            {name: Link(f"../../../../devices/qeth/{name}") for name in list(self._qeth.groups)}
        )
        return entries

    def _group(self, text: str) -> None:
        self._qeth.group(text)

    # /sys/devices

    def _devices(self) -> Entries:
        devices: Entries = {
            "css0": Directory(self._css0),
            "virtual": fixed({"net": Directory(self._virtual_net)}),
        }
        if "qeth" in self._qeth.modules:
            devices["qeth"] = Directory(
                lambda: {
                    name: Directory(partial(self._group_device, group))
                    for name, group in list(self._qeth.groups.items())
                }
            )
        return devices

    def _css0(self) -> Entries:
        return {
            device.subchannel: fixed(
                {
                    name: Directory(partial(self._ccw_device, device)),
                    # One path of eight (drivers/s390/cio/css.c, chpids_show).
                    "chpids": value(f"{device.card.chpid} {' '.join(['00'] * 7)} "),
                }
            )
            for name, device in self._channel.present().items()
        }

    def _ccw_device(self, device: CcwDevice) -> Entries:
        card = device.card
        group = self._qeth.group_of(device.bus_id)
        driver = self._ccw_driver(device)
        online = card.kind == "virtio" or (group is not None and group.online)
        entries: Entries = {
            "availability": value("good"),
            "cutype": value(CU_TYPES[card.kind]),
            "devtype": value(DEV_TYPES[card.kind]),
            "online": File(read=lambda: f"{int(online)}\n", write=_not_imitated),
            "subsystem": Link("../../../../bus/ccw"),
        }
        if driver:
            entries["driver"] = Link(f"../../../../bus/ccw/drivers/{driver}")
        if group:
            entries["group_device"] = Link(f"../../../qeth/{group.bus_id}")
        if virtio := self.virtio.get(device.bus_id):
            owner = f"css0/{device.subchannel}/{device.bus_id}/virtio0"
            entries["virtio0"] = fixed(
                {
                    "driver": Link("../../../../../bus/virtio/drivers/virtio_net"),
                    "net": Directory(partial(net, virtio.link, owner)),
                    "subsystem": Link("../../../../../bus/virtio"),
                }
            )
        return entries

    def _group_device(self, group: GroupDevice) -> Entries:
        """The attributes that the section *group* lists, with its defaults."""
        qeth = self._qeth
        entries: Entries = {
            "buffer_count": value(64),
            "card_type": value(CARD_TYPES[group.card.kind]),
            "chpid": value("E0"),
            "driver": Link("../../../bus/ccwgroup/drivers/qeth"),
            "hw_trap": value("disarm"),
            "if_name": File(read=lambda: f"{self._if_name(group)}\n"),
            "inbuf_size": value("64k"),
            "isolation": value("none"),
            "layer2": File(
                read=lambda: f"{_alive(group).layer2}\n",
                write=lambda text: qeth.set_layer2(group, text, self._interrupted),
            ),
            "online": File(
                read=lambda: f"{int(_alive(group).online)}\n",
                write=lambda text: qeth.set_online(group, text, self._interrupted),
            ),
            "performance_stats": value(1),
            "portname": value("no portname required"),
            "portno": File(
                read=lambda: f"{_alive(group).portno}\n",
                write=lambda text: qeth.set_portno(group, text, self._interrupted),
            ),
            "priority_queueing": value("always queue 2"),
            "recover": File(write=_not_imitated),
            "state": File(read=lambda: f"{self._state(group)}\n"),
            "subsystem": Link("../../../bus/ccwgroup"),
            "switch_attrs": value("n/a"),
            "uevent": File(read=lambda: "DRIVER=qeth\n", write=_not_imitated),
            "ungroup": File(write=lambda _: qeth.ungroup(group)),
        }
        for n, bus_id in enumerate(group.ids):
            subchannel = self._channel.devices[bus_id].subchannel
            entries[f"cdev{n}"] = Link(f"../../css0/{subchannel}/{bus_id}")
        if group.link is not None:
            # "`net/` appears after online"
            entries["net"] = Directory(partial(net, group.link, f"qeth/{group.bus_id}"))
        return entries

    @staticmethod
    def _if_name(group: GroupDevice) -> str:
        name = Links.name(group.link) if group.link is not None else None
        return name or "(unnamed net_device)"

    @staticmethod
    def _state(group: GroupDevice) -> str:
        """DOWN, and after online SOFTSETUP until the link is up (qeth_dev_state_show)."""
        name = Links.name(group.link) if group.link is not None else None
        if not group.online or name is None:
            return "DOWN"
        up = int((NET / name / "flags").read_text(), 16) & 1
        return "UP (LAN ONLINE)" if up else "SOFTSETUP"

    # interfaces

    def _owners(self) -> dict[str, str]:
        """Each card's interface by its present name, with its device's path below /sys/devices."""
        links = [(group.link, f"qeth/{name}") for name, group in list(self._qeth.groups.items())]
        for name, virtio in list(self.virtio.items()):
            subchannel = self._channel.devices[name].subchannel
            links.append((virtio.link, f"css0/{subchannel}/{name}/virtio0"))
        named = [(Links.name(link), path) for link, path in links if link is not None]
        return {name: path for name, path in named if name}

    def _class_net(self) -> Entries:
        owners = self._owners()
        return {
            name: Link(f"../../devices/{owners.get(name, 'virtual')}/net/{name}")
            for _, name in socket.if_nameindex()
        }

    def _virtual_net(self) -> Entries:
        owners = self._owners()
        return {
            name: Directory(partial(kernels, index, ""))
            for index, name in socket.if_nameindex()
            if name not in owners
        }


def _alive(group: GroupDevice) -> GroupDevice:
    if not group.alive:
        raise refuse(errno.ENODEV)
    return group


def _not_imitated(_: str) -> None:
    """Attributes that no one here has to write; the real driver takes such writes."""
    raise refuse(errno.EOPNOTSUPP)
