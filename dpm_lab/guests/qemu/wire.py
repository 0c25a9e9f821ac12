"""Which MACs a guest's NICs used on the wire: the one witness that is not the guest itself."""

from __future__ import annotations

import struct
from pathlib import Path

from dpm_lab.guests.qemu.machine import capture_file
from dpm_lab.guests.qemu.nics import GuestNic

_HEADER = 24
_RECORD = struct.Struct("=IIII")

#: QEMU's user network answers from 52:55:<its IPv4 address> and 52:56:00:00:00:02 (slirp.c).
_QEMU = (b"\x52\x55", b"\x52\x56")


def source_macs(capture: Path) -> tuple[str, ...]:
    """Return the source MACs of the frames in `capture`, QEMU's own left out, in order.

    QEMU writes the capture in this machine's byte order, so that is how it is read.
    """
    data = capture.read_bytes() if capture.is_file() else b""
    found: dict[bytes, None] = {}
    position = _HEADER
    while position + _RECORD.size <= len(data):
        _, _, length, _ = _RECORD.unpack_from(data, position)
        start = position + _RECORD.size
        frame = data[start : start + length]
        position += _RECORD.size + length
        if len(frame) >= 12 and not frame[6:12].startswith(_QEMU):
            found[frame[6:12]] = None
    return tuple(mac.hex(":") for mac in found)


def seen_macs(captures: Path, nics: tuple[GuestNic, ...]) -> dict[str, tuple[str, ...]]:
    """Return what each NIC that the machine has was seen to use, by device number."""
    return {
        nic.params.bus_id.devno: source_macs(capture_file(captures, nic))
        for nic in nics
        if nic.present
    }
