"""What this machine must have to build an image: checked, and fixed where that is possible."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path

from dpm_image.errors import ImageError
from dpm_lab.process import CommandError, as_root, ask, search_path
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


def check_tools(distribution: str = "debian") -> None:
    """Look whether all commands are there that a build of `distribution` calls.

    Raises:
        HostError: some are missing; the text names their Debian packages.
    """
    tools = TOOLS | BASE_TOOLS.get(distribution, {})
    if foreign():
        tools["update-binfmts"] = "binfmt-support"
        tools["qemu-s390x-static"] = "qemu-user-static"
    path = search_path()
    missing = sorted({tools[tool] for tool in tools if not shutil.which(tool, path=path)})
    if missing:
        raise HostError(
            f"building needs packages that are missing: apt install {' '.join(missing)}"
        )
    _check_sudo()
    if not shutil.which("disk-image-create", path=_tool_path()):
        raise HostError("building needs diskimage-builder: pip install 'nova-dpm[image]'")


def _check_sudo() -> None:
    # diskimage-builder takes all that a command prints for its answer. sudo complains of a machine
    # whose own name it cannot look up, and that comes to light when the image is all but made.
    if os.geteuid() != 0:
        return  # it may ask for a password
    if said := ask(["sudo", "-n", "true"]).errors:
        cure = " Add its name to /etc/hosts: 127.0.1.1 " + platform.node()
        raise HostError(
            f"sudo complains, which diskimage-builder takes for a program's answer: {said}."
            + (cure if "resolve host" in said else "")
        )


def disk_image_create() -> str:
    """Return the path of diskimage-builder's command: the one beside this Python comes first."""
    return shutil.which("disk-image-create", path=_tool_path()) or "disk-image-create"


def foreign() -> bool:
    """Whether s390x programs have to be emulated here."""
    return platform.machine() != "s390x"


def enable_emulation(binfmt: Path = BINFMT) -> None:
    """See to it that the kernel runs s390x programs.

    Raises:
        HostError: it does not, whatever was tried.
    """
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


def _tool_path() -> str:
    return os.pathsep.join([str(Path(sys.executable).parent), search_path()])


def _try(command: list[str]) -> bool:
    """Run `command` as root; whether it succeeded. Its absence is a failure like any other."""
    try:
        return ask(as_root(command)).code == 0
    except CommandError:
        return False
