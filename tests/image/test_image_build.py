"""A real image: built (or from the cache), verified, and refused once it is spoilt."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import dpm_lab.cache
from dpm_image.__main__ import main
from dpm_image.build.build import build
from dpm_image.build.sweep import processes_below
from dpm_image.verify import verify
from dpm_lab.guests.disk import rawdisk
from tests.running import loop_files, mounts


@pytest.fixture(scope="module")
def image() -> Path:
    """The Debian image as it comes."""
    return build()


@contextmanager
def changed(image: Path) -> Iterator[Path]:
    """Yield the root of `image`, to be written to."""
    with rawdisk.exported(image, writable=True) as raw:
        with raw.open("rb") as disk:
            offset = rawdisk.root_partition(disk, str(image)).offset
        folder = raw.parent / "root"
        folder.mkdir()
        subprocess.run(["mount", "-o", f"loop,offset={offset}", raw, folder], check=True)
        try:
            yield folder
        finally:
            subprocess.run(["umount", folder], check=True)
            folder.rmdir()


def wrong(image: Path) -> dict[str, str]:
    """Return what verify finds wrong, by check."""
    return {one.name: one.found for one in verify.verify(image) if not one.right}


def test_the_image_is_right(image: Path) -> None:
    assert wrong(image) == {}


def test_verify_prints_the_table_and_succeeds(
    image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["verify", str(image)])

    text = capsys.readouterr().out
    assert status == 0
    assert re.search(r"^boot map +ok +zIPL", text, re.MULTILINE)
    assert re.search(r"^Python imports +ok +Python 3\.\d+, pyudev", text, re.MULTILINE)
    assert text.endswith("nothing wrong\n")


def test_verify_changes_nothing(image: Path) -> None:
    before = (image.stat().st_mtime_ns, image.stat().st_size)

    verify.verify(image)

    assert (image.stat().st_mtime_ns, image.stat().st_size) == before


def test_a_second_build_runs_nothing_and_is_the_same(
    image: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    made = image.stat()

    again = build()

    assert again == image
    assert again.stat().st_ino == made.st_ino
    assert "nothing has changed" in capfd.readouterr().err


def test_a_build_leaves_no_mount_and_no_loop_device(image: Path) -> None:
    assert image.exists()
    cache = str(dpm_lab.cache.folder())

    assert not [line for line in (*mounts(), *loop_files()) if cache in line]


def test_a_spoilt_image_is_refused_and_each_fault_is_named(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoilt = tmp_path / "spoilt.qcow2"
    shutil.copyfile(image, spoilt)
    with changed(spoilt) as root:
        (root / "etc/ssh/ssh_host_rsa_key").write_text("a key\n")
        (root / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
        (root / "usr/lib/dpm-guest/dpm_guest/bootparams.py").write_text("import nothing_at_all\n")
        (root / "usr/lib/python3/dist-packages/pyudev/__init__.py").unlink()
        (root / "etc/systemd/system/sysinit.target.wants/dpm-guest.service").unlink()
        config = root / "etc/zipl.conf"
        config.write_text(
            config.read_text().replace("root=LABEL=cloudimg-rootfs", "root=/dev/vda1")
        )

    status = main(["verify", str(spoilt)])

    text = capsys.readouterr().out
    refused = set(re.findall(r"^(\S.*?) +WRONG ", text, re.MULTILINE))
    assert status == 1
    assert refused == {
        "SSH host keys",
        "machine-id",
        "agent",
        "agent's unit",
        "Python imports",
        "boot map",
        "kernel parameters",
    }


def test_an_image_without_boot_map_is_refused(image: Path, tmp_path: Path) -> None:
    spoilt = tmp_path / "spoilt.qcow2"
    shutil.copyfile(image, spoilt)
    with rawdisk.exported(spoilt, writable=True) as raw, raw.open("r+b") as disk:
        disk.write(b"\0" * 440)

    assert "does not begin with zIPL" in wrong(spoilt)["boot map"]


def test_what_is_no_qcow2_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "image.raw"
    file.write_bytes(b"\0" * 2**20)

    assert main(["verify", str(file)]) == 1
    assert "not qcow2" in capsys.readouterr().err


def test_usage_is_status_2() -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["verify"])

    assert stopped.value.code == 2


def test_an_interrupted_build_leaves_nothing(image: Path, tmp_path: Path) -> None:
    assert image.exists()
    # A cache of its own, but for the base system, which is there for sure once the image is.
    cache = tmp_path / "nova-dpm"
    cache.mkdir()
    (cache / "base").symlink_to(dpm_lab.cache.folder() / "base")
    words = tmp_path / "said"
    with words.open("wb") as sink:
        building = subprocess.Popen(
            [sys.executable, "-m", "dpm_image", "build"],
            env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
            stdout=sink,
            stderr=sink,
        )
    try:
        # By then /proc, /dev and /sys are mounted for the build, and programs run in the chroot.
        while "before the packages" not in words.read_text():
            assert building.poll() is None, words.read_text()
            time.sleep(0.5)
    finally:
        building.send_signal(signal.SIGINT)
        status = building.wait()

    assert status == 130, words.read_text()
    assert "interrupted" in words.read_text()
    assert not [line for line in (*mounts(), *loop_files()) if str(tmp_path) in line]
    assert processes_below(tmp_path) == []
    assert sorted(path.name for path in cache.iterdir()) == ["base", "images", "lock"]
    assert list((cache / "images").glob("*.qcow2")) == []
