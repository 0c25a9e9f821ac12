"""What a guest shows of its network devices: each thing that ``dpm-guest report`` looks at.

Only reads, and only what is named here; each look is bounded in time and size. What is private is
replaced (`dpm_guest.private`).
"""

from __future__ import annotations

import itertools
import os
import re
import stat
import sys
import threading
import time

from dpm_guest import __version__
from dpm_guest.console import Console, words
from dpm_guest.firmware import devices
from dpm_guest.ids import CcwId
from dpm_guest.netdev import permanent_mac
from dpm_guest.private import Private, shape
from dpm_guest.process import output
from dpm_guest.sysfs import QETH, VIRTIO, Sysfs, bus_ids_in, kind_of, names_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from dpm_guest.options import Options

    T = TypeVar("T")

ROOT = ""
"""Before ``/etc`` and ``/run``; tests have their own."""


# Attributes whose values are the kernel's own words and numbers.
_GROUP = (
    "state chpid card_type inbuf_size portno priority_queueing buffer_count layer2 isolation "
    "hw_trap performance_stats sniffer online"
)
_SUBCHANNEL = "chpids pimpampom type"
_CCW = "availability cutype devtype modalias online"
_CHANNEL_PATH = "status type shared"
_INTERFACE = (
    "addr_assign_type addr_len carrier dev_id dev_port flags ifindex iflink link_mode mtu "
    "name_assign_type operstate type"
)
_PCI = "class device vendor pft port uid uid_is_unique vfn"
_IPL = "ipl_type has_secure secure"

# Reading these asks the card or the firmware (drivers/s390/net/qeth_core_sys.c, qeth_ethtool.c,
# qeth_l2_sys.c; drivers/s390/cio/chp.c, chp_configure_show).
_ASKS = "switch_attrs bridge_role bridge_state speed duplex configure"
_LINKS = "cdev0 cdev1 cdev2 driver group_device device master"
_VALUE = re.compile(r"[\w .:,()/-]{0,80}", re.ASCII)
_UDEV = re.compile(r"E:(ID_NET_|ID_PATH|ID_RENAMING|SYSTEMD_|NM_)[A-Z_]*=")
_SYSINFO = ("Manufacturer", "Type", "Model", "LPAR Characteristics", "VM00 Control Program")

_MOST_NAMES = 256
SECONDS, _SECONDS_IN_ALL = 5.0, 90.0
_PROGRAMS = ("udevadm", "NetworkManager", "cloud-init", "chzdev")
_JOURNAL = (
    "journalctl -b -q --no-pager -o short-monotonic --no-hostname -n 400 -u dpm-guest.service "
    "-u dpm-guest@* -u dpm-guest-retry.service"
)


class Inventory:
    """What was found, as files of the archive, and a line for each look."""

    def __init__(self, options: Options, tree: Sysfs, console: Console) -> None:
        self.lines: list[str] = []
        self.files: dict[str, bytes] = {}
        self.links: dict[str, str] = {}
        self._options = options
        self._tree = tree
        self._console = console
        self._sys = os.path.realpath(tree.sys)
        self._private = Private(names_in(f"{tree.sys}/class/net"))
        self._silent: set[str] = set()
        self._end = time.monotonic() + _SECONDS_IN_ALL

    def everything(self) -> Inventory:
        """Look at everything; a part that goes wrong costs only itself."""
        parts = (self._devices, self._channel_paths, self._interfaces, self._pci, self._firmware)
        for part in (*parts, self._proc, self._versions, self._status, self._journal):
            try:
                part()
            except Exception as error:  # noqa: BLE001 (the others are worth having)
                self._say(part.__name__.strip("_"), f"failed: {type(error).__name__}")
        self.lines.sort()
        return self

    # ---- one look

    def _say(self, name: str, what: str) -> None:
        self.lines.append(f"{name}: {what}")
        self._console.step(self.lines[-1])

    def _put(self, name: str, text: str) -> None:
        self.files[name] = text.encode("ascii", "replace")
        self._say(name, "read")

    def _within(self, seconds: float, function: Callable[[], T]) -> T:
        """The result of a function that may never come back: a card may hold a reader up.

        Raises:
            OSError: it took too long.
        """
        done: list[T] = []
        failed: list[Exception] = []

        def run() -> None:
            try:
                done.append(function())
            except Exception as error:  # noqa: BLE001 (raised below)
                failed.append(error)

        left = min(seconds, self._end - time.monotonic())
        if left <= 0:
            raise TimeoutError("not looked at, all of it took too long")
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(left)
        if failed:
            raise failed[0]
        if not done:
            raise TimeoutError(f"no answer in {left:.1f} s")
        return done[0]

    def _peek(self, path: str) -> str:
        """The text of a small file; '' where it can't be read."""
        try:
            return _text(self._within(SECONDS, lambda: contents(path, 4096))).strip()
        except OSError:
            return ""

    def _take(self, name: str, path: str, clean: Callable[[bytes], str], most: int = 4096) -> None:
        """Put a file into the archive, or say why it can't be read.

        Where one of a folder did not answer, the others of it aren't asked.
        """
        folder = os.path.dirname(path)
        try:
            if folder in self._silent:
                raise TimeoutError("another one there did not answer")
            self._put(name, clean(self._within(SECONDS, lambda: contents(path, most))))
        except OSError as error:
            if error.errno is None and isinstance(error, TimeoutError):
                self._silent.add(folder)
            self._say(name, f"not read: {words(error)}")

    def _folder(self, path: str, attributes: str, texts: str = "") -> None:
        """Take the attributes of a folder below ``/sys``, and name what else is in it."""
        real = os.path.realpath(f"{self._sys}/{path}")
        below = os.path.relpath(real, self._sys)
        if below.startswith("..") or not os.path.isdir(real):
            self._say(self._private.path(f"sys/{path}"), "no folder below it")
            return
        others = []
        for name in self._first(names_in(real), f"sys/{self._private.path(below)}"):
            file, member = f"{real}/{name}", self._private.path(f"sys/{below}/{name}")
            if name in _LINKS.split():
                self._link(f"{below}/{name}")
            elif name in attributes.split():
                self._take(member, file, self._value)
            elif name in texts.split():
                self._take(member, file, self._text)
            elif name == "if_name":
                self._take(member, file, lambda data: self._interface_name(_text(data)))
            elif name in _ASKS.split():
                self._say(member, "not read: that would ask the card or the firmware")
            else:
                others.append(os.path.basename(member) + "/" * os.path.isdir(file))
        if others:
            self._say(self._private.path(f"sys/{below}"), f"also there: {' '.join(others)}")

    def _link(self, path: str) -> None:
        """Put a link below ``/sys`` into the archive, to where it leads."""
        target = os.path.relpath(os.path.realpath(f"{self._sys}/{path}"), self._sys)
        if not os.path.islink(f"{self._sys}/{path}") or target.startswith(".."):
            return
        target, member = self._private.path(target), self._private.path(path)
        self.links[f"sys/{member}"] = os.path.relpath(target, os.path.dirname(member))

    def _value(self, data: bytes) -> str:
        text = _text(data)
        return text if _VALUE.fullmatch(text.strip()) else shape(text)

    def _text(self, data: bytes) -> str:
        return self._private.text(_text(data))

    def _interface_name(self, text: str) -> str:
        name = text.strip()
        return (name if name.startswith("(") else self._private.interface(name)) + "\n"

    # ---- the parts

    def _devices(self) -> None:
        for bus_id in self._first(bus_ids_in(f"{self._sys}/bus/ccwgroup/devices"), "ccwgroup"):
            self._link(f"bus/ccwgroup/devices/{bus_id}")
            self._folder(f"bus/ccwgroup/devices/{bus_id}", _GROUP, "portname hsuid")
            self._udev(f"+ccwgroup:{bus_id}")
        ccw = "bus/ccw/devices"
        found = [one for one in bus_ids_in(f"{self._sys}/{ccw}") if self._is_network(one)]
        for bus_id in self._first(found, "ccw"):
            self._link(f"{ccw}/{bus_id}")
            self._folder(f"{ccw}/{bus_id}", _CCW)
            self._folder(f"{ccw}/{bus_id}/..", _SUBCHANNEL)
            self._udev(f"+ccw:{bus_id}")
        for bus_id in bus_ids_in(f"{self._sys}/bus/ccw/drivers/qeth"):
            self._link(f"bus/ccw/drivers/qeth/{bus_id}")

    def _is_network(self, bus_id: CcwId) -> bool:
        """A NIC's, or one of a model of its control unit that nobody knows yet."""
        kind = kind_of(self._peek(f"{self._tree.ccw(bus_id)}/cutype"))
        return kind in (QETH, VIRTIO) or kind.startswith("1731/")

    def _channel_paths(self) -> None:
        names = [name for name in names_in(f"{self._sys}/devices/css0") if name.startswith("chp")]
        for name in self._first(names, "channel paths"):
            self._folder(f"devices/css0/{name}", _CHANNEL_PATH)

    def _interfaces(self) -> None:
        permanent = []
        folder = f"{self._sys}/class/net"
        names = [name for name in names_in(folder) if os.path.isdir(f"{folder}/{name}")]
        for name in self._first(names, "interfaces"):
            self._link(f"class/net/{name}")
            self._folder(f"class/net/{name}", _INTERFACE, "address")
            self._udev(f"n{self._peek(f'{folder}/{name}/ifindex')}")
            if self._sys == "/sys":
                permanent.append(f"{self._private.interface(name)} {self._permanent(name)}\n")
        if permanent:
            self._put("permanent-macs", "".join(permanent))
        else:
            self._say("permanent-macs", "not asked, these are no interfaces of this system")

    def _permanent(self, name: str) -> str:
        try:
            mac = self._within(SECONDS, lambda: permanent_mac(name))
        except OSError as error:
            return words(error)
        return self._private.mac(mac) if mac else "none"

    def _pci(self) -> None:
        pci = "bus/pci/devices"
        network = [
            name
            for name in names_in(f"{self._sys}/{pci}")
            if self._peek(f"{self._sys}/{pci}/{name}/class").startswith("0x02")
        ]
        for name in self._first(network, "PCI functions"):
            self._folder(f"{pci}/{name}", _PCI)
            self._udev(f"+pci:{name}")

    def _udev(self, name: str) -> None:
        def clean(data: bytes) -> str:
            lines = _text(data).splitlines()
            kept = [line[2:] for line in lines if _UDEV.match(line)]
            pairs = (line.partition("=") for line in kept)
            return "".join(f"{key}={self._private.word(value)}\n" for key, _, value in pairs)

        self._take(f"udev/{name}", f"{ROOT}/run/udev/data/{name}", clean, 65536)

    def _firmware(self) -> None:
        firmware = f"{self._sys}/firmware"
        self._folder("firmware", "")
        self._folder("firmware/ocf", "")
        self._folder("firmware/ipl", _IPL, "scp_data parm")
        actions = "firmware/shutdown_actions"
        names = names_in(f"{self._sys}/{actions}")
        self._folder(actions, " ".join(name for name in names if name.startswith("on_")))
        self._take(
            "firmware-devices",
            f"{firmware}/sclp_sd/config/data",
            lambda data: "".join(f"{line}\n" for line in itertools.islice(devices(data), 512)),
            262144,
        )

    def _proc(self) -> None:
        proc = self._tree.proc
        line = self._options.cmdline or f"{proc}/cmdline"
        # One character a byte, as the kernel splits the line.
        self._take("proc/cmdline", line, self._text, 65536)
        self._take("proc/cio_ignore", f"{proc}/cio_ignore", self._text, 65536)
        self._take("proc/sysinfo", f"{proc}/sysinfo", _sysinfo, 65536)

    def _versions(self) -> None:
        said = [f"dpm-guest {__version__}", f"python {sys.version.split()[0]}"]
        kernel = self._peek(f"{self._tree.proc}/sys/kernel/osrelease") or os.uname().release
        said += [f"kernel {kernel}", f"machine {os.uname().machine}"]
        for line in self._peek(f"{ROOT}/etc/os-release").splitlines():
            if re.match("(ID|ID_LIKE|VERSION_ID|VERSION_CODENAME)=", line):
                said.append(f"os-release {line}")
        for name in _PROGRAMS:
            code, data = output([name, "--version"], 20, 4096)
            first = _text(data).partition("\n")[0]
            said.append(f"{name}: {first if code == 0 else f'exit code {code}'}")
        lines = (line if re.fullmatch(r"[\w .:+~()=\"/-]{1,100}", line) else "?" for line in said)
        self._put("versions", "\n".join(lines) + "\n")

    def _status(self) -> None:
        asked = self._options
        # A process, because a card may hold it up. As the launcher starts it.
        folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        start = (
            "import sys; sys.path.insert(0, sys.argv.pop(1)); import dpm_guest.__main__ as agent"
        )
        argv = [sys.executable, "-I", "-c", f"{start}; sys.exit(agent.main())", folder]
        argv += ["status", "--local", asked.local]
        argv += ["--sysfs", asked.sysfs, "--procfs", asked.procfs]
        argv += ["--cmdline", asked.cmdline] if asked.cmdline else []
        code, data = output(argv, 30, 65536)
        self._put("status", f"{self._text(data)}exit code {code}\n")

    def _journal(self) -> None:
        code, data = output(_JOURNAL.split(), 30, 262144)
        self._put("journal", f"{self._text(data)}exit code {code}\n")

    def _first(self, names: list[T], what: str) -> list[T]:
        if len(names) > _MOST_NAMES:
            self._say(what, f"{len(names) - _MOST_NAMES} more, not looked at")
        return names[:_MOST_NAMES]


def contents(path: str, most: int) -> bytes:
    """The beginning of a regular file; pipes and devices are not even opened."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError("no regular file")
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        data = b""
        while len(data) < most:
            more = os.read(descriptor, most - len(data))
            if not more:
                break
            data += more
        return data
    finally:
        os.close(descriptor)


def _text(data: bytes) -> str:
    """Its characters, a byte each. IPL parameters may be in EBCDIC."""
    data = data.rstrip(b"\0")
    ebcdic = sum(byte > 0x7F for byte in data) * 2 > len(data)
    return data.decode("cp500" if ebcdic else "iso-8859-1")


def _sysinfo(data: bytes) -> str:
    lines = []
    for line in _text(data).splitlines():
        name, colon, value = line.partition(":")
        known = name.strip() in _SYSINFO and _VALUE.fullmatch(value)
        lines.append(f"{name}{colon}{value if known else shape(value)}\n")
    return "".join(lines)
