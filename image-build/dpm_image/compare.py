"""``dpm-image compare``: what differs between two images, path by path.

The same inputs (elements, agent, options, packages) give the same image, but for what :data:`NAMED`
lists with the reason; the documents show that table, and a test holds it to be all.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import stat
import sys
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from dpm_image.disk.rootfs import mounted, probe
from dpm_lab.guests.disk.apart import apart
from dpm_lab.guests.disk.rawdisk import DiskError, exported, partitions, root_partition
from dpm_lab.plain import plain

# Reasons stand below what they explain.
_UNDER = " " * 9

# The first sector, without the disk's signature and the table of partitions.
_BOOT_RECORD = slice(0, 440)

_TYPES = (
    ("file", stat.S_ISREG),
    ("folder", stat.S_ISDIR),
    ("link", stat.S_ISLNK),
    ("block device", stat.S_ISBLK),
    ("character device", stat.S_ISCHR),
    ("pipe", stat.S_ISFIFO),
    ("socket", stat.S_ISSOCK),
)


@dataclass(frozen=True)
class Entry:
    """One path of an image, or, with type ``disk``, something beside its files.

    `content` is a file's SHA-256, a link's target, a device's number; `mtime` is in nanoseconds.
    """

    type: str
    content: str
    mode: str = ""
    owner: str = ""
    attributes: str = ""
    mtime: int = 0


#: An image: what it has, by path.
Tree = Mapping[str, Entry]

#: In what two entries of one path can differ.
_FIELDS = ("type", "content", "mode", "owner", "attributes", "mtime")


@dataclass(frozen=True)
class Difference:
    """A path that is not the same in two images, and in what: fields, or ``only in`` one."""

    path: str
    kinds: tuple[str, ...]


@dataclass(frozen=True)
class Named:
    """What may differ between two builds of the same inputs, and why."""

    pattern: str
    kind: str
    reason: str


#: The only place that says it; doc/source/reproducible.rst shows it.
NAMED = (
    Named(
        "/*",
        "mtime",
        "What a build writes itself, some 220 of 16000 paths, has the time at which it was written",
    ),
    Named(
        "/boot/bootmap",
        "content",
        "zipl's list of the disk's blocks that kernel and initramfs are in; the file system "
        "places them anew in each build",
    ),
    Named("(disk) boot record", "content", "It says where the boot map is"),
    Named(
        "(disk) UUID of the file system",
        "content",
        "mkfs makes up a new one; everything finds the root file system by its label",
    ),
)


def read(image: Path) -> Tree:
    """Return what is in the qcow2 `image`, which is not written to. Needs root, for the mount.

    Raises:
        LabError: it cannot be opened.
    """
    found: dict[str, Entry] = {}
    with apart(), exported(image) as disk:
        with disk.open("rb") as stream:
            record = stream.read(512)[_BOOT_RECORD]
            found["(disk) boot record"] = Entry("disk", hashlib.sha256(record).hexdigest())
            found["(disk) partitions"] = Entry("disk", repr(partitions(stream)))
            offset = root_partition(stream, str(image)).offset
            size = stream.seek(0, os.SEEK_END)
        for name in ("TYPE", "LABEL", "UUID"):
            path = f"(disk) {name if name == 'UUID' else name.lower()} of the file system"
            found[path] = Entry("disk", probe(disk, offset, name))
        with mounted(disk, image) as root:
            try:
                return found | tree(root, size)
            except (OSError, RecursionError) as error:
                raise DiskError(f"{image}: its files cannot be read: {error}") from error


def tree(root: Path, largest: int = sys.maxsize) -> dict[str, Entry]:
    """Return what is below the folder `root`, and the folder itself as ``/``.

    Raises:
        ImageError: a file has more bytes than `largest`.
    """
    found = {"/": _entry(str(root), largest)}
    start = len(str(root))
    for folder, folders, files in os.walk(root, onerror=_unreadable):
        for name in (*folders, *files):
            path = os.path.join(folder, name)  # noqa: PTH118, 16000 times
            try:
                found[path[start:]] = _entry(path, largest)
            except DiskError as error:
                raise DiskError(f"{path[start:]}: {error}") from error
    return found


def _unreadable(error: OSError) -> None:
    raise error


def _entry(path: str, largest: int) -> Entry:
    status = os.lstat(path)
    kind = next(name for name, holds in _TYPES if holds(status.st_mode))
    content = ""
    if kind == "file":
        # One that is nothing but holes could be read for days.
        if status.st_size > largest:
            raise DiskError(f"it has {status.st_size} bytes, the whole disk {largest}")
        with open(path, "rb") as stream:  # noqa: PTH123, as above
            content = hashlib.file_digest(stream, "sha256").hexdigest()
    elif kind == "link":
        content = os.readlink(path)  # noqa: PTH115, as above
    elif kind.endswith("device"):
        content = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    return Entry(
        type=kind,
        content=content,
        mode=f"{stat.S_IMODE(status.st_mode):04o}",
        owner=f"{status.st_uid}:{status.st_gid}",
        attributes=" ".join(
            f"{name}={os.getxattr(path, name, follow_symlinks=False).hex()}"
            for name in sorted(os.listxattr(path, follow_symlinks=False))
        ),
        mtime=status.st_mtime_ns,
    )


def differences(first: Tree, second: Tree) -> list[Difference]:
    """Return all that differs, by path."""
    found = []
    for path in sorted(first.keys() | second.keys()):
        one, other = first.get(path), second.get(path)
        if one is None or other is None:
            kinds: tuple[str, ...] = (f"only in {'A' if other is None else 'B'}",)
        else:
            kinds = tuple(kind for kind in _FIELDS if getattr(one, kind) != getattr(other, kind))
        if kinds:
            found.append(Difference(path, kinds))
    return found


def unnamed(found: Iterable[Difference], table: Sequence[Named] = NAMED) -> list[Difference]:
    """Return the differences that the table does not name, without the kinds that it does."""
    left = []
    for one in found:
        kinds = tuple(kind for kind in one.kinds if _name(one.path, kind, table) is None)
        if kinds:
            left.append(Difference(one.path, kinds))
    return left


def _name(path: str, kind: str, table: Sequence[Named]) -> Named | None:
    rows = (row for row in table if row.kind == kind and fnmatchcase(path, row.pattern))
    return next(rows, None)


def shown(found: Sequence[Difference], paths: int, *, everything: bool = False) -> str:
    """Return what differs as lines: what no row of the table names, then how often each row did."""
    lines = [
        f"{', '.join(one.kinds):<12}  {plain(one.path)}"
        for one in (found if everything else unnamed(found))
    ]
    rows = (_name(one.path, kind, NAMED) for one in found for kind in one.kinds)
    counted = Counter(row for row in rows if row is not None)
    if counted:
        lines += ["", "Named in the table of what may differ:"]
        for row, count in counted.items():
            lines.append(f"{count:>6} x {row.kind} of {row.pattern}")
            lines.append(
                textwrap.fill(row.reason, 96, initial_indent=_UNDER, subsequent_indent=_UNDER)
            )
    left = len(unnamed(found))
    verdict = f"{left} of {paths} paths differ" if left else f"no other difference in {paths} paths"
    return "\n".join([*lines, "", verdict]).lstrip("\n")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``compare`` to the command's parser."""
    parser = subparsers.add_parser(
        "compare",
        help="compare two images",
        description="List the paths that differ between two images, and in what: type, content, "
        "mode, owner, attributes, mtime, or there only in A or B. Exit status 0: nothing, but for "
        "what differs between two builds of the same inputs; 1: something else.",
    )
    parser.add_argument("a", type=Path, metavar="A", help="a qcow2")
    parser.add_argument("b", type=Path, metavar="B", help="another")
    parser.add_argument(
        "--all", action="store_true", help="list also what may differ between two builds"
    )


def run(args: argparse.Namespace) -> int:
    """Compare two images and print what differs."""
    first, second = read(args.a), read(args.b)
    found = differences(first, second)
    print(shown(found, len(first.keys() | second.keys()), everything=args.all))
    return 1 if unnamed(found) else 0
