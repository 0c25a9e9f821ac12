"""Says which files of ``/boot`` the boot map on a disk loads; runs in a guest of the tests, too.

The map is read by ``bootrecord``, which comes along. What is loaded is compared as it
lies on the disk, so a map that names the blocks of a file that has gone is seen.
"""

from __future__ import annotations

import sys
from pathlib import Path

from dpm_lab.guests.disk import bootrecord

#: zipl leaves the first part of an image out, which is code for other ways to boot
#: (s390-tools, zipl/src/bootmap.c: the address of the kernel is also its place in the file).
_BEGINS = (0x10000, 0)


def loaded(device: str, boot: str = "/boot") -> list[str]:
    """Return the names of the files that are loaded from the disk `device`."""
    files = {path.name: path.read_bytes() for path in Path(boot).glob("[vi]*-*")}
    found = []
    with Path(device).open("rb") as disk:
        for component in bootrecord.components(disk):
            content = bytearray()
            for extent in component.extents:
                disk.seek(extent.block * 512)
                content += disk.read(extent.length)
            alike = [name for name in files if any(_is(files[name], content, b) for b in _BEGINS)]
            if alike:
                # A file may begin as another does: what is loaded is the whole of the longest.
                found.append(max(alike, key=lambda name: len(files[name])))
    return found


def _is(content: bytes, loaded: bytearray, begin: int) -> bool:
    wanted = content[begin:]
    return len(wanted) > 512 and loaded[: len(wanted)] == wanted


if __name__ == "__main__":
    for name in loaded(sys.argv[1]):
        print("loads", name)
