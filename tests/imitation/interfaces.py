"""Interfaces as sysfs shows them: folders of the device, attributes straight from the kernel."""

from __future__ import annotations

import errno
import os
from functools import cache, partial
from pathlib import Path

from .cards import refuse
from .links import Links
from .nodes import Directory, Entries, File, Link

NET = Path("/sys/class/net")


def net(link: int, owner: str) -> Entries:
    """``net/``: the interface under its present name, its attributes straight from the
    kernel."""
    name = Links.name(link)
    if name is None:
        return {}

    def attributes() -> Entries:
        parents = owner.split("/")
        entries = dict(kernels(link, ""))
        entries["device"] = Link(f"../../../{parents[-1]}")
        entries["subsystem"] = Link("../" * (len(parents) + 3) + "class/net")
        master = NET / name / "master"
        if master.is_symlink():
            above = "../" * (len(parents) + 2)
            entries["master"] = Link(f"{above}virtual/net/{master.readlink().name}")
        return entries

    return {name: Directory(attributes)}


@cache
def kernels(index: int, below: str) -> Entries:
    """A folder of the real sysfs without its links; an open file outlives a rename, as in sysfs.

    Looked into once: an interface's attributes stay the same, and no index comes twice.
    """

    def real(name: str) -> Path:
        interface = Links.name(index)
        if interface is None:
            raise refuse(errno.ENODEV)
        return NET / interface / below / name

    def read(name: str) -> str:
        return real(name).read_text()

    def write(name: str, text: str) -> None:
        handle = os.open(real(name), os.O_WRONLY)
        try:
            os.write(handle, text.encode())
        finally:
            os.close(handle)

    entries: Entries = {}
    for entry in os.scandir(real("")):
        if entry.is_symlink():
            continue
        if entry.is_dir():
            entries[entry.name] = Directory(partial(kernels, index, f"{below}{entry.name}/"))
            continue
        mode = entry.stat().st_mode
        entries[entry.name] = File(
            read=partial(read, entry.name) if mode & 0o444 else None,
            write=partial(write, entry.name) if mode & 0o222 else None,
        )
    return entries
