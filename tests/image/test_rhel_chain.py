"""An image of EL's shape in the whole chain, as ``dpm-lab demo`` shows it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from dpm_lab.__main__ import main
from tests.image.conftest import ByRelease


@pytest.mark.long
@pytest.mark.parametrize("machines", [("z16", "z13"), ("z17",)], ids=" ".join)
def test_servers_of_els_shape_have_their_network_after_each_boot(
    machines: tuple[str, ...], el_images: ByRelease[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    on = [word for each in machines for word in ("--machine", each)]
    # Not tmp_path: the names of sockets are short.
    with tempfile.TemporaryDirectory(prefix="dpm-") as folder:
        words = ["demo", "--folder", f"{folder}/cloud", *on]

        status = main([*words, "--image", str(el_images["9"])])

    shown = capsys.readouterr().out
    assert status == 0, shown
    assert shown.count("right from end to end") == 4 * len(machines)
    assert shown.count("cloud-user@") == len(machines)
