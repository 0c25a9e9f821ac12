"""What this machine must have to build an image: checked, and mended where that is possible."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from dpm_image.errors import ImageError
from dpm_lab.source import CHECKOUT

#: Commands that a build calls, and the Debian packages that bring them.
TOOLS = {
    "dmsetup": "dmsetup",
    "kpartx": "kpartx",
    "losetup": "mount",
    "mkfs.ext4": "e2fsprogs",
    "ps": "procps",
    "qemu-img": "qemu-utils",
    "sudo": "sudo",
}

#: What makes the base system of a distribution, where that is not an image to begin with.
BASE_TOOLS = {
    "debian": {
        "arch-test": "arch-test",
        "debootstrap": "debootstrap",
        "mmdebstrap": "mmdebstrap",
    },
}

BINFMT = Path("/proc/sys/fs/binfmt_misc")
EMULATOR = "qemu-s390x"

_DEVICE_MAPPER = Path("/dev/mapper/control")


class HostError(ImageError):
    """This machine lacks something that a build needs."""


def as_root(command: list[str]) -> list[str]:
    """Return `command` in a form that runs as root."""
    return command if os.geteuid() == 0 else ["sudo", *command]


def search_path() -> str:
    """Return PATH with the folders of administrators' commands, which few users have in theirs."""
    path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    wanted = ("/usr/local/sbin", "/usr/sbin", "/sbin")
    return os.pathsep.join([*path, *(folder for folder in wanted if folder not in path)])


def check_tools(distribution: str = "debian") -> None:
    """Raise :class:`HostError` naming the Debian packages of all commands that are missing."""
    tools = TOOLS | BASE_TOOLS.get(distribution, {})
    if foreign():
        tools["update-binfmts"] = "binfmt-support"
        tools["qemu-s390x-static"] = "qemu-user-static"
    path = search_path()
    missing = sorted({package for tool, package in tools.items() if not _which(tool, path)})
    if missing:
        raise HostError(
            f"building needs packages that are missing: apt install {' '.join(missing)}"
        )
    _check_sudo(path)
    if not _which("disk-image-create", _tool_path()):
        raise HostError("building needs diskimage-builder: pip install 'nova-dpm[image]'")


def _check_sudo(path: str) -> None:
    # diskimage-builder takes all that a command prints for its answer. sudo complains of a machine
    # whose own name it cannot look up, and that comes to light when the image is all but made.
    if os.geteuid() != 0:
        return  # it may ask for a password
    command = ["sudo", "-n", "true"]
    answer = subprocess.run(
        command, check=False, capture_output=True, text=True, env={**os.environ, "PATH": path}
    )
    if said := answer.stderr.strip():
        cure = " Add its name to /etc/hosts: 127.0.1.1 " + platform.node()
        raise HostError(
            f"sudo complains, which diskimage-builder takes for a program's answer: {said}."
            + (cure if "resolve host" in said else "")
        )


def disk_image_create() -> str:
    """Return the path of diskimage-builder's command: the one beside this Python comes first."""
    return _which("disk-image-create", _tool_path()) or "disk-image-create"


def foreign() -> bool:
    """Whether s390x programs have to be emulated here."""
    return platform.machine() != "s390x"


def enable_emulation(binfmt: Path = BINFMT) -> None:
    """See to it that the kernel runs s390x programs; raise :class:`HostError` where it cannot."""
    if not foreign() or _enabled(binfmt):
        return
    if not (binfmt / "register").exists():
        _try(["mount", "-t", "binfmt_misc", "binfmt_misc", str(binfmt)])
    _try(["update-binfmts", "--enable", EMULATOR])
    if not _enabled(binfmt):
        raise HostError(
            "this machine does not run s390x programs: as root, "
            f"`mount -t binfmt_misc binfmt_misc {binfmt}` if nothing is mounted there, then "
            f"`update-binfmts --enable {EMULATOR}`"
        )


def has_device_mapper() -> bool:
    """Whether the kernel can map partitions by device-mapper, as diskimage-builder wants to."""
    _try(["modprobe", "dm-mod"])
    return _DEVICE_MAPPER.exists() and _try(["dmsetup", "version"])


def stand_ins() -> Path:
    """Return the folder with commands that stand in for device-mapper's."""
    return CHECKOUT / "image-build/stand-ins"


def _enabled(binfmt: Path) -> bool:
    try:
        return (binfmt / EMULATOR).read_text(encoding="ascii").startswith("enabled")
    except OSError:
        return False


def _which(tool: str, path: str) -> str | None:
    return shutil.which(tool, path=path)


def _tool_path() -> str:
    return os.pathsep.join([str(Path(sys.executable).parent), search_path()])


def _try(command: list[str]) -> bool:
    """Run `command` as root; whether it succeeded. Its absence is a failure like any other."""
    try:
        return (
            subprocess.run(
                as_root(command),
                check=False,
                capture_output=True,
                env={**os.environ, "PATH": search_path()},
            ).returncode
            == 0
        )
    except FileNotFoundError:
        return False
