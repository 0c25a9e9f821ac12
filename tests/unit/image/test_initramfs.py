"""The names of the files in an initial RAM disk, however it is put together."""

from __future__ import annotations

import gzip
import lzma
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dpm_image import initramfs, session
from tests.unit.image.fakeroot import cpio

NAMES = ["init", "usr/lib/modules/6.1/kernel/zfcp.ko", "scripts/init-premount/dpm-ipl"]


def zstd(data: bytes) -> bytes:
    return subprocess.run(["zstd", "-qc"], input=data, check=True, capture_output=True).stdout


@pytest.mark.parametrize("compress", [bytes, gzip.compress, lzma.compress, zstd])
def test_names_are_found_in_every_compression(
    tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    if compress is zstd and not shutil.which("zstd"):
        pytest.skip("zstd is not installed")
    file = tmp_path / "initrd.img"
    file.write_bytes(compress(cpio(NAMES)))

    assert initramfs.names(file) == set(NAMES)


def test_an_archive_before_the_compressed_one_counts_too(tmp_path: Path) -> None:
    file = tmp_path / "initrd.img"
    file.write_bytes(cpio(["early"]).ljust(1024, b"\0") + gzip.compress(cpio(["late"])))

    assert initramfs.names(file) == {"early", "late"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"something else", "neither a cpio archive"),
        (cpio(["x"])[:-124], "no end"),
        (gzip.compress(cpio(["x"]))[:-4], "damaged"),
    ],
)
def test_what_is_no_initramfs_is_an_error(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "initrd.img"
    file.write_bytes(content)

    with pytest.raises(initramfs.InitramfsError, match=said):
        initramfs.names(file)


def test_an_archive_appended_for_a_boot_is_part_of_it(tmp_path: Path) -> None:
    file, overlay = tmp_path / "initrd.img", tmp_path / "overlay.cpio"
    file.write_bytes(gzip.compress(cpio(NAMES)))
    overlay.write_bytes(cpio(["usr/lib/dracut/hooks/pre-udev/01-x.sh"]))

    session._append(file, overlay)

    start = file.read_bytes().rindex(overlay.read_bytes())
    assert start % 4 == 0
