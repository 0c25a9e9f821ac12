"""The root file system of an image, mounted read-only, so that one can look without touching."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dpm_image.rawdisk import DiskError, exported, root_partition


@contextmanager
def mounted(image: Path) -> Iterator[Path]:
    """Yield the folder where the root file system of the qcow2 `image` is mounted, read-only.

    Nothing is written, not even the journal's replay: the image may be somebody's original.
    """
    if os.geteuid() != 0:
        raise DiskError(f"{image}: mounting its file system takes root; try again with sudo")
    with exported(image) as raw, tempfile.TemporaryDirectory(prefix="dpm-image-") as folder:
        with raw.open("rb") as disk:
            partition = root_partition(disk, str(image))
        _mount(image, raw, partition.offset, folder)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


def _mount(image: Path, raw: Path, offset: int, folder: str) -> None:
    # The kernel may have no parser for partition tables, so the offset is given, not the partition.
    base = f"loop,ro,offset={offset}"
    answer = subprocess.CompletedProcess[str]([], 1)
    # Skipping the journal is spelled differently: noload is ext4's, norecovery is XFS's and ext4's.
    # ext2 knows neither, and needs neither.
    for options in (f"{base},norecovery", base):
        answer = subprocess.run(
            ["mount", "-o", options, str(raw), folder],
            check=False,
            text=True,
            capture_output=True,
        )
        if answer.returncode == 0:
            return
    raise DiskError(
        f"{image}: the file system at byte {offset} cannot be mounted: {answer.stderr.strip()}"
    )
