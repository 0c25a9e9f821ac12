"""What Tempest runs in: pinned packages, in an environment of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dpm_lab.cloud import environment as clouds
from dpm_lab.cloud.place import HOST, MACHINE, PORTS, Place
from dpm_lab.cloud.tempest import environment


def _pins(file: Path) -> dict[str, str]:
    lines = file.read_text(encoding="utf-8").splitlines()
    pins = [line.partition("==") for line in lines if line and not line.startswith("#")]
    return {re.sub(r"[._-]+", "-", name).lower(): version for name, _, version in pins}


def test_each_package_has_a_version_and_it_is_the_clouds_where_that_has_it() -> None:
    mine, theirs = _pins(environment.CONSTRAINTS), _pins(clouds.CONSTRAINTS)

    assert {"tempest", "stestr", "python-subunit"} <= set(mine)
    assert all(re.fullmatch(r"[0-9][A-Za-z0-9.]+", version) for version in mine.values())
    differs = {name for name in set(mine) & set(theirs) if mine[name] != theirs[name]}
    assert differs == set()


def test_other_packages_are_another_environment_and_never_the_clouds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = environment.folder()
    changed = tmp_path / "constraints.txt"
    changed.write_text("tempest==48.0.0\n")
    monkeypatch.setattr(environment, "CONSTRAINTS", changed)

    assert environment.folder() != before
    assert environment.folder().name.startswith("tempest-")


def test_its_programs_find_their_configuration_and_the_plug_in(tmp_path: Path) -> None:
    place = Place.make(tmp_path / "cloud", HOST, [MACHINE], PORTS)

    found = environment.variables(place)

    assert found["TEMPEST_CONFIG_DIR"] == str(place.of("tempest", "etc"))
    assert found["PYTHONPATH"] == str(place.of("python"))
    assert found["PATH"].startswith(f"{environment.folder()}/bin:")
    assert found[clouds.MARK] == str(place.folder)
