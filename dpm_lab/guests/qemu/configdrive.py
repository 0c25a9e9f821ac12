"""A config drive: OpenStack's metadata on a disk, for guests that are given no metadata service."""

from __future__ import annotations

import tempfile
from pathlib import Path

from dpm_lab import process
from dpm_lab.errors import LabError
from dpm_lab.guests.qemu.instance import Instance, documents

#: The label by which cloud-init finds a config drive.
LABEL = "config-2"


class ConfigDriveError(LabError):
    """The config drive cannot be made."""


def contents(instance: Instance) -> dict[str, str]:
    """Return the files of the config drive, by path.

    Its addresses are static: it is for networks in which nothing answers.
    """
    found = documents(instance, "static")
    return {f"openstack/latest/{name}": text for name, text in found.items()}


def write(instance: Instance, target: Path) -> None:
    """Make the config drive: an ISO 9660 file system in the file `target`."""
    with tempfile.TemporaryDirectory(prefix="dpm-image-") as folder:
        for name, text in contents(instance).items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        command = ["genisoimage", "-quiet", "-volid", LABEL, "-joliet", "-rock"]
        answer = process.ask([*command, "-output", target, folder])
    if answer.code:
        raise ConfigDriveError(f"genisoimage cannot write {target}: {answer.errors}")
