"""The whole chain, as its user sees it: ``dpm-lab demo``."""

from __future__ import annotations

import tempfile

import pytest

from dpm_image.build.build import build
from dpm_lab.__main__ import main


@pytest.mark.long
@pytest.mark.parametrize("machine", ["z13", "z16", "z17"])
def test_a_server_is_a_linux_with_its_network(
    machine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two ports; a reboot, a stop and a start with a port swapped; and nothing is left."""
    # Not tmp_path: the names of sockets are short.
    with tempfile.TemporaryDirectory(prefix="dpm-") as folder:
        words = ["demo", "--folder", f"{folder}/cloud", "--machine", machine]

        status = main([*words, "--image", str(build())])

    shown = capsys.readouterr().out
    assert status == 0, shown
    assert shown.count("right from end to end") == 4
    assert "NIC on hipersockets: right" in shown
