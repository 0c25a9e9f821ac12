"""The disk of an image as a file: what makes it so ends in any case."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from dpm_lab.guests.disk import rawdisk
from dpm_lab.guests.disk.rawdisk import exported
from tests.running import command_lines, mounts
from tests.unit.dpm_lab.guests.disks import create


def test_a_daemon_that_does_not_want_to_end_is_made_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rawdisk, "_ASKED_TO_END", 2)
    script = "trap '' TERM; echo; exec sleep 1000"
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE) as daemon:
        assert daemon.stdout is not None
        daemon.stdout.readline()

        rawdisk._end(daemon)

    assert daemon.returncode == -signal.SIGKILL


def test_a_daemon_that_was_killed_leaves_no_mount_and_no_folder(tmp_path: Path) -> None:
    image = create(tmp_path / "image.qcow2")

    with exported(image) as raw:
        for process, words in command_lines().items():
            if str(raw) in words:
                os.kill(process, signal.SIGKILL)

    assert not [line for line in mounts() if str(raw) in line]
    assert not raw.parent.exists()
