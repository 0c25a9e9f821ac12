"""Files that are whole or not there, after a power cut too, and say so when they cannot be."""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import BinaryIO

import psutil

from dpm_image.errors import ImageError

#: For logs: a build shows much of the machine that it runs on.
PRIVATE = 0o600


class FileError(ImageError):
    """A file cannot be written."""


@contextmanager
def named(target: Path, what: str = "cannot be written") -> Iterator[None]:
    """Let an error of the file system name `target`: the error of a write has no name in it."""
    try:
        yield
    except OSError as error:
        raise FileError(f"{target} {what}: {error.strerror or error}") from error


def settle(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def rename(source: Path, target: Path) -> None:
    """Give `source`, which is whole, the name `target`, which then is either as it was or whole."""
    with named(target):
        settle(source)
        source.replace(target)
        settle(target.parent)


def copy(source: Path, target: Path, mode: int = 0o666) -> None:
    """Copy, so that `target` is either as it was or whole."""
    with named(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and not target.is_file():
            # /dev/stdout and its like are written to, not replaced.
            with source.open("rb") as content, target.open("wb") as sink:
                shutil.copyfileobj(content, sink)
            return
        _remove_parts(target)
        part = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            with source.open("rb") as content, _new(part, mode) as sink:
                shutil.copyfileobj(content, sink, 2**20)
            rename(part, target)
        finally:
            part.unlink(missing_ok=True)


def private(path: Path) -> FileIO:
    """Return the file `path`, emptied, for its owner's eyes only; :func:`write` is for it."""
    with named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Without a buffer: one that cannot be written fails once more when the file is closed.
        file = FileIO(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE), "w")
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            os.fchmod(file.fileno(), PRIVATE)  # it may have been there already
        return file


def write(file: FileIO, data: bytes, name: Path) -> None:
    """Write all of `data`; of a full disk, say which file is not written."""
    rest = memoryview(data)
    with named(name):
        while rest:  # on a disk that is nearly full, the kernel takes a part of it
            rest = rest[file.write(rest) :]


def _new(path: Path, mode: int) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb")


def _remove_parts(target: Path) -> None:
    """Remove what killed processes left of `target`."""
    part = re.compile(re.escape(f".{target.name}.") + "([0-9]+)")
    for entry in target.parent.iterdir():
        found = part.fullmatch(entry.name)
        if found and not psutil.pid_exists(int(found[1])):
            entry.unlink(missing_ok=True)
