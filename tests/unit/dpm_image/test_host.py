"""What is said before a build starts on a machine that lacks something."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dpm_image.build import host


def test_missing_tools_are_named_by_their_debian_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = {"mmdebstrap", "qemu-img"}
    monkeypatch.setattr(host, "_which", lambda tool, _: None if tool in missing else tool)

    with pytest.raises(host.HostError, match=r"apt install mmdebstrap qemu-utils$"):
        host.check_tools()


@pytest.mark.skipif(os.geteuid() != 0, reason="sudo may ask others for a password")
@pytest.mark.parametrize(
    ("said", "cure"),
    [
        (
            "sudo: unable to resolve host vm: Name or service not known",
            r"/etc/hosts: 127\.0\.1\.1 \S+$",
        ),
        ("sudo: a new complaint", r"\.$"),
    ],
)
def test_a_sudo_that_complains_ends_a_build_before_it_begins(
    said: str, cure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the build ends after a quarter of an hour, when it reads a device's name of sudo."""
    sudo = tmp_path / "sudo"
    sudo.write_text(f"#!/bin/sh\necho '{said}' >&2\n")
    sudo.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    with pytest.raises(host.HostError, match=f"{said}.*{cure}"):
        host.check_tools()


def test_administrators_folders_are_searched_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/sbin")

    assert host.search_path() == "/usr/bin:/sbin:/usr/local/sbin:/usr/sbin"


def test_a_registered_emulator_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "foreign", lambda: True)
    monkeypatch.setattr(host, "_try", lambda command: pytest.fail(f"ran {command}"))
    (tmp_path / host.EMULATOR).write_text("enabled\ninterpreter /usr/bin/qemu-s390x-static\n")

    host.enable_emulation(tmp_path)


def test_binfmt_misc_is_mounted_and_the_emulator_registered_where_they_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[list[str]] = []

    def run(command: list[str]) -> bool:
        ran.append(command)
        (tmp_path / host.EMULATOR).write_text("enabled\n")
        return True

    monkeypatch.setattr(host, "foreign", lambda: True)
    monkeypatch.setattr(host, "_try", run)

    host.enable_emulation(tmp_path)

    assert ran == [
        ["mount", "-t", "binfmt_misc", "binfmt_misc", str(tmp_path)],
        ["update-binfmts", "--enable", "qemu-s390x"],
    ]


def test_where_nothing_helps_the_cure_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "foreign", lambda: True)
    monkeypatch.setattr(host, "_try", lambda _: False)

    with pytest.raises(host.HostError, match="update-binfmts --enable qemu-s390x"):
        host.enable_emulation(tmp_path)


def test_an_s390x_machine_needs_no_emulator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "foreign", lambda: False)

    host.enable_emulation(tmp_path / "missing")


def test_the_stand_ins_are_where_they_are_said_to_be() -> None:
    names = {path.name for path in host.stand_ins().iterdir()}

    assert {"kpartx", "dmsetup", "fstrim", "sudo"} <= names
