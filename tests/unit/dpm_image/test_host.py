"""What is said before a build starts on a machine that lacks something."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

import pytest

from dpm_image.build import host


def program(folder: Path, name: str, script: str) -> None:
    """Put a shell script there as a program."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_missing_tools_are_named_by_their_debian_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = {*host.TOOLS, *host.BASE_TOOLS["debian"], "update-binfmts", "qemu-s390x-static"}
    for tool in tools - {"mmdebstrap", "qemu-img"}:
        found = shutil.which(tool)
        assert found is not None
        (tmp_path / tool).symlink_to(found)
    monkeypatch.setenv("PATH", str(tmp_path))

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
    program(tmp_path, "sudo", f"echo '{said}' >&2")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    with pytest.raises(host.HostError, match=f"{said}.*{cure}"):
        host.check_tools()


class Machine:
    """One whose ``binfmt_misc`` is a folder, and what was called to change it."""

    def __init__(self, top: Path) -> None:
        self.programs = top / "bin"
        self.binfmt = top / "binfmt"
        self.binfmt.mkdir()
        self._calls = top / "calls"
        program(self.programs, "sudo", 'exec "$@"')
        self.has("mount")
        self.has("update-binfmts")

    def has(self, name: str, script: str = "exit 1") -> None:
        """Have a program, which fails unless `script` is another."""
        program(self.programs, name, f'echo "{name} $*" >>{self._calls}\n{script}')

    @property
    def calls(self) -> list[str]:
        return self._calls.read_text().splitlines() if self._calls.exists() else []


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine of another architecture, on which nothing works."""
    found = Machine(tmp_path)
    monkeypatch.setenv("PATH", str(found.programs), prepend=os.pathsep)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    return found


def test_a_registered_emulator_is_left_alone(machine: Machine) -> None:
    registered = "enabled\ninterpreter /usr/bin/qemu-s390x-static\n"
    (machine.binfmt / host.EMULATOR).write_text(registered)

    host.enable_emulation(machine.binfmt)

    assert machine.calls == []


def test_binfmt_misc_is_mounted_and_the_emulator_registered_where_they_are_not(
    machine: Machine,
) -> None:
    machine.has("mount", f"touch {machine.binfmt}/register")
    machine.has("update-binfmts", f"echo enabled >{machine.binfmt}/{host.EMULATOR}")

    host.enable_emulation(machine.binfmt)

    assert machine.calls == [
        f"mount -t binfmt_misc binfmt_misc {machine.binfmt}",
        "update-binfmts --enable qemu-s390x",
    ]


def test_what_is_mounted_is_not_mounted_again(machine: Machine) -> None:
    (machine.binfmt / "register").touch()
    machine.has("update-binfmts", f"echo enabled >{machine.binfmt}/{host.EMULATOR}")

    host.enable_emulation(machine.binfmt)

    assert machine.calls == ["update-binfmts --enable qemu-s390x"]


def test_where_nothing_helps_the_cure_is_said(machine: Machine) -> None:
    with pytest.raises(host.HostError, match="update-binfmts --enable qemu-s390x"):
        host.enable_emulation(machine.binfmt)


def test_an_s390x_machine_needs_no_emulator(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "s390x")

    host.enable_emulation(machine.binfmt)

    assert machine.calls == []


def test_the_stand_ins_are_where_they_are_said_to_be() -> None:
    names = {path.name for path in host.stand_ins().iterdir()}

    assert {"kpartx", "dmsetup", "fstrim", "sudo"} <= names
