"""The cards' network interfaces: veths that reach the machine as a driver's own interface would.

On the real machine the kernel names the interface ``eth0``, marks that name as its own choice and
the address as random, announces it with ``add``, and udev renames it (qeth.md, uevents and MAC). A
veth that is created with a name counts as named by the user, and udev keeps such a name. So each
veth is made without one in another network namespace, the *switch*, and moved in under the name
that the kernel would have given: this sends one ``add`` in the machine's namespace and leaves
``name_assign_type`` (enum) and ``addr_assign_type`` (random) as a driver has them. The kernel only
takes a new name on such a move when the old one is taken, which is what the loopback's alternative
name ``veth0`` is for.
"""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from pathlib import Path

SWITCH = "switch"
TAKEN = "veth0"


def _ip(*arguments: str, lines: str | None = None) -> None:
    done = subprocess.run(
        ["ip", *arguments], input=lines, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(arguments)}: {done.stderr.strip()} ({lines!r})")


class Links:
    """Makes and removes the interfaces of one machine; runs in its network namespace."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made = 0
        _ip("netns", "add", SWITCH)
        _ip("-batch", "-", lines=f"link set lo up\nlink property add dev lo altname {TAKEN}\n")

    def create(self, group: int, mac: str = "") -> int:
        """A new interface ``ethN`` of this link group; returns its index, which outlives renames.

        Without ``mac`` the address is random, as an OSA's first one is (qeth.md, MAC); with one it
        is marked as set, which udev leaves alone like the permanent address of a virtio NIC.
        """
        with self._lock:
            names = {name for _, name in socket.if_nameindex()}
            name = next(f"eth{n}" for n in range(len(names) + 1) if f"eth{n}" not in names)
            self._made += 1
            peer = f"port{self._made}"
            commands = [
                f"link add type veth peer name {peer}",
                f"link set dev {TAKEN} group {group}",
            ]
            if mac:
                commands.append(f"link set dev {TAKEN} address {mac}")
            # The card has a cable: its carrier is there as soon as the interface is up.
            commands.append(f"link set dev {peer} up")
            commands.append(f"link set dev {TAKEN} netns {os.getpid()} name {name}")
            _ip("-n", SWITCH, "-batch", "-", lines="\n".join(commands) + "\n")
            return self._index(group)

    def remove(self, index: int) -> None:
        name = self.name(index)
        if name is not None:
            with self._lock:
                _ip("link", "delete", "dev", name)

    def set_mac(self, index: int, mac: str) -> None:
        self._at(index, "address", mac)

    def set_up(self, index: int) -> None:
        self._at(index, "up")

    def _at(self, index: int, *change: str) -> None:
        """Changes an interface that udev may be renaming."""
        for left in reversed(range(5)):
            name = self.name(index)
            try:
                _ip("link", "set", "dev", str(name), *change)
            except RuntimeError:
                if not left or name == self.name(index):
                    raise
            else:
                return

    def _index(self, group: int) -> int:
        """The index of the interface in this group, which udev may be renaming at this moment."""
        for _ in range(1000):
            for index, name in socket.if_nameindex():
                if self._group(name) == group:
                    return index
        raise RuntimeError(f"no interface in group {group}")

    @staticmethod
    def name(index: int) -> str | None:
        """The interface's name now; None when it is gone."""
        try:
            return socket.if_indextoname(index)
        except OSError:
            return None

    @staticmethod
    def _group(name: str) -> int | None:
        try:
            return int(Path("/sys/class/net", name, "netdev_group").read_text())
        except OSError:
            return None
