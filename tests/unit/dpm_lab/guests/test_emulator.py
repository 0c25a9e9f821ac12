"""Which QEMU guests run in: versions, and archives that have a newer one or none."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from dpm_lab.debian.archive import Archive
from dpm_lab.guests.qemu import emulator
from dpm_lab.guests.qemu import machine as qemu
from dpm_lab.progress import Progress


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


def archive(folder: Path, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let this machine's archive be one whose backports have packages of those names."""
    for name in names:
        root = folder / name
        program(root / "usr/bin" / name, "10.0.2")
        control = (
            f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: us\nDescription: -\n"
        )
        (root / "DEBIAN").mkdir()
        (root / "DEBIAN/control").write_text(control)
        build = [
            "dpkg-deb",
            "--root-owner-group",
            "--build",
            str(root),
            str(folder / f"{name}.deb"),
        ]
        subprocess.run(build, check=True, capture_output=True)
    architecture = subprocess.run(
        ["dpkg", "--print-architecture"], check=True, capture_output=True, text=True
    ).stdout.strip()
    index = ""
    for name in names:
        file = folder / f"{name}.deb"
        entry = subprocess.run(
            ["dpkg-deb", "--field", str(file)], check=True, capture_output=True, text=True
        )
        digest = subprocess.run(
            ["sha256sum", str(file)], check=True, capture_output=True, text=True
        )
        index += f"{entry.stdout}Filename: {file.name}\nSize: {file.stat().st_size}\n"
        index += f"SHA256: {digest.stdout.split()[0]}\n\n"
    for suite in ("bookworm", "bookworm-backports"):
        lists = folder / f"dists/{suite}/main/binary-{architecture}"
        lists.mkdir(parents=True)
        (lists / "Packages").write_text(index)
        (lists.parents[1] / "Release").write_text(
            f"Suite: {suite}\nCodename: {suite}\nArchitectures: {architecture}\nComponents: main\n"
        )
    monkeypatch.setattr(Archive, "own", lambda: Archive(f"file:{folder}", "trusted=yes"))


def test_a_qemu_at_fault_is_replaced_by_the_one_of_backports_once(
    installed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    packages = (qemu.PROGRAM, "qemu-system-common", "qemu-system-data")
    archive(tmp_path / "archive", monkeypatch, *packages)

    first = emulator.find(Progress())
    said = capsys.readouterr().err
    monkeypatch.delattr(Archive, "own")
    second = emulator.find(Progress())

    assert emulator.version(first) == "10.0.2"
    assert first == second
    assert "QEMU 7.2.22" in said
    assert capsys.readouterr().err == ""


def test_where_there_is_no_newer_one_the_old_one_is_used_and_named(
    installed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    archive(tmp_path / "archive", monkeypatch, qemu.PROGRAM)

    assert emulator.find(Progress()) == installed

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
