"""The whole chain, as its user sees it: ``dpm-lab demo``."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from dpm_image.build.build import build
from dpm_lab.__main__ import main
from dpm_lab.cloud import causes
from dpm_lab.cloud.chain.stories import STORIES


def _demo(*options: str) -> int:
    # Not tmp_path: the names of sockets are short.
    with tempfile.TemporaryDirectory(prefix="dpm-") as folder:
        cloud = Path(folder, "cloud")
        status = main(["demo", "--folder", str(cloud), "--image", str(build()), *options])
        if status:  # the logs go with the folder
            for log in sorted(cloud.glob("log/*.log")):
                lines = causes.last(log.read_text(encoding="utf-8", errors="replace"), 6)
                print(f"-- {log.name}", *lines, sep="\n")
        return status


def _on(*machines: str) -> list[str]:
    return [word for each in machines for word in ("--machine", each)]


def test_servers_are_linux_with_their_network(capsys: pytest.CaptureFixture[str]) -> None:
    """Two of one cloud: with a storage group, and with HBAs where the HMC sets no MAC."""
    status = _demo(*_on("z16", "z13"), "--quick")

    shown = capsys.readouterr().out
    assert status == 0, shown
    for machine in ("z16", "z13"):
        for network in ("provider", "vlan101"):
            assert f"{machine}: NIC on {network}: right from end to end" in shown


def test_of_a_server_that_cannot_boot_all_tell_the_same_story(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The failures that take no boot of Linux."""
    names = ("volume-masked", "volume-missing", "other-architecture")
    status = _demo(*(word for name in names for word in ("--failure", name)))

    shown = capsys.readouterr().out
    assert status == 0, shown
    assert shown.count("No path to the boot volume") == 2
    assert "It said last: Failed to load OS" in shown
    assert shown.count("the same story: ") == len(names)


@pytest.mark.long
@pytest.mark.parametrize("machines", [("z13",), ("z16", "z13"), ("z17",)], ids=" ".join)
def test_their_network_is_right_after_each_boot_of_their_life(
    machines: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """A reboot, and a stop and a start with a port swapped; and nothing is left."""
    status = _demo(*_on(*machines))

    shown = capsys.readouterr().out
    assert status == 0, shown
    assert shown.count("right from end to end") == 4 * len(machines)
    assert shown.count("NIC on hipersockets") >= len(machines)


@pytest.mark.long
def test_a_person_gets_into_a_server_by_its_name() -> None:
    with tempfile.TemporaryDirectory(prefix="dpm-") as folder:
        cloud = ["cloud", "--folder", folder]
        try:
            options = ["--image", str(build()), "--quick", "--keep"]
            assert main(["demo", "--folder", folder, *options]) == 0
            command = [sys.executable, "-m", "dpm_lab", *cloud, "ssh", "demo", "uname", "-m"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        finally:
            main([*cloud, "down", "--purge"])

    assert (done.returncode, done.stdout) == (0, "s390x\n"), done.stderr


@pytest.mark.long
def test_of_each_failure_all_tell_the_same_story(capsys: pytest.CaptureFixture[str]) -> None:
    """One server, some five boots."""
    status = _demo("--failure", "all")

    shown = capsys.readouterr().out
    assert status == 0, shown
    assert shown.count("the same story: ") == len(STORIES)
