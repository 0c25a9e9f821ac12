"""A qcow2 image seen as a plain file of sectors: no copy, no network block device.

``qemu-storage-daemon`` exports the image over FUSE: what is read is decompressed on the way, what
is written (only where asked for) goes into the image. A raw copy would cost the image's size and
some seconds every time, and ``qemu-nbd`` a kernel module that many machines do not have.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dpm_lab.errors import LabError
from dpm_lab.guests.disk import qcow2
from dpm_lab.guests.disk.apart import dying_with_us
from dpm_lab.process import run

SECTOR = 512

#: The export appears within milliseconds; a very busy machine may need some seconds.
EXPORT_SECONDS = 60.0

#: How often, one second apart, it is asked to end before it is made to.
_ASKED_TO_END = 10

_MBR_SIGNATURE = b"\x55\xaa"
_MBR_TABLE = 446
_LINUX = 0x83


@dataclass(frozen=True)
class Partition:
    """One primary partition: where it begins and how long it is, in bytes."""

    number: int
    offset: int
    size: int
    kind: int


class DiskError(LabError):
    """An image cannot be opened as a disk, or its content is not what a disk's should be."""


@contextmanager
def exported(image: Path, *, writable: bool = False, backing: Path | None = None) -> Iterator[Path]:
    """Yield a file that reads (and writes, where asked for) like the disk in the qcow2 `image`.

    It is one file, or an overlay on `backing`: nothing else is opened, whatever its header says.
    """
    files = (image,) if backing is None else (image, backing)
    with exported_chain(files, writable=writable) as raw:
        yield raw


@contextmanager
def exported_chain(files: Sequence[Path], *, writable: bool = False) -> Iterator[Path]:
    """Do the same for a qcow2 that stands on others, named from the top down."""
    qcow2.check_chain(files)
    image = files[0]
    with tempfile.TemporaryDirectory(prefix="dpm-image-") as folder:
        raw = Path(folder, "disk.raw")
        raw.touch()
        log = Path(folder, "log")
        with log.open("wb") as sink:
            daemon = subprocess.Popen(
                dying_with_us(_export_command(files, raw, writable=writable)),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                # Ctrl-C reaches the whole foreground group; the daemon is ended by us, below.
                start_new_session=True,
            )
        try:
            _wait_for_export(daemon, raw, image, log)
            yield raw
        finally:
            _end(daemon)
            _unmount_if_there(raw)


def _end(daemon: subprocess.Popen[bytes]) -> None:
    # It looks whether it shall end, then waits for events: a signal in between wakes nobody (seen
    # with QEMU 7.2). The next one does.
    for _ in range(_ASKED_TO_END):
        daemon.terminate()
        try:
            daemon.wait(1.0)
        except subprocess.TimeoutExpired:
            continue
        return
    daemon.kill()
    daemon.wait()


def _unmount_if_there(raw: Path) -> None:
    # A daemon that was killed leaves its mount, and what is below a mount cannot be removed.
    if _mounted(raw):
        command = ["umount", "--lazy"] if os.geteuid() == 0 else ["fusermount3", "-u", "-z"]
        run([*command, raw])


def _mounted(raw: Path) -> bool:
    # The export is a mount on the file itself, another device than that of its folder.
    try:
        return raw.stat().st_dev != raw.parent.stat().st_dev
    except OSError:
        return True


def _export_command(files: Sequence[Path], raw: Path, *, writable: bool) -> list[str]:
    node = {"node-name": "disk", **qcow2.chain(files, writable=writable)}
    return [
        "qemu-storage-daemon",
        *("--blockdev", json.dumps(node)),
        "--export",
        "type=fuse,id=export,node-name=disk,allow-other=off,"
        f"mountpoint={raw},writable={'on' if writable else 'off'}",
    ]


def _wait_for_export(daemon: subprocess.Popen[bytes], raw: Path, image: Path, log: Path) -> None:
    deadline = time.monotonic() + EXPORT_SECONDS
    while not _mounted(raw):
        if daemon.poll() is not None or time.monotonic() > deadline:
            reason = log.read_text(errors="replace").strip() or "it did not say why"
            raise DiskError(
                f"{image}: qemu-storage-daemon cannot export it: {reason}. "
                "It has to be a qcow2 that nothing else writes to, and /dev/fuse has to be there"
            )
        time.sleep(0.02)


def partitions(disk: BinaryIO) -> tuple[Partition, ...]:
    """Return the primary partitions in the master boot record of `disk`."""
    disk.seek(0)
    record = disk.read(SECTOR)
    if record[510:512] != _MBR_SIGNATURE:
        return ()
    found = []
    for number in range(4):
        start = _MBR_TABLE + 16 * number
        kind = record[start + 4]
        first, count = struct.unpack_from("<II", record, start + 8)
        if kind and count:
            found.append(Partition(number + 1, first * SECTOR, count * SECTOR, kind))
    return tuple(found)


def root_partition(disk: BinaryIO, name: str) -> Partition:
    """Return the partition that the root file system of one of our images is in."""
    linux = [partition for partition in partitions(disk) if partition.kind == _LINUX]
    if not linux:
        raise DiskError(
            f"{name}: no Linux partition in the master boot record; "
            "images for DPM partitions are built with diskimage-builder's block-device-mbr"
        )
    return max(linux, key=lambda partition: partition.size)
