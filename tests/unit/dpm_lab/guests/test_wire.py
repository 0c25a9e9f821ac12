"""Source MACs out of QEMU's captures."""

from __future__ import annotations

import struct
from pathlib import Path

from dpm_lab.guests.qemu.wire import source_macs


def capture(path: Path, *macs: str, cut: int = 0) -> Path:
    data = struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65536, 1)
    for mac in macs:
        frame = b"\xff" * 6 + bytes.fromhex(mac.replace(":", "")) + b"\x08\x00" + b"x" * 30
        data += struct.pack("=IIII", 1, 2, len(frame), len(frame)) + frame
    path.write_bytes(data[: len(data) - cut])
    return path


def test_each_mac_is_told_once_in_the_order_in_which_it_was_seen(tmp_path: Path) -> None:
    macs = ("52:54:00:dd:00:01", "0a:00:00:00:00:11", "0a:00:00:00:00:11")

    assert source_macs(capture(tmp_path / "c", *macs)) == macs[:2]


def test_what_qemu_answers_does_not_count(tmp_path: Path) -> None:
    file = capture(tmp_path / "c", "52:55:c6:12:01:02", "52:56:00:00:00:02", "0a:00:00:00:00:11")

    assert source_macs(file) == ("0a:00:00:00:00:11",)


def test_a_last_frame_that_is_cut_off_does_no_harm(tmp_path: Path) -> None:
    file = capture(tmp_path / "c", "0a:00:00:00:00:11", "0a:00:00:00:00:12", cut=36)

    assert source_macs(file) == ("0a:00:00:00:00:11",)


def test_no_capture_means_no_macs(tmp_path: Path) -> None:
    assert source_macs(tmp_path / "none") == ()
