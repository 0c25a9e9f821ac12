"""The kernel modules of the small guest: those that are named, and what they depend on."""

from __future__ import annotations

import lzma
import re
import tarfile
import tempfile
from pathlib import Path

from dpm_lab.guests.hercules.cpio import Archive
from dpm_lab.process import run

_MODULE = re.compile(r"usr/lib/modules/[^/]+/kernel/.*/([^/]+)\.ko(\.xz)?$")
_LIST = re.compile(r"usr/lib/modules/[^/]+/modules\.(order|builtin|builtin\.modinfo)$")
_FOLDER = "usr/lib/modules"


def add(archive: Archive, packed: tarfile.TarFile, names: tuple[str, ...]) -> None:
    """Add modules to an archive, unpacked, with the index that modprobe wants.

    Args:
        packed: the packages' files
        names: the modules' names; one that is built into the kernel is none
    """
    with tempfile.TemporaryDirectory(prefix="dpm-lab-") as temporary:
        # depmod looks below lib/, where Debian 12's packages and its own place are.
        root = Path(temporary, "lib/modules")
        for path, data in _wanted(packed, names).items():
            target = root / Path(path).relative_to(_FOLDER)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        (release,) = root.iterdir()
        run(["depmod", "-b", temporary, release.name], "is kmod installed?")
        for file in sorted(root.rglob("*")):
            if file.is_file():
                archive.file(f"{_FOLDER}/{file.relative_to(root)}", file.read_bytes())


def _wanted(packed: tarfile.TarFile, names: tuple[str, ...]) -> dict[str, bytes]:
    """The files that are wanted, by path, modules by the ``depends=`` that each one carries."""
    members: dict[str, tarfile.TarInfo] = {}
    found: dict[str, bytes] = {}
    for member in packed:
        path = member.name.removeprefix("./")
        match = _MODULE.match(path)
        if match and member.isreg():
            members[match[1].replace("-", "_")] = member
        elif _LIST.match(path):
            found[path] = _data(packed, member)
    wanted, seen = list(names), set[str]()
    while wanted:
        name = wanted.pop()
        if name in seen or name not in members:
            continue
        seen.add(name)
        data = _data(packed, members[name])
        path = members[name].name.removeprefix("./")
        if path.endswith(".xz"):  # trixie; unpacking is slow in emulation
            path, data = path.removesuffix(".xz"), lzma.decompress(data)
        found[path] = data
        depends = re.search(rb"\0depends=([^\0]*)\0", data)
        wanted += depends[1].decode().split(",") if depends and depends[1] else []
    return found


def _data(packed: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = packed.extractfile(member)
    return stream.read() if stream is not None else b""
