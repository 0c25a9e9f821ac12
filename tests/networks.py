"""A NIC of a test's own on one of the lab's networks, and namespaces with taps."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dpm_lab.network import Segment

#: Whether taps and namespaces can be had here.
CAN_TAP = os.geteuid() == 0 and Path("/dev/net/tun").exists() and shutil.which("ip") is not None
#: A destination that all take.
ALL = b"\xff" * 6
#: A MAC each.
A, B, C = (bytes.fromhex(f"0200000000{last}") for last in ("0a", "0b", "0c"))


class Nic:
    """A socket on a segment, as QEMU makes one."""

    def __init__(self, networks: Path, segment: Segment, name: str) -> None:
        segment.ask_for(networks)
        self._switch = str(segment.switch(networks))
        self._path = segment.folder(networks) / name
        self._path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self._path))
        self._socket.settimeout(30)

    def send(self, receiver: bytes, sender: bytes, text: bytes) -> None:
        """Send a frame of a protocol that nobody knows."""
        self._socket.sendto(receiver + sender + b"\x88\xb5" + text, self._switch)

    def next(self) -> tuple[bytes, bytes]:
        """Return who sent the next frame of that protocol, and its text."""
        while True:
            frame = self._socket.recv(2000)
            if frame[12:14] == b"\x88\xb5":
                return frame[6:12], frame[14:].rstrip(b"\0")

    def heard(self, sender: bytes) -> bool:
        """Return whether a frame of a sender comes, of whatever protocol; those of others pass."""
        try:
            while self._socket.recv(2000)[6:12] != sender:
                pass
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """Go without a word, as QEMU does: its socket stays in the folder."""
        self._socket.close()


class IpError(Exception):
    """``ip``, or what it was to run, failed."""


@contextmanager
def namespace(name: str) -> Iterator[str]:
    """Give a network namespace, for as long as the block takes."""
    ip("netns", "add", name)
    try:
        ip("-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        ip("netns", "delete", name)


def tap(namespace: str, device: str, mac: str) -> None:
    """Make a tap in a namespace."""
    ip("-n", namespace, "tuntap", "add", device, "mode", "tap")
    ip("-n", namespace, "link", "set", device, "address", mac, "up")


def ip(*words: str) -> str:
    """Run ``ip``, and return what it printed."""
    done = subprocess.run(["ip", *words], check=False, capture_output=True, text=True)
    if done.returncode:
        raise IpError(f"ip {' '.join(words)}: {done.stderr or done.stdout}")
    return done.stdout
