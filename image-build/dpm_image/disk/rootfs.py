"""The root file system of an image, mounted read-only, so that one can look without touching."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dpm_lab.guests.disk.rawdisk import DiskError, root_partition
from dpm_lab.process import ask, run

#: What is mounted. The kernel and mount(8) know more file systems, whose code nobody needs to meet.
#: The driver for ext4 reads all of them but XFS.
_DRIVERS = {"ext2": "ext4", "ext3": "ext4", "ext4": "ext4", "xfs": "xfs"}

#: Nothing is written, not even the journal's replay: the image may be somebody's original. Nothing
#: of it is a device, a program, or a link that the kernel follows.
_OPTIONS = "loop,ro,norecovery,nodev,nosuid,noexec,nosymfollow"

#: An ext4 can ask the kernel to panic when it finds damage; what is said here comes first.
_OPTIONS_OF = {"ext4": ",errors=continue", "xfs": ""}


@contextmanager
def mounted(raw: Path, image: Path) -> Iterator[Path]:
    """Yield the folder where the root file system of a disk is mounted, read-only.

    `raw` is the disk, as ``rawdisk.exported`` yields it, `image` the name in errors.
    To be used in :func:`dpm_lab.guests.disk.apart.apart`, so that nothing is left whatever happens.
    """
    if os.geteuid() != 0:
        raise DiskError(f"{image}: mounting its file system takes root; try again with sudo")
    with raw.open("rb") as disk:
        offset = root_partition(disk, str(image)).offset
    kind = probe(raw, offset, "TYPE")
    if kind not in _DRIVERS:
        raise DiskError(
            f"{image}: the file system at byte {offset} is {kind or 'none that blkid knows'}; "
            f"those of images are {', '.join(_DRIVERS)}"
        )
    with tempfile.TemporaryDirectory(prefix="dpm-image-") as folder:
        # The kernel may have no parser for partition tables, so the offset is given, not the
        # partition. No helper of mount(8): programs in /sbin that are called by a file system.
        driver = _DRIVERS[kind]
        options = f"{_OPTIONS},offset={offset}{_OPTIONS_OF[driver]}"
        answer = ask(["mount", "-i", "-t", driver, "-o", options, str(raw), folder])
        if answer.code:
            raise DiskError(
                f"{image}: the file system at byte {offset} cannot be mounted: {answer.errors}"
            )
        try:
            yield Path(folder)
        finally:
            run(["umount", folder])


def probe(raw: Path, offset: int, tag: str) -> str:
    """Return what blkid says of the file system at `offset`, empty where it says nothing."""
    command = ["blkid", "-p", "-O", str(offset), "-o", "value", "-s", tag, str(raw)]
    return ask(command).output.strip()
