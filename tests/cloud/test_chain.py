"""The whole chain, as its user sees it: ``dpm-lab demo``."""

from __future__ import annotations

import tempfile

import pytest

from dpm_image.build.build import build
from dpm_lab.__main__ import main
from dpm_lab.cloud.chain.stories import STORIES


def _demo(machine: str, *options: str) -> int:
    # Not tmp_path: the names of sockets are short.
    with tempfile.TemporaryDirectory(prefix="dpm-") as folder:
        words = ["demo", "--folder", f"{folder}/cloud", "--machine", machine, *options]
        return main([*words, "--image", str(build())])


def test_a_server_is_a_linux_with_its_network(capsys: pytest.CaptureFixture[str]) -> None:
    """Two ports, of which one has a VLAN."""
    status = _demo("z16", "--quick")

    shown = capsys.readouterr().out
    assert status == 0, shown
    assert shown.count("right from end to end") == 2


@pytest.mark.long
@pytest.mark.parametrize("machine", ["z13", "z16", "z17"])
def test_its_network_is_right_after_each_boot_of_its_life(
    machine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A reboot, and a stop and a start with a port swapped; and nothing is left."""
    status = _demo(machine)

    shown = capsys.readouterr().out
    assert status == 0, shown
    assert shown.count("right from end to end") == 4
    assert "NIC on hipersockets: right" in shown


@pytest.mark.long
def test_of_each_failure_all_tell_the_same_story(capsys: pytest.CaptureFixture[str]) -> None:
    """One server, some five boots."""
    with tempfile.TemporaryDirectory(prefix="dpm-") as folder:
        words = ["demo", "--folder", f"{folder}/cloud", "--failure", "all"]

        status = main([*words, "--image", str(build())])

    shown = capsys.readouterr().out
    assert status == 0, shown
    assert shown.count("the same story: ") == len(STORIES)
