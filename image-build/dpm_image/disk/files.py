"""The files of an image, by their names in it: nothing that is in the image leads out of it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import BinaryIO

from dpm_image.errors import ImageError

#: As many links as the kernel follows for one name.
_LINKS = 40

#: The largest text that is read; of what an image has to have, none has a tenth of it.
_TEXT = 4 * 2**20

_LABEL = "security.selinux"

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}


class FileError(ImageError):
    """A file of an image is not one that is read."""


class Files:
    """What is below a folder that nobody changes. Names are absolute in it, and so are links."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, name: str, *, follow: bool = True) -> Path:
        """Return where `name` is, links followed inside the root; the last one with `follow`."""
        parts = _pieces(name)
        path, links = self.root, 0
        while parts:
            part = parts.pop(0)
            if part == "..":
                path = path.parent if path != self.root else path
                continue
            path = path / part
            if (parts or follow) and path.is_symlink():
                links += 1
                if links > _LINKS:
                    raise FileError(f"{name}: more than {_LINKS} links, one after the other")
                target = path.readlink()
                path = self.root if target.is_absolute() else path.parent
                parts = _pieces(target) + parts
        return path

    def status(self, name: str, *, follow: bool = True) -> os.stat_result | None:
        """Return the status of `name`, None where there is nothing."""
        try:
            return os.lstat(self.path(name, follow=follow))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def is_file(self, name: str) -> bool:
        """Whether `name` is a regular file, or a link that ends at one."""
        status = self.status(name)
        return status is not None and stat.S_ISREG(status.st_mode)

    def exists(self, name: str, *, follow: bool = True) -> bool:
        """Whether there is something of that name."""
        return self.status(name, follow=follow) is not None

    def link(self, name: str) -> str | None:
        """Return what the link `name` says, None where it is none."""
        status = self.status(name, follow=False)
        if status is None or not stat.S_ISLNK(status.st_mode):
            return None
        return str(self.path(name, follow=False).readlink())

    def label(self, name: str) -> str:
        """Return the SELinux label of `name` itself, empty where it has none."""
        try:
            label = os.getxattr(self.path(name, follow=False), _LABEL, follow_symlinks=False)
        except OSError as error:
            # None there, and a file system that can have none.
            if error.errno not in {errno.ENODATA, errno.ENOTSUP}:
                raise
            return ""
        return label.decode(errors="replace").rstrip("\0")

    def open(self, name: str, limit: int) -> BinaryIO:
        """Open a regular file that has at most `limit` bytes."""
        path = self.path(name)
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode):
            kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
            raise FileError(f"{name} is {kind}, not a file")
        if status.st_size > limit:
            raise FileError(f"{name} has {status.st_size} bytes; at most {limit} are read")
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        return open(os.open(path, flags), "rb")  # noqa: PTH123, a descriptor, the caller's

    def content(self, name: str, limit: int = _TEXT) -> bytes:
        """Return the bytes of a regular file."""
        with self.open(name, limit) as stream:
            return stream.read(limit)

    def read(self, name: str) -> str:
        """Return the text of a file, empty where there is none."""
        if not self.exists(name):
            return ""
        return self.content(name).decode(errors="replace")

    def matching(self, *patterns: str) -> list[str]:
        """Return what the patterns match, folders left out, as absolute names.

        In a pattern ``*`` stands for a part of one name, ``**`` for any folders, links to folders
        not among them. A link that is matched itself counts as what it is: what its target's name
        means is another question.
        """
        found: set[str] = set()
        for pattern in patterns:
            *folders, last = pattern.split("/")
            for folder in self._folders(folders):
                found.update(
                    f"{folder}/{entry.name}"
                    for entry in self._entries(folder)
                    if fnmatchcase(entry.name, last) and not entry.is_dir(follow_symlinks=False)
                )
        return sorted(found)

    def _folders(self, pieces: list[str]) -> list[str]:
        """Return the folders that the pieces of a pattern match."""
        found = [""]
        for piece in pieces:
            if piece == "**":
                found = [below for folder in found for below in self._below(folder)]
            elif "*" in piece:
                found = [
                    f"{folder}/{entry.name}"
                    for folder in found
                    for entry in self._entries(folder)
                    if fnmatchcase(entry.name, piece)
                ]
            else:
                found = [f"{folder}/{piece}" for folder in found]
        return found

    def _below(self, folder: str) -> Iterator[str]:
        waiting = [folder]
        while waiting:
            yield (here := waiting.pop())
            waiting += [
                f"{here}/{entry.name}"
                for entry in self._entries(here)
                if entry.is_dir(follow_symlinks=False)
            ]

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        status = self.status(folder)
        if status is None or not stat.S_ISDIR(status.st_mode):
            return []
        with os.scandir(self.path(folder)) as entries:
            return list(entries)


def _pieces(name: str | PurePath) -> list[str]:
    return [part for part in PurePath(name).parts if part != "/"]
