"""What the kernel shows of a NIC's devices, and the one door through which attributes are written.

Sources: ``Documentation/driver-api/s390-drivers.rst``, ``drivers/s390/cio``,
``drivers/s390/net/qeth_core_sys.c``; observed on Linux 6.1 and 6.12.
"""

from __future__ import annotations

import os

from dpm_guest.errors import InvalidIdError
from dpm_guest.ids import CcwId, Mac

QETH = "qeth"
VIRTIO = "virtio"
# By control unit type and model: OSD, OSX and OSM, HiperSockets, OSN (qeth's id table in
# drivers/s390/net/qeth_core_main.c); FCP (drivers/s390/scsi/zfcp_ccw.c); virtio-net, whose model
# is virtio's id of a network card (drivers/s390/virtio/virtio_ccw.c).
_KINDS = {
    **dict.fromkeys(("1731/01", "1731/02", "1731/05", "1731/06"), QETH),
    "1731/03": "an FCP device",
    "3832/01": VIRTIO,
}
_LOOKS = 3


def kind_of(cutype: str) -> str:
    """What a control unit type and model means: `QETH`, `VIRTIO`, a word, or itself."""
    return _KINDS.get(cutype, cutype)


class Device:
    """A NIC's devices as they are at one moment.

    Attributes:
        bus_id: the first of its ids
        kind: `QETH`, `VIRTIO`, '' while unknown, or what else it is: control unit type and model
        missing: those of its ids that the kernel does not show
        hidden: whether the kernel was told to ignore one of those (``cio_ignore``)
        grouped: whether qeth has made one device of the three
        layer2: 1, 0, or -1 where nobody has decided yet; None where there is no such thing
        port: port of the adapter, None where there is no such thing
        online: whether it is online (virtio: always)
        interface: its network interface, None while there is none
        mac: the interface's MAC
        master: the bond or team that the interface belongs to and has its MAC from, or ''
    """

    def __init__(self, bus_id: CcwId) -> None:
        self.bus_id = bus_id
        self.kind = ""
        self.missing: tuple[CcwId, ...] = ()
        self.hidden = False
        self.grouped = False
        self.layer2: int | None = None
        self.port: int | None = None
        self.online = False
        self.interface: str | None = None
        self.ifindex = 0
        self.mac: Mac | None = None
        self.master = ""


class Sysfs:
    """The trees below ``/sys`` and ``/proc``, or others that look like them."""

    def __init__(self, sys: str = "/sys", proc: str = "/proc") -> None:
        self.sys = sys
        self.proc = proc

    # ---- paths

    def ccw(self, bus_id: CcwId) -> str:
        return f"{self.sys}/bus/ccw/devices/{bus_id}"

    def group(self, bus_id: CcwId) -> str:
        return f"{self.sys}/bus/ccwgroup/devices/{bus_id}"

    @property
    def qeth_driver(self) -> str:
        return f"{self.sys}/bus/ccwgroup/drivers/qeth"

    # ---- reading

    def device(self, bus_id: CcwId) -> Device:
        """What the kernel shows of a NIC now. Never fails: what cannot be read is not there."""
        device = Device(bus_id)
        group = _open_directory(self.group(bus_id))
        if group is not None:
            try:
                _read_group(device, group)
            finally:
                os.close(group)
            return device
        ccw = self.ccw(bus_id)
        device.kind = kind_of(read(f"{ccw}/cutype") or "")
        if device.kind == VIRTIO:
            device.online = read(f"{ccw}/online") != "0"
            for name in names_in(ccw):
                if name.startswith("virtio"):
                    _read_interface(device, _open_directory(f"{ccw}/{name}/net"))
        else:
            device.missing = tuple(i for i in bus_id.triple if not os.path.isdir(self.ccw(i)))
            device.hidden = any(map(self.ignored, device.missing))
        return device

    def bus_id_of(self, interface: str) -> CcwId | None:
        """The bus id of the ccw device that provides an interface, or None."""
        path = os.path.realpath(f"{self.sys}/class/net/{interface}/device")
        for part in reversed(path.split("/")):  # qeth: the last part; virtio: the one before
            if part.count(".") == 2:
                try:
                    return CcwId.parse(part)
                except InvalidIdError:
                    continue
        return None

    def holder(self, bus_id: CcwId) -> str | None:
        """The device that one of a NIC's three ids belongs to already, if that is another one."""
        for one in bus_id.triple:
            try:
                holder = os.path.basename(os.readlink(f"{self.ccw(one)}/group_device"))
            except OSError:
                continue
            if holder != bus_id:
                return holder
        return None

    def ignored(self, bus_id: CcwId) -> bool:
        """Whether the kernel was told to ignore a device (``cio_ignore``)."""
        text = read(f"{self.proc}/cio_ignore") or ""
        for entry in text.replace(",", " ").split():
            first, _, last = entry.partition("-")
            if first <= bus_id <= (last or first):  # all of one length and case
                return True
        return False


def _read_group(device: Device, group: int) -> None:
    """What the folder of a ccwgroup device says; `group` is its open descriptor, so that its path
    is walked once and not for each attribute."""
    device.grouped = True
    device.layer2 = _number(read("layer2", group))
    device.kind = "another ccwgroup device" if device.layer2 is None else QETH
    device.port = _number(read("portno", group))
    device.online = read("online", group) == "1"
    _read_interface(device, _open_directory("net", group))


def _read_interface(device: Device, net: int | None) -> None:
    """What a device's ``net`` folder says; closes its descriptor `net`.

    udev may rename the interface between the look at its name and the look into its folder. Then
    the name is gone, and another look finds the new one.
    """
    if net is None:
        return
    try:
        for _ in range(_LOOKS):
            names = names_in(net)
            for name in names:
                ifindex = _number(read(f"{name}/ifindex", net))
                address = read(f"{name}/address", net)
                if ifindex is not None and address is not None:
                    device.interface, device.ifindex = name, ifindex
                    device.master = _giver_of_mac(name, address, net)
                    device.mac = Mac.parse(address)
                    return
            if not names:
                return
    except InvalidIdError:
        device.mac = None  # no Ethernet address
    finally:
        os.close(net)


def _giver_of_mac(name: str, address: str, net: int) -> str:
    """The name of an interface's master, where the interface has its MAC from it.

    A bond decides on its ports' MACs, as ``fail_over_mac`` says (``drivers/net/bonding``). A team
    gives them its own (``drivers/net/team``, ``hwaddr_policy``), and sysfs shows no more of it than
    that they are the same. The ports of a bridge, a VRF and Open vSwitch keep theirs; a bridge may
    have taken over one of them.
    """
    try:
        master = os.path.basename(os.readlink(f"{name}/master", dir_fd=net))
    except OSError:
        return ""
    if _exists(f"{name}/master/bonding", net):
        return master
    same = read(f"{name}/master/address", net) == address
    return master if same and not _exists(f"{name}/master/bridge", net) else ""


def _exists(path: str, below: int) -> bool:
    try:
        os.stat(path, dir_fd=below)
    except OSError:
        return False
    return True


def _open_directory(path: str, below: int | None = None) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY, dir_fd=below)
    except OSError:
        return None


def read(path: str, below: int | None = None) -> str | None:
    """A small file's text without white space at its ends, or None where it cannot be read.

    Args:
        below: an open folder that `path` is relative to
    """
    try:
        descriptor = os.open(path, os.O_RDONLY, dir_fd=below)
    except OSError:
        return None
    try:
        return os.read(descriptor, 65536).decode("utf-8", "replace").strip()
    except OSError:
        return None
    finally:
        os.close(descriptor)


def write(path: str, value: str) -> None:
    """Write an attribute in one ``write(2)``.

    Not ``open().write()``: that reports the errno only on close, and loses it where nobody closes.

    Raises:
        OSError: the kernel refused the value.
    """
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, value.encode())
    finally:
        os.close(descriptor)


def names_in(path: str | int) -> list[str]:
    """The names in a directory, in order; none where it cannot be read."""
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []


def bus_ids_in(path: str) -> list[CcwId]:
    """The names in a directory that are bus ids, in order."""
    found = []
    for name in names_in(path):
        try:
            found.append(CcwId.parse(name))
        except InvalidIdError:
            continue
    return sorted(found)


def _number(text: str | None) -> int | None:
    try:
        return int(text or "")
    except ValueError:
        return None
