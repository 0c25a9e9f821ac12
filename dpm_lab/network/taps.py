"""Taps: interfaces of Linux, in network namespaces, that are plugged into segments.

The interface is made by whoever wants it, and stays when the switch ends. That it is plugged in is
a file, so that a switch that is started again knows it.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import socket
import struct
from dataclasses import asdict, dataclass
from pathlib import Path

from dpm_lab.network.segments import look

_FOLDER = "taps"
_NAMESPACES = Path("/run/netns")
_TUN = "/dev/net/tun"
# linux/if_tun.h, linux/sched.h. Python has setns() since 3.12.
_TUNSETIFF, _IFF_TAP, _IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
_CLONE_NEWNET = 0x40000000


@dataclass(frozen=True)
class Tap:
    """An interface in a namespace, and the segment that it is plugged into.

    Attributes:
        segment: its name
    """

    device: str
    namespace: str
    segment: str


def plug(networks: Path, tap: Tap) -> None:
    """Have the switch plug an interface in."""
    folder = networks / _FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = folder / f".{tap.device}"
    made.write_text(json.dumps(asdict(tap)), encoding="utf-8")
    made.rename(folder / tap.device)
    (networks / tap.segment).mkdir(parents=True, exist_ok=True, mode=0o700)
    look(networks)


def unplug(networks: Path, device: str) -> None:
    """Have the switch let go of an interface."""
    (networks / _FOLDER / device).unlink(missing_ok=True)
    look(networks)


def plugged(networks: Path) -> set[Tap]:
    """Return what shall be plugged in."""
    found = set()
    for path in (networks / _FOLDER).glob("[!.]*"):
        with contextlib.suppress(OSError, ValueError, TypeError):  # it goes, or is none of ours
            found.add(Tap(**json.loads(path.read_text(encoding="utf-8"))))
    return found


def opened(tap: Tap) -> int:
    """Return a descriptor for the frames of an interface that is there; root only.

    Raises:
        OSError: there is no such namespace, or none may enter it, or no such interface in it.
    """
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        other = os.open(_NAMESPACES / tap.namespace, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(other)
            try:
                return _open_here(tap.device)
            finally:
                _enter(own)
        finally:
            os.close(other)
    finally:
        os.close(own)


def _open_here(device: str) -> int:
    socket.if_nametoindex(device)  # TUNSETIFF would make one that is not there
    descriptor = os.open(_TUN, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        request = struct.pack("16sH22x", device.encode(), _IFF_TAP | _IFF_NO_PI)
        fcntl.ioctl(descriptor, _TUNSETIFF, request)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _enter(namespace: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
