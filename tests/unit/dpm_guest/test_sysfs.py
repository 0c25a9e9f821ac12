"""Reading the trees, where a plain folder is enough."""

from __future__ import annotations

from pathlib import Path

import pytest

from dpm_guest import sysfs
from dpm_guest.ids import CcwId
from dpm_guest.sysfs import Sysfs


@pytest.mark.parametrize(
    ("devno", "ignored"),
    [
        ("05ff", True),
        ("0600", False),
        ("0602", False),
        ("0603", True),
        ("0604", False),
        ("0700", True),
        ("07ff", True),
        ("0800", False),
    ],
)
def test_cio_ignores_ranges_include_both_ends(tmp_path: Path, devno: str, ignored: bool) -> None:
    (tmp_path / "cio_ignore").write_text("0.0.0000-0.0.05ff\n0.0.0603\n0.0.0700-0.0.07ff\n")

    assert Sysfs(proc=str(tmp_path)).ignored(CcwId.parse(devno)) is ignored


def test_without_cio_ignore_nothing_is_ignored(tmp_path: Path) -> None:
    assert not Sysfs(proc=str(tmp_path)).ignored(CcwId.parse("0600"))


def test_a_refused_write_is_an_error_with_the_errno() -> None:
    """``open().write()`` without a close can swallow it (observed with sysfs)."""
    with pytest.raises(OSError) as caught:
        sysfs.write("/dev/full", "1")

    assert caught.value.errno == 28


def test_a_file_that_cannot_be_read_is_not_there(tmp_path: Path) -> None:
    assert sysfs.read(str(tmp_path)) is None
    assert sysfs.read(str(tmp_path / "absent")) is None


def test_reading_and_writing_leak_no_descriptors(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("1\n")
    before = sorted(Path("/proc/self/fd").iterdir())

    for _ in range(10):
        sysfs.read(str(tmp_path / "file"))
        sysfs.read(str(tmp_path))
        sysfs.write(str(tmp_path / "file"), "1")

    assert sorted(Path("/proc/self/fd").iterdir()) == before


def test_an_interface_that_is_renamed_during_the_look_is_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder under the old name is gone when its index is asked for."""
    group = tmp_path / "bus/ccwgroup/devices/0.0.0600"
    for folder in (group, group / "net/enc600"):
        folder.mkdir(parents=True)
    for file, text in {"layer2": "1", "portno": "0", "online": "1"}.items():
        (group / file).write_text(text)
    (group / "net/enc600/ifindex").write_text("7\n")
    (group / "net/enc600/address").write_text("0a:00:00:00:00:11\n")
    listed = [["eth0"], ["enc600"]]
    monkeypatch.setattr(sysfs, "names_in", lambda path: listed.pop(0))

    device = Sysfs(str(tmp_path)).device(CcwId.parse("0600"))

    assert (device.interface, device.ifindex) == ("enc600", 7)
    assert device.mac == "0a:00:00:00:00:11"
