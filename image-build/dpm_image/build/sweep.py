"""Removes what a run of ``disk-image-create`` left: processes, mounts, loop devices, files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from dpm_image.build import mounts
from dpm_lab import signals
from dpm_lab.process import Answer, as_root, ask

#: From so much memory on, half of it may be the builds' (diskimage-builder's own limit is 4 GiB,
#: for two file systems of that size).
_TMPFS_BYTES = 8 * 2**30


@contextmanager
def workplace(folder: Path, path: str, *, tmpfs: bool) -> Iterator[Path]:
    """Yield `folder`, made anew; whatever a run leaves below it is gone afterwards.

    In it is ``tmp`` for diskimage-builder, with `tmpfs` one where there is memory for it. It is
    ours, not diskimage-builder's: that one would go with the mount namespace of a killed build, and
    nobody could tell any more whose the loop devices on its files are.
    """
    sweep(folder, path)
    try:
        (folder / "tmp").mkdir(parents=True)
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        if tmpfs and memory >= _TMPFS_BYTES:
            owner = f"mode=755,uid={os.geteuid()},gid={os.getegid()}"
            _root_command(path, "mount", "-t", "tmpfs", "-o", owner, "tmpfs", str(folder / "tmp"))
        yield folder
    finally:
        with signals.held():
            sweep(folder, path)


def sweep(folder: Path, path: str) -> None:
    """Remove `folder`: processes with their root in it, mounts, loop devices and files.

    `path` is the PATH that the build has: with it come the programs that mapped partitions.
    """
    if not folder.exists():
        return
    folder = folder.resolve()
    for process in processes_below(folder):
        _root_command(path, "kill", "-KILL", str(process))
    # Before the file systems that their files are in.
    for device in loops_below(folder, path):
        _root_command(path, "kpartx", "-d", device)
        _root_command(path, "losetup", "-d", device)
    for mount in mounts.below(folder):
        _root_command(path, "umount", "--lazy", "--no-canonicalize", "--", str(mount))
    mounts.remove(folder, path)


def processes_below(folder: Path) -> list[int]:
    """Return the processes whose root is in `folder`: those of a chroot there."""
    folder = folder.resolve()
    found = []
    for process in psutil.pids():
        # psutil knows the folder that a process works in, not its root.
        with suppress(OSError):
            if Path(f"/proc/{process}/root").readlink().is_relative_to(folder):
                found.append(process)
    return found


def loops_below(folder: Path, path: str) -> list[str]:
    """Return the loop devices on files in `folder`, whole disks first."""
    # By inode, not by name: once the mount namespace of a killed build is gone, the kernel's name
    # for the file begins at the root of its file system, wherever that is mounted.
    command = ["losetup", "--json", "--list", "--output", "NAME,BACK-MAJ:MIN,BACK-INO,OFFSET"]
    answer = _root_command(path, *command)
    if not answer.output.strip():
        return []
    files = set(_files(folder))
    below = [
        device
        for device in json.loads(answer.output)["loopdevices"]
        # Nothing is known of one that another build has let go of since it was listed.
        if ((device["back-maj:min"] or "").strip(), str(device["back-ino"])) in files
    ]
    # Whole disks first: their partitions are unmapped with them.
    below.sort(key=lambda device: int(device["offset"] or 0))
    return [device["name"] for device in below]


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                found = Path(place, name).lstat()
            except FileNotFoundError:
                continue
            device = f"{os.major(found.st_dev)}:{os.minor(found.st_dev)}"
            yield device, str(found.st_ino)


def _root_command(path: str, *command: str) -> Answer:
    # Whether it helped is seen from what is left.
    return ask(as_root(command), path=path)
