"""The names of the files in an initial RAM disk, however it is put together."""

from __future__ import annotations

import gzip
import lzma
import shutil
import subprocess
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from dpm_image.verify import initramfs
from tests.image.kernels import append_archive
from tests.unit.dpm_image.fakeroot import cpio

NAMES = ["init", "usr/lib/modules/6.1/kernel/zfcp.ko", "scripts/init-premount/dpm-ipl"]


def names(file: Path) -> frozenset[str]:
    with file.open("rb") as stream:
        return initramfs.names(stream, file.name)


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

    assert names(file) == set(NAMES)


def test_an_archive_before_the_compressed_one_counts_too(tmp_path: Path) -> None:
    file = tmp_path / "initrd.img"
    file.write_bytes(cpio(["early"]).ljust(1024, b"\0") + gzip.compress(cpio(["late"])))

    assert names(file) == {"early", "late"}


def entry(*, size: bytes = b"0" * 8, length: bytes = b"00000002") -> bytes:
    """An entry "x" of an archive, with these two fields of its header."""
    return b"070701" + b"0" * 48 + size + b"0" * 32 + length + b"0" * 8 + b"x\0"


@pytest.mark.parametrize("compress", [bytes, gzip.compress, lzma.compress, zstd])
def test_one_that_grows_without_end_is_refused_and_takes_no_memory(
    tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    file = tmp_path / "initrd.img"
    mib = 2**20
    file.write_bytes(compress(entry(size=b"7fffffff").ljust(64 * mib, b"\0")))

    tracemalloc.start()
    try:
        with (
            file.open("rb") as stream,
            pytest.raises(initramfs.InitramfsError, match="more than 16 MiB in it"),
        ):
            initramfs.names(stream, "initrd.img", 16 * mib)
        assert tracemalloc.get_traced_memory()[1] < 16 * mib
    finally:
        tracemalloc.stop()


def test_members_one_after_the_other_are_one_archive(tmp_path: Path) -> None:
    whole = cpio(NAMES)
    for compress in (gzip.compress, lzma.compress, zstd):
        file = tmp_path / compress.__module__
        file.write_bytes(compress(whole[:100]) + compress(whole[100:]))

        assert names(file) == set(NAMES)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (entry(size=b"no hex!!"), "damaged: non-hexadecimal"),
        (entry(size=b"-0000001"), "damaged: non-hexadecimal"),
        (entry(length=b"00000000"), "a name of 0 bytes"),
        (entry(length=b"7fffffff"), "a name of 2147483647 bytes"),
        (entry(size=b"00001000"), "damaged: it ends too early"),
        (zstd(cpio(["x"]))[:-4], "damaged"),
        (lzma.compress(cpio(["x"]))[:-4], "damaged"),
        (b"something else", "neither a cpio archive"),
        (cpio(["x"])[:-124], "no end"),
        (gzip.compress(cpio(["x"]))[:-4], "damaged"),
    ],
)
def test_what_is_no_initramfs_is_an_error(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "initrd.img"
    file.write_bytes(content)

    with pytest.raises(initramfs.InitramfsError, match=said):
        names(file)


def test_an_archive_appended_for_a_boot_is_part_of_it(tmp_path: Path) -> None:
    file, overlay = tmp_path / "initrd.img", tmp_path / "overlay.cpio"
    file.write_bytes(gzip.compress(cpio(NAMES)))
    overlay.write_bytes(cpio(["usr/lib/dracut/hooks/pre-udev/01-x.sh"]))

    append_archive(file, overlay)

    start = file.read_bytes().rindex(overlay.read_bytes())
    assert start % 4 == 0
