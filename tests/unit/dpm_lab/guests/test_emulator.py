"""Which QEMU guests run in: versions, and archives that have a newer one or none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dpm_lab.debian.archive import Archive
from dpm_lab.guests.qemu import emulator
from dpm_lab.guests.qemu import machine as qemu
from dpm_lab.process import run
from dpm_lab.progress import Progress
from tests.unit.dpm_lab.debian.mirror import Mirror


@pytest.mark.parametrize(
    ("number", "sound"),
    [
        ("7.2.22", False),
        ("8.2.8", False),
        ("8.2.9", True),
        ("9.0.4", False),
        ("9.1.2", False),
        ("9.1.3", True),
        ("9.2.0", False),
        ("9.2.1", True),
        ("10.0.0", True),
        ("11.1", True),
        ("", True),
    ],
)
def test_versions_that_run_what_a_guest_has_written(number: str, sound: bool) -> None:
    assert emulator.is_sound(number) is sound


def program(file: Path, number: str) -> Path:
    """Put a program there that says it is QEMU."""
    file.parent.mkdir(parents=True)
    file.write_text(f"#!/bin/sh\necho 'QEMU emulator version {number} (Debian)'\n")
    file.chmod(0o755)
    return file


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A QEMU at fault, on a machine whose cache is empty."""
    found = program(tmp_path / "bin" / qemu.PROGRAM, "7.2.22")
    monkeypatch.setenv("PATH", str(found.parent), prepend=os.pathsep)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return found


@contextmanager
def backports(folder: Path, *names: str) -> Iterator[Archive]:
    """Yield an archive whose backports have packages of those names."""
    architecture = run(["dpkg", "--print-architecture"]).strip()
    with Mirror(folder, architecture) as mirror:
        for name in names:
            root = folder / name
            program(root / "usr/bin" / name, "10.0.2")
            (root / "DEBIAN").mkdir()
            (root / "DEBIAN/control").write_text(
                f"Package: {name}\nVersion: 1\nArchitecture: {architecture}\n"
                "Maintainer: us\nDescription: -\n"
            )
            run(["dpkg-deb", "--root-owner-group", "--build", root, mirror.pool(name, "1")])
        for suite in ("bookworm", "bookworm-backports"):
            mirror.publish(suite, *((name, "1") for name in names))
        yield mirror.archive


def test_a_qemu_at_fault_is_replaced_by_the_one_of_backports_once(
    installed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packages = (qemu.PROGRAM, "qemu-system-common", "qemu-system-data")

    with backports(tmp_path / "archive", *packages) as archive:
        first = emulator.find(Progress(), archive)
    said = capsys.readouterr().err
    second = emulator.find(Progress(), archive)

    assert emulator.version(first) == "10.0.2"
    assert first == second
    assert "QEMU 7.2.22" in said
    assert capsys.readouterr().err == ""


def test_where_there_is_no_newer_one_the_old_one_is_used_and_named(
    installed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with backports(tmp_path / "archive", qemu.PROGRAM) as archive:
        assert emulator.find(Progress(), archive) == installed

    assert "7.2.22" in (said := capsys.readouterr().err)
    assert "give no newer one" in said


def test_a_sound_one_is_used_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = program(tmp_path / "bin" / qemu.PROGRAM, "10.0.2")
    monkeypatch.setenv("PATH", str(sound.parent))

    assert emulator.find(Progress()) == sound


def test_no_qemu_at_all_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(emulator.EmulatorError, match="not installed"):
        emulator.find(Progress())
