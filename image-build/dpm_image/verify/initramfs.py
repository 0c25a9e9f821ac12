"""The names of the files in an initial RAM disk, whatever made and compressed it.

It is read as it comes, nothing of it is kept, and all of it has limits: some megabytes can
decompress to more than a machine has memory for.
"""

from __future__ import annotations

import gzip
import lzma
import os
import subprocess
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from dpm_image.errors import ImageError

_NEWC = (b"070701", b"070702")
_HEADER = 110
_END = "TRAILER!!!"

_GZIP, _XZ, _ZSTD = b"\x1f\x8b", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"

#: What comes out of it has to fit into the memory of a partition; RHEL's has some 150 MiB.
LIMIT = 2**30
_PIECE = 2**18

#: The longest name that Linux knows, and more files than any initial RAM disk has.
_NAME = 4096
_FILES = 200_000

#: What xz may take; its largest preset, -9, takes 65 MiB. zstd by itself takes 128 MiB at most.
_XZ_MEMORY = 256 * 2**20


class InitramfsError(ImageError):
    """A file is not an initial RAM disk that can be read here."""


def names(file: BinaryIO, name: str, limit: int = LIMIT) -> frozenset[str]:
    """Return the names of all files in an initial RAM disk, without a leading slash.

    `name` is what errors call it, `limit` how many bytes may come out of it.
    """
    found: set[str] = set()
    try:
        plain = _Source(iter(lambda: file.read(_PIECE), b""), limit)
        # The kernel takes archives one after the other, plain ones first, padded with zeros.
        while plain.skip_zeros():
            if plain.peek(6) not in _NEWC:
                with _decompressed(file, plain) as pieces:
                    content = _Source(pieces, limit)
                    while content.skip_zeros():
                        _read_archive(content, found)
                break
            _read_archive(plain, found)
    except InitramfsError as error:
        raise InitramfsError(f"{name}: {error}") from error
    except (ValueError, EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        raise InitramfsError(f"{name}: damaged: {error}") from error
    return frozenset(found)


class _Source:
    """Bytes that come in pieces, to be taken once, and not without end."""

    def __init__(self, pieces: Iterator[bytes], limit: int) -> None:
        self._pieces = pieces
        self._limit = limit
        self._data = b""
        self._taken = 0
        #: How much was taken in all.
        self.position = 0

    def peek(self, count: int) -> bytes:
        """Return the next `count` bytes, fewer at the end, and leave them there."""
        while len(self._data) - self._taken < count and (piece := next(self._pieces, b"")):
            self._data = self._data[self._taken :] + piece
            self._taken = 0
        return self._data[self._taken : self._taken + count]

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        data = self.peek(count)
        if len(data) < count:
            raise EOFError("it ends too early")
        self._taken += count
        self.position += count
        if self.position > self._limit:
            raise InitramfsError(f"there are more than {self._limit >> 20} MiB in it")
        return data

    def skip(self, count: int) -> None:
        """Go past `count` bytes."""
        while count:
            count -= len(self.take(min(count, _PIECE)))

    def skip_zeros(self) -> bool:
        """Go past zeros, and return whether there is something behind them."""
        while data := self.peek(_PIECE):
            self.take(len(data) - len(data.lstrip(b"\0")))
            if data.strip(b"\0"):
                return True
        return False


def _read_archive(source: _Source, found: set[str]) -> None:
    """Add the names in a cpio archive ("newc") to those that were found."""
    for _ in range(_FILES):
        header = source.peek(_HEADER)
        if len(header) < _HEADER or not header.startswith(_NEWC):
            raise InitramfsError("the archive has no end")
        source.take(_HEADER)
        size, length = _number(header[54:62]), _number(header[94:102])
        if not 0 < length <= _NAME:
            raise InitramfsError(f"damaged: a name of {length} bytes")
        name = source.take(length)[:-1].decode(errors="replace")
        if name == _END:
            source.skip(min(-(_HEADER + length) % 4, len(source.peek(3))))
            return
        found.add(name.removeprefix("./").lstrip("/"))
        source.skip(-(_HEADER + length) % 4 + size + -size % 4)
    raise InitramfsError(f"there are more than {_FILES} files in it")


def _number(digits: bytes) -> int:
    return int.from_bytes(bytes.fromhex(digits.decode("ascii")), "big")


@contextmanager
def _decompressed(file: BinaryIO, source: _Source) -> Iterator[Iterator[bytes]]:
    """Yield what the rest of `file` decompresses to, from where `source` is."""
    start = source.peek(len(_XZ))
    file.seek(source.position)
    if start.startswith(_GZIP):
        with gzip.GzipFile(fileobj=file) as stream:
            yield iter(lambda: stream.read(_PIECE), b"")
    elif start.startswith(_XZ):
        yield _unpacked(file)
    elif start.startswith(_ZSTD):
        with _unzstd(file, source.position) as output:
            yield iter(lambda: output.read(_PIECE), b"")
    else:
        raise InitramfsError("neither a cpio archive nor a compression known here")


def _unpacked(file: BinaryIO) -> Iterator[bytes]:
    unpack, data = _xz(), file.read(_PIECE)
    while data or not unpack.eof:
        if unpack.eof:
            unpack = _xz()
        if unpack.needs_input and not data:
            raise EOFError("it ends too early")
        yield unpack.decompress(data, _PIECE)
        if unpack.eof:
            data = unpack.unused_data.lstrip(b"\0") or file.read(_PIECE).lstrip(b"\0")
        else:
            data = file.read(_PIECE) if unpack.needs_input else b""


def _xz() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)


@contextmanager
def _unzstd(file: BinaryIO, position: int) -> Iterator[BinaryIO]:
    # The program reads the descriptor itself, from where it stands.
    os.lseek(file.fileno(), position, os.SEEK_SET)
    command = ["zstd", "--decompress", "--quiet", "--stdout"]
    try:
        process = subprocess.Popen(
            command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except FileNotFoundError:
        raise InitramfsError("looking into it needs zstd: apt install zstd") from None
    with process:
        assert process.stdout is not None
        try:
            yield process.stdout  # type: ignore[misc]
            status = process.wait()
        finally:
            process.kill()
    if status:
        raise InitramfsError(f"damaged: zstd ended with status {status}")
