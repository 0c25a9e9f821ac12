"""The boot map that ``zipl`` wrote on a disk, and the kernel parameters in it.

In a DPM partition the firmware loads what the boot map lists and appends the partition's
``boot-os-specific-parameters`` to the kernel parameters among it. QEMU's firmware loads the same
map and appends nothing. :func:`append_parameters` does the firmware's part of the work, on a copy
of the disk and before the machine starts; everything else of the IPL is the real thing.

The layout (s390-tools ``include/boot/boot_defs.h`` and ``zipl/src/bootmap.c``; QEMU's
``pc-bios/s390-ccw/bootmap.h``), all of it big endian, in blocks of 512 bytes::

    block 0         "zIPL", version, 8 reserved bytes, pointer to the program table
    program table   "zIPL", 12 reserved bytes, one pointer per program; number 0 is the default
    program         "zIPL", type, 27 reserved bytes, then components of 32 bytes:
                    pointer to a list of extents, 7 bytes, type, address that it is loaded at
    pointer         block number (8), block size (2), count of blocks less one (2), 4 reserved
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from dpm_lab.guests.disk.rawdisk import SECTOR, DiskError

_MAGIC = b"zIPL"
_POINTER = struct.Struct(">QHH4x")
_COMPONENT = struct.Struct(">16s7xBQ")
_LOAD = 2

#: Where zipl has the parameters of its stage 3 loaded (``STAGE3_PARAMS_ADDRESS``). Their first
#: eight bytes are the address of the kernel parameters.
_STAGE3_PARAMETERS = 0x9000

#: ``MAXIMUM_PARMLINE_SIZE``: what every kernel takes. Newer ones take more (COMMAND_LINE_SIZE).
MAX_PARAMETERS = 896

#: Limits that no boot map of zipl comes near to: its whole list of extents, and what is read of the
#: disk for the parameters of stage 3 and of the kernel, in bytes.
_EXTENTS = 100_000
_LARGEST = 2**20


@dataclass(frozen=True)
class Pointer:
    """`count` blocks of `size` bytes that begin at block `block`."""

    block: int
    size: int
    count: int

    @property
    def length(self) -> int:
        """Bytes that it points to."""
        return self.size * self.count


@dataclass(frozen=True)
class Component:
    """Something that is loaded: where it lies on the disk and the address it goes to."""

    kind: int
    address: int
    extents: tuple[Pointer, ...]


class BootRecordError(DiskError):
    """A disk has no boot map, or one that cannot be read."""


def parameters(disk: BinaryIO) -> str:
    """Return the kernel parameters that the default program of `disk` boots with."""
    return _text(disk, _parameter_component(disk))


def append_parameters(disk: BinaryIO, text: str) -> str:
    """Append `text` to the kernel parameters in the boot map and return the whole of them.

    As the kernel does with what the firmware hands it (``append_ipl_scpdata``): one blank goes in
    between, and a `text` that begins with ``=`` replaces what was there.
    """
    whole = joined(parameters(disk), text)
    set_parameters(disk, whole)
    return whole


def joined(present: str, text: str) -> str:
    """Return what becomes of kernel parameters when `text` is appended to them."""
    return text[1:] if text.startswith("=") else f"{present} {text}".strip()


def set_parameters(disk: BinaryIO, whole: str) -> None:
    """Write `whole` over the kernel parameters in the boot map.

    Raises:
        BootRecordError: there is no room for it, or it is no ASCII
    """
    component = _parameter_component(disk)
    if not whole.isascii():
        raise BootRecordError(f"kernel parameters are ASCII, and these are not: {whole!r}")
    data = whole.encode("ascii") + b"\0"
    room = min(sum(extent.length for extent in component.extents), MAX_PARAMETERS)
    if len(data) > room:
        raise BootRecordError(
            f"the kernel parameters need {len(data)} bytes in all, and the boot map has "
            f"room for {room}; use --ipl kernel, or fewer parameters"
        )
    rest = data.ljust(sum(extent.length for extent in component.extents), b"\0")
    for extent in component.extents:
        _seek(disk, extent.block)
        disk.write(rest[: extent.length])
        rest = rest[extent.length :]
    disk.flush()


def components(disk: BinaryIO) -> tuple[Component, ...]:
    """Return the components of the default program."""
    table = _block(disk, _pointer(_magic(_block(disk, 0), "block 0"), 16).block)
    program = _block(disk, _pointer(_magic(table, "the program table"), 16).block)
    _magic(program, "the default program")
    found = []
    for start in range(32, SECTOR, _COMPONENT.size):
        pointer, kind, address = _COMPONENT.unpack_from(program, start)
        if not kind:
            break
        extents = tuple(_extents(disk, _pointer(pointer, 0))) if kind == _LOAD else ()
        found.append(Component(kind, address, extents))
    return tuple(found)


def _parameter_component(disk: BinaryIO) -> Component:
    by_address = {part.address: part for part in components(disk) if part.kind == _LOAD}
    try:
        stage3 = _read(disk, by_address[_STAGE3_PARAMETERS])
        return by_address[int.from_bytes(stage3[:8], "big")]
    except KeyError:
        found = ", ".join(f"{address:#x}" for address in by_address)
        raise BootRecordError(
            "the boot map's default program has no kernel parameters where zipl puts them "
            f"(it loads to {found}); was it written by another boot loader?"
        ) from None


def _text(disk: BinaryIO, component: Component) -> str:
    return _read(disk, component).split(b"\0", 1)[0].decode("ascii", errors="replace")


def _read(disk: BinaryIO, component: Component) -> bytes:
    size = sum(extent.length for extent in component.extents)
    if size > _LARGEST:
        raise BootRecordError(f"the boot map has {size} bytes of parameters")
    parts = []
    for extent in component.extents:
        _seek(disk, extent.block)
        parts.append(disk.read(extent.length))
    return b"".join(parts)


def _extents(disk: BinaryIO, pointer: Pointer) -> Iterator[Pointer]:
    # A list that is longer than one block ends in a pointer to its next block.
    per_block = SECTOR // _POINTER.size
    seen: set[int] = set()
    while pointer.block:
        if pointer.block in seen or len(seen) * per_block > _EXTENTS:
            raise BootRecordError(f"the boot map's list of extents at {pointer.block} has no end")
        seen.add(pointer.block)
        block = _block(disk, pointer.block)
        for index in range(per_block):
            entry = _pointer(block, index * _POINTER.size)
            if not entry.block:
                return
            if index == per_block - 1:
                pointer = entry
            else:
                yield entry


def _pointer(data: bytes, start: int) -> Pointer:
    block, size, count = _POINTER.unpack_from(data, start)
    return Pointer(block, size, count + 1)


def _block(disk: BinaryIO, number: int) -> bytes:
    _seek(disk, number)
    data = disk.read(SECTOR)
    if len(data) != SECTOR:
        raise BootRecordError(f"the boot map names block {number}, which the disk does not have")
    return data


def _seek(disk: BinaryIO, number: int) -> None:
    if number > disk.seek(0, os.SEEK_END) // SECTOR:
        raise BootRecordError(f"the boot map names block {number}, which the disk does not have")
    disk.seek(number * SECTOR)


def _magic(block: bytes, what: str) -> bytes:
    if not block.startswith(_MAGIC):
        raise BootRecordError(
            f"no boot map: {what} does not begin with zIPL; was zipl run for this disk?"
        )
    return block
