"""``dpm-guest report`` on the imitated machine: it only looks; its archive is such a machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dpm_guest.__main__ import main

from .cards import Card
from .machine import Machine

NIC = "0600,1,0a0000000011;"


def test_a_report_changes_nothing_and_can_be_asked_like_the_machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Machine([Card("0600"), Card("0900"), Card("0001", kind="virtio")]) as machine:
        tuples = f"{NIC}0001,0,0a0000000012;"
        assert machine.run("configure", tuples=tuples).rc == 0
        machine.forget_writes()

        made = machine.run("report", str(tmp_path / "r.tar.gz"), tuples=tuples)

        assert made.rc == 0
        assert "look through it before you send it" in made.stderr
        assert machine.writes == []
        found = machine.run("status", tuples=tuples)
    subprocess.run(["tar", "-xzf", "r.tar.gz"], check=True, cwd=tmp_path)
    tree = tmp_path / "dpm-guest-report"
    code = main(["status", "--sysfs", f"{tree}/sys", "--procfs", f"{tree}/proc"])
    said = capsys.readouterr().out
    replaced = found.stdout.replace("0a:00:00:00:00:11", "02:00:00:00:00:02")
    assert said == replaced.replace("0a:00:00:00:00:12", "02:00:00:00:00:01")
    assert code == found.rc == 0
    assert f"{said}exit code 0\n" == (tree / "status").read_text()
    udev = [path.read_text() for path in (tree / "udev").iterdir()]
    assert any("ID_PATH=ccwgroup-0.0.0600\n" in text for text in udev)
