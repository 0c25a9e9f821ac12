"""The unit files, the rule file and what is installed."""

from __future__ import annotations

import configparser
import os
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).parents[3]
UNITS = TOP / "systemd"
BOOT, LATE, RETRY = (UNITS / f"dpm-guest{which}.service" for which in ("", "@", "-retry"))
ALL = [BOOT, LATE, RETRY]
RULES = TOP / "udev/80-dpm-guest.rules"


def section(unit: Path, name: str) -> list[str]:
    """The settings of a section, in order (a setting may be repeated, so no dictionary)."""
    lines = unit.read_text().split(f"[{name}]\n", 1)[1].split("\n[", 1)[0].splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("unit", sorted(UNITS.glob("*.service")), ids=lambda unit: unit.name)
def test_the_unit_is_exposed_by_no_more_than_1_4(unit: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=14", unit],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("unit", ALL)
def test_systemd_finds_nothing_wrong_with_the_unit(unit: Path, tmp_path: Path) -> None:
    """Verified below a root that has the program, as an image would."""
    subprocess.run([TOP / "tools/install-guest", tmp_path], check=True)
    for target in (
        "sysinit",
        "shutdown",
        "network-pre",
        "basic",
        "multi-user",
        "sockets",
        "timers",
    ):
        path = tmp_path / f"usr/lib/systemd/system/{target}.target"
        path.write_text("[Unit]\nDescription=x\nDefaultDependencies=no\n")
    for service in ("systemd-udevd", "systemd-udev-trigger", "modprobe@"):
        path = tmp_path / f"usr/lib/systemd/system/{service}.service"
        path.write_text("[Service]\nExecStart=/usr/bin/dpm-guest\n")
    name = unit.name.replace("@", "@0.0.0600")

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", f"--root={tmp_path}", name],
        capture_output=True,
        text=True,
        check=False,
    )

    said = [line for line in done.stderr.splitlines() if "dpm-guest" in line]
    assert said == []


def test_all_units_may_do_the_same() -> None:
    ours = (
        "Type",
        "RemainAfterExit",
        "ExecStart",
        "NotifyAccess",
        "StandardOutput",
        "StandardError",
        "TimeoutStartSec",
    )

    def sandbox(unit: Path) -> list[str]:
        return [line for line in section(unit, "Service") if line.split("=")[0] not in ours]

    assert sandbox(BOOT) == sandbox(LATE) == sandbox(RETRY)


@pytest.mark.parametrize("unit", [BOOT, LATE])
def test_qeth_is_there_before_the_unit_which_may_not_load_it(unit: Path) -> None:
    words = [line.partition("=")[::2] for line in section(unit, "Unit")]

    for relation in ("Wants", "After"):
        named = [name for key, value in words if key == relation for name in value.split()]
        assert "modprobe@qeth.service" in named, relation
    assert "ProtectKernelModules=yes" in section(unit, "Service")


@pytest.mark.parametrize("unit", ALL)
def test_the_unit_may_write_to_devices_and_to_two_folders_in_run(unit: Path) -> None:
    settings = section(unit, "Service")

    assert {"ProtectKernelTunables=yes", "ReadWritePaths=/sys/bus /sys/devices"} <= set(settings)
    assert {"ReadOnlyPaths=/run", "RuntimeDirectory=dpm-guest systemd/network"} <= set(settings)


@pytest.mark.parametrize("unit", ALL)
def test_the_unit_runs_on_s390x_and_unless_switched_off(unit: Path) -> None:
    settings = section(unit, "Unit")

    assert "ConditionArchitecture=s390x" in settings
    assert "ConditionKernelCommandLine=!dpm_guest=off" in settings


def test_the_off_switch_is_the_same_everywhere() -> None:
    for file in (*ALL, RULES, TOP / "dpm_guest/helptext.py"):
        assert "dpm_guest=off" in file.read_text(), file
    for file in (LATE, RULES, TOP / "dpm_guest/helptext.py", TOP / "dpm_guest/wanted.py"):
        assert "dpm_guest=no-auto" in file.read_text(), file
    assert 'ENV{dpm_guest}=="off"' in RULES.read_text()


def test_cloud_init_and_networks_wait_for_the_unit() -> None:
    before = next(line for line in section(BOOT, "Unit") if line.startswith("Before="))

    assert {"network-pre.target", "cloud-init-local.service"} <= set(before[7:].split())


def test_nothing_waits_for_the_unit_that_tries_again() -> None:
    """Neither a target nor the boot's end: its start is over when it has begun."""
    settings = section(RETRY, "Unit")

    assert "Type=exec" in section(RETRY, "Service")
    assert "[Install]" not in RETRY.read_text()
    assert [line for line in settings if line.startswith("Before=")] == ["Before=shutdown.target"]


@pytest.mark.parametrize("unit", [BOOT, LATE])
def test_a_unit_leaves_what_is_not_right_to_the_one_that_tries_again(unit: Path) -> None:
    (command,) = (line for line in section(unit, "Service") if line.startswith("ExecStart="))

    assert "--unit" in command.split()


def test_everything_that_runs_is_installed(tmp_path: Path) -> None:
    subprocess.run([TOP / "tools/install-guest", tmp_path], check=True)

    installed = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    for module in (TOP / "dpm_guest").glob("*.py"):
        assert f"usr/lib/dpm-guest/dpm_guest/{module.name}" in installed
    assert {
        "usr/bin/dpm-guest",
        "usr/lib/systemd/system/dpm-guest.service",
        "usr/lib/systemd/system/dpm-guest@.service",
        "usr/lib/systemd/system/dpm-guest-retry.service",
        "usr/lib/systemd/system-preset/80-dpm-guest.preset",
        "usr/lib/udev/rules.d/80-dpm-guest.rules",
        "usr/share/man/man8/dpm-guest.8",
        "usr/share/bash-completion/completions/dpm-guest",
    } <= installed
    assert os.access(tmp_path / "usr/bin/dpm-guest", os.X_OK)


def test_one_version_everywhere() -> None:
    setup = configparser.ConfigParser()
    setup.read(TOP / "setup.cfg")

    assert setup["metadata"]["version"] == "attr: dpm_guest.__version__"
