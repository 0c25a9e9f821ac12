"""Small disks in qcow2 files: a partition with a file system that is made of a folder."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

#: The label of the root file system; elements/zipl-dpm has the kernel look for it.
LABEL = "cloudimg-rootfs"

_MIB = 2**20
_SECTORS = _MIB // 512


def disk(root: Path, image: Path, *, mib: int = 48) -> Path:
    """Make the qcow2 `image`, whose root file system has what is below `root`."""
    raw = image.with_suffix(".raw")
    with raw.open("wb") as file:
        file.truncate((mib + 1) * _MIB)
    command = ["mkfs.ext4", "-q", "-F", "-L", LABEL, "-E", f"offset={_MIB}", "-d", str(root)]
    subprocess.run([*command, str(raw), f"{mib}M"], check=True)
    with raw.open("r+b") as file:
        file.seek(446)
        file.write(struct.pack("<4xB3xII", 0x83, _SECTORS, mib * _SECTORS))
        file.seek(510)
        file.write(b"\x55\xaa")
    convert = ["qemu-img", "convert", "-q", "-c", "-O", "qcow2", "-o", "compression_type=zstd"]
    subprocess.run([*convert, str(raw), str(image)], check=True)
    raw.unlink()
    return image


def create(image: Path, *options: str, size: str = "1M") -> Path:
    """Make an empty qcow2 with options of ``qemu-img create``."""
    command = ["qemu-img", "create", "-q", "-f", "qcow2", *options, str(image)]
    subprocess.run([*command, *([size] if size else [])], check=True, stdout=subprocess.DEVNULL)
    return image


def poke(image: Path, offset: int, data: bytes) -> Path:
    """Overwrite bytes of a file."""
    with image.open("r+b") as file:
        file.seek(offset)
        file.write(data)
    return image
