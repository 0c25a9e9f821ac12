"""An image of EL's shape in the whole chain, as ``dpm-lab demo`` shows it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from dpm_lab.__main__ import main
from tests.image.conftest import ByRelease


@pytest.mark.long
@pytest.mark.parametrize("machine", ["z13", "z16"])
def test_a_server_of_els_shape_has_its_network_after_each_boot(
    machine: str, el_images: ByRelease[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    # Not tmp_path: the names of sockets are short.
    with tempfile.TemporaryDirectory(prefix="dpm-") as folder:
        words = ["demo", "--folder", f"{folder}/cloud", "--machine", machine]

        status = main([*words, "--image", str(el_images["9"])])

    shown = capsys.readouterr().out
    assert status == 0, shown
    assert shown.count("right from end to end") == 4
    assert "ssh -i" in shown
    assert "cloud-user@" in shown
