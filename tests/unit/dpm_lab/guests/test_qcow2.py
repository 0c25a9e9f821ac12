"""An image that names another file, or a host, is known by its header, before QEMU opens it."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from dpm_lab.guests.disk import qcow2
from dpm_lab.guests.disk.qcow2 import NotSelfContainedError, Qcow2Error
from dpm_lab.guests.disk.rawdisk import DiskError, exported
from dpm_lab.guests.qemu.prepare import append_to_disk
from tests.unit.dpm_lab.guests.disks import create, poke

Make = Callable[[Path], Path]

HEADER = 104


def image(folder: Path) -> Path:
    return folder / "image.qcow2"


def on_file(folder: Path) -> Path:
    (folder / "secret.raw").write_bytes(b"secret".ljust(2**20, b"\0"))
    return create(image(folder), "-b", str(folder / "secret.raw"), "-F", "raw", size="")


def on_host(folder: Path) -> Path:
    # -u: qemu-img asks nobody.
    other = 'json:{"driver": "nbd", "host": "127.0.0.1", "port": "1"}'
    return create(image(folder), "-u", "-b", other, "-F", "raw")


def with_data_file(folder: Path) -> Path:
    return create(image(folder), "-o", f"data_file={folder / 'data.raw'},data_file_raw=on")


def encrypted(folder: Path) -> Path:
    """An image that says it has LUKS; for a true one, qemu-img needs a machine that is not busy."""
    return poke(create(image(folder)), 32, struct.pack(">I", 2))


def extended(folder: Path, magic: int, size: int = 8) -> Path:
    """An image whose header has one extension of its own, and no more."""
    made = create(image(folder))
    return poke(made, HEADER + 8, struct.pack(">II8xQ", magic, size, 0))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (on_file, "it has a backing file, /"),
        (on_host, 'it has a backing file, json:{"driver": "nbd"'),
        (with_data_file, "its data are in another file"),
        (encrypted, "it is encrypted"),
        (lambda folder: extended(folder, 0x44415441), "it names an external data file"),
        (lambda folder: extended(folder, 0x0537BE77), "it is encrypted"),
        (
            lambda folder: poke(create(image(folder)), 72, struct.pack(">Q", 1 << 5)),
            r"features that are unknown here \(0x20\)",
        ),
    ],
    ids=["file", "host", "data file", "LUKS", "data file's name", "LUKS header", "unknown"],
)
def test_an_image_that_is_not_all_in_its_file_is_refused(
    tmp_path: Path, make: Make, said: str
) -> None:
    with pytest.raises(NotSelfContainedError, match=said):
        qcow2.check(make(tmp_path))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: poke(create(image(folder)), 0, b"QED\0"), "does not begin like one"),
        (lambda folder: poke(create(image(folder)), 4, struct.pack(">I", 1)), "version 1"),
        (lambda folder: poke(create(image(folder)), 4, struct.pack(">I", 4)), "version 4"),
        (lambda folder: poke(create(image(folder)), 20, struct.pack(">I", 63)), r"2\^63"),
        (lambda folder: poke(create(image(folder)), 100, struct.pack(">I", 2**31)), "header of"),
        (lambda folder: poke(create(image(folder)), 100, struct.pack(">I", 8)), "header of 8"),
        (lambda folder: poke(on_file(folder), 16, struct.pack(">I", 2**20)), "backing file is not"),
        (lambda folder: extended(folder, 0x1234, size=2**30), "an extension of"),
        (lambda folder: poke(folder / "short", 0, b"QFI\xfb\0\0\0\3"), "not qcow2"),
    ],
    ids=[
        *("other format", "version 1", "version 4", "clusters", "long header", "short header"),
        *("backing file", "extension", "short file"),
    ],
)
def test_what_is_no_qcow2_that_is_known_is_refused(tmp_path: Path, make: Make, said: str) -> None:
    (tmp_path / "short").touch()

    with pytest.raises(Qcow2Error, match=said):
        qcow2.check(make(tmp_path))


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("-o", "compat=0.10"),
        ("-o", "compression_type=zstd"),
        ("-o", "extended_l2=on"),
        ("-o", "cluster_size=512"),
        ("-o", "lazy_refcounts=on"),
    ],
)
def test_every_image_that_is_one_file_is_taken(tmp_path: Path, options: tuple[str, ...]) -> None:
    made = create(image(tmp_path), *options)

    qcow2.check(made)
    with exported(made) as raw:
        assert raw.stat().st_size == 2**20


def test_an_overlay_is_taken_on_its_own_image_only(tmp_path: Path) -> None:
    base, other = create(tmp_path / "base.qcow2"), create(tmp_path / "other.qcow2")
    overlay = create(tmp_path / "over.qcow2", "-b", str(base), "-F", "qcow2", size="")

    qcow2.check(overlay, backing=base)
    with exported(overlay, backing=base) as raw:
        assert raw.stat().st_size == 2**20
    with pytest.raises(NotSelfContainedError, match=r"base\.qcow2, not .*other\.qcow2"):
        qcow2.check(overlay, backing=other)
    with pytest.raises(NotSelfContainedError, match=r"none, not .*base\.qcow2"):
        qcow2.check(other, backing=base)


def test_an_overlay_on_an_image_that_is_one_itself_is_refused(tmp_path: Path) -> None:
    base = on_file(tmp_path)
    overlay = create(tmp_path / "over.qcow2", "-b", str(base), "-F", "qcow2", size="")

    with (
        pytest.raises(NotSelfContainedError, match=r"secret\.raw"),
        exported(overlay, backing=base),
    ):
        pass
    with pytest.raises(NotSelfContainedError, match=r"secret\.raw"):
        append_to_disk(overlay, base, "0001,0;")


def test_what_is_no_file_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(Qcow2Error, match="pipe: no such image"):
        qcow2.check(tmp_path / "pipe")
    with pytest.raises(Qcow2Error, match="pipe: not a file"):
        qcow2.read(tmp_path / "pipe")


def test_an_image_that_qemu_itself_refuses_is_an_error(tmp_path: Path) -> None:
    # A table of clusters beyond all bounds: right to us, and QEMU's own business.
    made = poke(create(image(tmp_path)), 36, struct.pack(">I", 2**31))

    with pytest.raises(DiskError, match="qemu-storage-daemon cannot export it"), exported(made):
        pass
