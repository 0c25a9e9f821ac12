"""What the distribution installs: everything that an editable install would hide the lack of."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "root",
    ["dpm_guest", "dpm_hmc", "dpm_lab", "networking_dpm", "nova_dpm", "image-build/dpm_image"],
)
def test_every_package_is_named_in_setup_cfg(root: str) -> None:
    setup = ConfigParser()
    setup.read(TOP / "setup.cfg")
    named = setup["options"]["packages"].split()

    folder = TOP / root
    found = {
        ".".join(init.parent.relative_to(folder.parent).parts)
        for init in folder.rglob("__init__.py")
    }

    assert found <= set(named)
