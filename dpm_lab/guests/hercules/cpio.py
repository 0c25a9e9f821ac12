"""Archives in the form that the kernel unpacks: cpio "newc" (initramfs-buffer-format.rst).

Written by ourselves, because ``cpio`` would need root for the ownership of files, and because the
kernel accepts several archives one after the other: a base that hardly changes, and a small one on
top of it.
"""

from __future__ import annotations

import stat
from typing import BinaryIO

_ALIGN = 4


class Archive:
    """Writes one archive; all files belong to root. Folders on the way are made as needed."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._inode = 0
        self._folders: set[str] = set()

    def folder(self, path: str, mode: int = 0o755) -> None:
        """Add a folder, and those that it lies in."""
        path = path.strip("/")
        if not path or path in self._folders:
            return
        self._parent(path)
        self._folders.add(path)
        self._entry(path, stat.S_IFDIR | mode)

    def file(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Add a file."""
        self._parent(path)
        self._entry(path, stat.S_IFREG | mode, data)

    def link(self, path: str, target: str) -> None:
        """Add a symbolic link."""
        self._parent(path)
        self._entry(path, stat.S_IFLNK | 0o777, target.encode())

    def character_device(self, path: str, major: int, minor: int, mode: int = 0o600) -> None:
        """Add a device node."""
        self._parent(path)
        self._entry(path, stat.S_IFCHR | mode, device=(major, minor))

    def close(self) -> None:
        """Write the end of the archive; the stream stays open."""
        self._entry("TRAILER!!!", 0)

    def _parent(self, path: str) -> None:
        self.folder(path.strip("/").rpartition("/")[0])

    def _entry(
        self, path: str, mode: int, data: bytes = b"", device: tuple[int, int] = (0, 0)
    ) -> None:
        self._inode += 1
        name = path.strip("/").encode() + b"\0"
        fields = (
            self._inode,
            mode,
            0,  # user
            0,  # group
            1,  # links
            0,  # time
            len(data),
            0,
            0,
            *device,
            len(name),
            0,  # checksum: none in this form
        )
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        self._stream.write(header + name + _padding(len(header) + len(name)))
        self._stream.write(data + _padding(len(data)))


def _padding(length: int) -> bytes:
    return b"\0" * (-length % _ALIGN)
