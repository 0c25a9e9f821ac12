"""The source tarball: the same bytes from the same checkout, and no package of another version."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path

import dpm_guest
from tests.packaging import TOP, files


def test_a_second_tarball_has_the_same_bytes(tmp_path: Path) -> None:
    (first,) = files.built("source", tmp_path / "first")
    (second,) = files.built("source", tmp_path / "second")

    assert first.name == f"nova-dpm-guest-{dpm_guest.__version__}.tar.gz"
    assert first.read_bytes() == second.read_bytes()


def test_the_spec_in_the_tarball_has_the_version_of_the_agent(tmp_path: Path) -> None:
    (tarball,) = files.built("source", tmp_path)

    with tarfile.open(tarball) as packed:
        (name,) = [name for name in packed.getnames() if name.endswith(".spec")]
        spec = packed.extractfile(name)
        assert spec is not None
        assert f"Version:        {dpm_guest.__version__}\n" in spec.read().decode()


def test_a_version_without_an_entry_in_the_changelogs_is_refused(tmp_path: Path) -> None:
    for name in ("dpm_guest", "packaging", "systemd", "tools", "udev"):
        # Others import from there, and write what they have compiled.
        compiled = shutil.ignore_patterns("__pycache__")
        shutil.copytree(TOP / name, tmp_path / name, ignore=compiled)
    shutil.copy(TOP / "LICENSE", tmp_path)
    (tmp_path / "dpm_guest/__init__.py").write_text('__version__ = "1.1.0"\n')

    done = subprocess.run(
        [tmp_path / "packaging/source", tmp_path / "out"],
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 1
    assert "the agent is 1.1.0 (dpm_guest/__init__.py), but the newest entry" in done.stderr
    assert not (tmp_path / "out").exists()
