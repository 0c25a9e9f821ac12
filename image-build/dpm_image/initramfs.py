"""The names of the files in an initial RAM disk, whatever made and compressed it."""

from __future__ import annotations

import gzip
import lzma
import subprocess
from collections.abc import Iterator
from pathlib import Path

from dpm_image.errors import ImageError

_NEWC = (b"070701", b"070702")
_HEADER = 110
_END = "TRAILER!!!"


class InitramfsError(ImageError):
    """A file is not an initial RAM disk that can be read here."""


def names(path: Path) -> frozenset[str]:
    """Return the names of all files in the initial RAM disk `path`, without a leading slash."""
    data = path.read_bytes()
    found: set[str] = set()
    # The kernel takes archives one after the other, plain ones first, padded with zeros.
    while data := data.lstrip(b"\0"):
        if not data.startswith(_NEWC):
            data = _decompressed(data, path)
        entries = list(_entries(data, path))
        found.update(name.removeprefix("./").lstrip("/") for name, _ in entries if name != _END)
        data = data[entries[-1][1] :] if entries else b""
    return frozenset(found)


def _entries(data: bytes, path: Path) -> Iterator[tuple[str, int]]:
    """Yield name and end of every entry of a cpio archive ("newc"), its end marker included."""
    position = 0
    while data[position : position + 6] in _NEWC:
        header = data[position : position + _HEADER]
        size, length = int(header[54:62], 16), int(header[94:102], 16)
        start = position + _HEADER
        name = data[start : start + length - 1].decode(errors="replace")
        position = _aligned(_aligned(start + length) + size)
        yield name, position
        if name == _END:
            return
    raise InitramfsError(f"{path.name}: the archive has no end")


def _aligned(position: int) -> int:
    return (position + 3) & ~3


def _decompressed(data: bytes, path: Path) -> bytes:
    try:
        if data.startswith(b"\x1f\x8b"):
            return gzip.decompress(data)
        if data.startswith(b"\xfd7zXZ\0"):
            return lzma.decompress(data)
        if data.startswith(b"\x28\xb5\x2f\xfd"):
            command = ["zstd", "--decompress", "--quiet", "--stdout"]
            return subprocess.run(command, input=data, check=True, capture_output=True).stdout
    except FileNotFoundError:
        raise InitramfsError(f"{path.name}: looking into it needs zstd: apt install zstd") from None
    except (OSError, EOFError, lzma.LZMAError, subprocess.CalledProcessError) as error:
        raise InitramfsError(f"{path.name}: damaged: {error}") from error
    raise InitramfsError(f"{path.name}: neither a cpio archive nor a compression known here")
