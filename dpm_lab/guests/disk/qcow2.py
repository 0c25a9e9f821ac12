"""What the header of a qcow2 file says: read here, before any program of QEMU opens the file.

A qcow2 can name another file, or a host, that a part of its content is in: its backing file, or the
file of its data. QEMU opens what is named together with the image, as whoever runs it
(CVE-2015-5163, CVE-2024-32498). So :func:`check` comes first, and :func:`blockdev` then tells QEMU
what the image consists of, so that it takes no name from a header.

The layout is QEMU's ``docs/interop/qcow2.txt``; all of it is big endian.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

from dpm_lab.errors import LabError

_MAGIC = b"QFI\xfb"
_HEADER = struct.Struct(">4sIQIIQI")
_FEATURES = struct.Struct(">Q")
_LENGTH = struct.Struct(">I")
_EXTENSION = struct.Struct(">II")

#: Where version 3 has its incompatible features and the length of its header; version 2 has none.
_FEATURES_AT, _LENGTH_AT = 72, 100
_LENGTHS = {2: 72, 3: 104}

#: Sizes of clusters that QEMU takes: 512 bytes to 2 MiB.
_CLUSTER_BITS = range(9, 22)

#: Incompatible features: dirty, corrupt, compression type, extended L2 entries. The one that is
#: left out is bit 2, an external data file.
_DATA_FILE = 1 << 2
_KNOWN = 1 << 0 | 1 << 1 | 1 << 3 | 1 << 4

#: Extensions of the header that name something else: the data file, and where LUKS has its keys.
_NAMING = {0x44415441: "it names an external data file", 0x0537BE77: "it is encrypted"}


class Qcow2Error(LabError):
    """A file is not a qcow2 that can be read."""


class NotSelfContainedError(LabError):
    """A qcow2 is not all there is to the image; the text says what else there is."""


@dataclass(frozen=True)
class Header:
    """What is of interest here."""

    #: The backing file, as it is written there; empty where there is none.
    backing: bytes
    encryption: int
    incompatible: int
    #: The magic numbers of the extensions.
    extensions: tuple[int, ...]


def check(image: Path, *, backing: Path | None = None) -> None:
    """See to it that opening `image` opens nothing else, but for `backing`, an overlay's image.

    Raises:
        Qcow2Error: it is no qcow2.
        NotSelfContainedError: it names another file, or is not understood.
    """
    if not image.is_file():
        raise Qcow2Error(f"{image}: no such image; build one with `dpm-image build`")
    header = read(image)
    other = header.incompatible & ~_KNOWN & ~_DATA_FILE
    if header.incompatible & _DATA_FILE:
        raise NotSelfContainedError(f"{image}: its data are in another file")
    if other:
        raise NotSelfContainedError(f"{image}: it has features that are unknown here ({other:#x})")
    if header.encryption:
        raise NotSelfContainedError(f"{image}: it is encrypted")
    for extension in header.extensions:
        if extension in _NAMING:
            raise NotSelfContainedError(f"{image}: {_NAMING[extension]}")
    named = header.backing.decode(errors="backslashreplace")
    if named and backing is None:
        raise NotSelfContainedError(f"{image}: it has a backing file, {named}")
    if backing is not None and header.backing != os.fsencode(backing.resolve()):
        raise NotSelfContainedError(
            f"{image}: its backing file is {named or 'none'}, not {backing.resolve()}"
        )


def read(image: Path) -> Header:
    """Return the header of `image`."""
    # A FIFO would keep us waiting, and a device may do anything when it is opened.
    descriptor = os.open(image, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as stream:  # noqa: PTH123, a descriptor
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Qcow2Error(f"{image}: not a file")
        try:
            return _read(stream)
        except (struct.error, ValueError) as error:
            raise Qcow2Error(f"{image}: not qcow2: {error}") from error


def _read(stream: BinaryIO) -> Header:
    start = stream.read(_LENGTHS[3])
    if not start.startswith(_MAGIC):
        raise ValueError("it does not begin like one")
    _, version, offset, size, cluster_bits, _, encryption = _HEADER.unpack_from(start)
    if version not in _LENGTHS:
        raise ValueError(f"version {version}")
    if cluster_bits not in _CLUSTER_BITS:
        raise ValueError(f"clusters of 2^{cluster_bits} bytes")
    incompatible, length = 0, _LENGTHS[version]
    if version == 3:
        (incompatible,) = _FEATURES.unpack_from(start, _FEATURES_AT)
        (length,) = _LENGTH.unpack_from(start, _LENGTH_AT)
    # All that is of interest is in the first cluster; QEMU refuses other files, too.
    cluster = start + stream.read((1 << cluster_bits) - len(start))
    if not _LENGTHS[version] <= length <= len(cluster):
        raise ValueError(f"a header of {length} bytes")
    if offset and not (0 < size < 1024 and length <= offset <= len(cluster) - size):
        raise ValueError("the name of its backing file is not where it could be")
    extensions = tuple(_extensions(cluster[length : offset or len(cluster)]))
    backing = cluster[offset : offset + size] if offset else b""
    return Header(backing, encryption, incompatible, extensions)


def _extensions(data: bytes) -> list[int]:
    found, position = [], 0
    while position + _EXTENSION.size <= len(data):
        magic, size = _EXTENSION.unpack_from(data, position)
        if not magic:
            break
        position += _EXTENSION.size + size
        if position > len(data):
            raise ValueError(f"an extension of {size} bytes")
        position = (position + 7) & ~7
        found.append(magic)
    return found


def blockdev(image: Path, *, writable: bool = False, backing: Path | None = None) -> dict[str, Any]:
    """Return what QEMU is told of a qcow2: the one file that it is, and `backing` or nothing below.

    Said so, no name of a file is taken from its header, and none is looked at for a protocol.
    """
    return {
        "driver": "qcow2",
        "read-only": not writable,
        "file": {"driver": "file", "filename": str(image), "read-only": not writable},
        "backing": None if backing is None else blockdev(backing),
    }


def check_chain(files: Sequence[Path]) -> None:
    """See to it that opening `files`, from the top down, opens nothing but them.

    Raises:
        Qcow2Error, NotSelfContainedError: as :func:`check` does.
    """
    for upper, lower in pairwise(files):
        check(upper, backing=lower)
    check(files[-1])


def chain(files: Sequence[Path], *, writable: bool = False) -> dict[str, Any]:
    """Return what QEMU is told of a qcow2 that stands on others; only the first is written to."""
    below = chain(files[1:]) if len(files) > 1 else None
    return {**blockdev(files[0], writable=writable), "backing": below}
