"""The kernel's table of mounts, and a removal that reaches through none of them."""

from __future__ import annotations

import os
import re
from pathlib import Path

from dpm_image.errors import ImageError
from dpm_lab.process import as_root, ask

TABLE = Path("/proc/self/mountinfo")

#: How the kernel writes blank, tab, newline and backslash in a path (fs/proc_namespace.c: mangle).
_ESCAPED = re.compile(rb"\\([0-7]{3})")

# In a mount namespace of its own, on a second mount of the folder. A bind mount is not recursive:
# whatever is mounted below the folder does not exist there, so that nothing in it can be reached.
# `rm --one-file-system` is not enough: it compares device numbers, and a folder of the same file
# system, bind-mounted, has the same one.
_REMOVE = """
cd -- "$1" && mount --no-canonicalize --bind . "$1" && cd -- "$1" &&
exec find . -xdev -mindepth 1 -delete
"""


class RemoveError(ImageError):
    """A folder cannot be removed without doing harm."""


def below(folder: Path, table: Path = TABLE) -> list[Path]:
    """Return the mount points at and below `folder`, innermost first."""
    top = folder.resolve()  # the table has no links in its paths
    found = []
    # Bytes, and the kernel's own separators: a name may contain whatever Unicode takes for a blank
    # or for the end of a line.
    for line in table.read_bytes().split(b"\n"):
        words = line.split(b" ")
        if len(words) > 4:
            target = Path(os.fsdecode(_ESCAPED.sub(_byte, words[4])))
            if target.is_relative_to(top):
                found.append(target)
    return sorted(found, key=lambda path: len(path.parts), reverse=True)


def _byte(escaped: re.Match[bytes]) -> bytes:
    return bytes([int(escaped[1], 8)])


def remove(folder: Path, path: str) -> None:
    """Remove `folder` and all below it, as root; `path` is the PATH for the commands.

    Raises:
        RemoveError: something is mounted there, or something cannot be removed.
    """
    if not folder.exists():
        return
    folder = folder.resolve()
    if left := below(folder):
        raise RemoveError(
            f"{folder} is not removed, because something is mounted there: "
            f"{', '.join(map(str, left))}; unmount it and try again"
        )
    command = ["unshare", "--mount", "--", "sh", "-c", _REMOVE, "sh", str(folder)]
    answer = ask(as_root(command), path=path)
    if answer.code:
        raise RemoveError(f"{folder} cannot be removed: {answer.errors}")
    folder.rmdir()
