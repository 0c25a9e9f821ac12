"""The agent's systemd unit."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

TOP = Path(__file__).parents[3]
UNIT = TOP / "etc/neutron-dpm-agent.service"
_PROGRAM = "usr/bin/neutron-dpm-agent"


def installed(root: Path) -> Path:
    """A root that has the unit and its program."""
    units = root / "usr/lib/systemd/system"
    units.mkdir(parents=True)
    shutil.copy(UNIT, units)
    (root / _PROGRAM).parent.mkdir(parents=True)
    (root / _PROGRAM).write_text("#!/bin/sh\n")
    (root / _PROGRAM).chmod(0o755)
    return root


def test_the_unit_is_exposed_by_no_more_than_2_5(tmp_path: Path) -> None:
    """It has to reach the network, and keeps what each service of OpenStack has besides."""
    root = installed(tmp_path)

    done = subprocess.run(
        [
            *("systemd-analyze", "security", "--offline=true", "--threshold=25"),
            *(f"--root={root}", UNIT.name),
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_systemd_knows_each_setting_of_the_unit(tmp_path: Path) -> None:
    root = installed(tmp_path)

    done = subprocess.run(
        ["systemd-analyze", "verify", f"--root={root}", "--recursive-errors=no", UNIT.name],
        capture_output=True,
        text=True,
        check=False,
    )

    assert [line for line in done.stderr.splitlines() if UNIT.name in line] == []
    assert done.returncode == 0, done.stderr
