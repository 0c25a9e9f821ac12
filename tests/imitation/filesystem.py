"""The FUSE side of the tree: sysfs's way of opening, reading and writing, and the journal of
writes."""

from __future__ import annotations

import errno
import os
import stat
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass

import mfusepy

from .cards import Write, refuse
from .nodes import Directory, File, Link
from .tree import Tree

# mfusepy wraps no such call; both libfuse 2 and 3 have it.
_interrupted = mfusepy._libfuse.fuse_interrupted


def interrupted() -> bool:
    """Whether whoever waits for the answer to this request got a signal."""
    return bool(_interrupted())


@dataclass
class _Open:
    path: str
    file: File
    content: bytes = b""


class Filesystem(mfusepy.Operations):  # type: ignore[misc]
    """All state is in the tree; nothing is cached, so that every read and write reaches it."""

    use_ns = True

    def __init__(self, tree: Tree, looked_at: Callable[[], None]) -> None:
        self._tree = tree
        self._looked_at = looked_at
        self._lock = threading.Lock()
        self._open: dict[int, _Open] = {}
        self._next = 0
        self.journal: list[Write] = []
        self.writing: list[str] = []
        self.broken: list[str] = []

    def getattr(self, path: str, fh: int | None = None) -> dict[str, int]:
        node = self._tree.find(path)
        if isinstance(node, Directory):
            return {"st_mode": stat.S_IFDIR | 0o755, "st_nlink": 2, "st_size": 0}
        if isinstance(node, Link):
            return {"st_mode": stat.S_IFLNK | 0o777, "st_nlink": 1, "st_size": len(node.target)}
        return {"st_mode": stat.S_IFREG | node.mode, "st_nlink": 1, "st_size": 4096}

    def readdir(self, path: str, fh: int) -> list[str]:
        self._seen()
        node = self._tree.find(path)
        if not isinstance(node, Directory):
            raise refuse(errno.ENOTDIR)
        return [".", "..", *node.entries()]

    def readlink(self, path: str) -> str:
        node = self._tree.find(path)
        if not isinstance(node, Link):
            raise refuse(errno.EINVAL)
        return node.target

    def create(self, path: str, mode: int, fi: object = None) -> int:
        """sysfs has no files but its own."""
        raise refuse(errno.EACCES)

    def open(self, path: str, flags: int) -> int:
        """Root too is refused what the attribute has no function for (fs/kernfs/file.c)."""
        self._seen()
        node = self._tree.find(path)
        if not isinstance(node, File):
            raise refuse(errno.EISDIR)
        access = flags & os.O_ACCMODE
        if (access != os.O_WRONLY and not node.read) or (access != os.O_RDONLY and not node.write):
            raise refuse(errno.EACCES)
        with self._lock:
            self._next += 1
            self._open[self._next] = _Open(path, node)
            return self._next

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        opened = self._open[fh]
        if offset == 0 and opened.file.read is not None:
            opened.content = opened.file.read().encode()
        return opened.content[offset : offset + size]

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        opened = self._open[fh]
        assert opened.file.write is not None
        result = 0
        # A process outside of the machine, such as the test, has no number in here.
        inside = mfusepy.fuse_get_context()[2] != 0
        self.writing.append(opened.path)
        try:
            opened.file.write(data.decode())
        except OSError as error:
            result = error.errno or errno.EIO
            raise
        except Exception:
            # mfusepy answers EINVAL to a bug of ours, which must not pass for the kernel's.
            self.broken.append(traceback.format_exc())
            raise
        finally:
            self.writing.remove(opened.path)
            if inside:
                self.journal.append(Write(opened.path, data.decode().rstrip("\n"), result))
        return len(data)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        return 0

    def release(self, path: str, fh: int) -> int:
        with self._lock:
            self._open.pop(fh, None)
        return 0

    def _seen(self) -> None:
        if mfusepy.fuse_get_context()[2] != 0:
            self._looked_at()


def serve(filesystem: Filesystem, mountpoint: str) -> None:
    """Mounts and answers until the mount goes; each request in a thread of its own."""
    mfusepy.FUSE(
        filesystem,
        mountpoint,
        foreground=True,
        direct_io=True,
        # sysfs is open to all users, as far as each file's mode goes.
        allow_other=True,
        default_permissions=True,
        entry_timeout=0,
        negative_timeout=0,
        attr_timeout=0,
        ac_attr_timeout=0,
        fsname="imitation",
    )
