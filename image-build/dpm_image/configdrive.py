"""The config drive that a booted image gets: what OpenStack would tell it, and our commands.

The network data names interfaces by their *wanted* MACs, as OpenStack does. So cloud-init itself
fails, and says so, where the agent has not done its work before it.

The user data stay the user's own, byte for byte. Our commands ride in the vendor data, which
cloud-init runs beside them.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from dpm_image.errors import ImageError
from dpm_image.nics import GuestNic

#: The label by which cloud-init finds a config drive.
LABEL = "config-2"

_DELIMITER = "END_OF_DPM_IMAGE_FILE"


@dataclass(frozen=True)
class Step:
    """A shell command that the guest runs once cloud-init is done."""

    name: str
    command: str


@dataclass(frozen=True)
class Instance:
    """What a guest is told about itself."""

    nics: Sequence[GuestNic]
    steps: Sequence[Step] = ()
    user_data: str = ""
    ssh_keys: Sequence[str] = ()
    hostname: str = "partition"
    uuid: str = "6e6f7661-6470-4d00-8000-000000000001"
    #: Whether the guest powers itself off when the commands are done.
    power_off: bool = False
    #: Whether root is logged in on the console (a throw-away guest, on the caller's terminal).
    console_login: bool = False
    metadata: dict[str, str] = field(default_factory=dict)


class ConfigDriveError(ImageError):
    """The config drive cannot be made."""


def meta_data(instance: Instance) -> dict[str, Any]:
    """Return ``meta_data.json``."""
    return {
        "uuid": instance.uuid,
        "name": instance.hostname,
        "hostname": instance.hostname,
        "meta": instance.metadata,
        "public_keys": {f"key{number}": key for number, key in enumerate(instance.ssh_keys)},
    }


def network_data(nics: Sequence[GuestNic]) -> dict[str, Any]:
    """Return ``network_data.json``: a static address for every NIC that the machine has."""
    present = [nic for nic in nics if nic.present]
    return {
        "links": [
            {
                "id": f"port{nic.number}",
                "type": "phy",
                "ethernet_mac_address": nic.wanted_mac,
                "mtu": 1500,
            }
            for nic in present
        ],
        "networks": [
            {
                "id": f"network{nic.number}",
                "network_id": f"network{nic.number}",
                "type": "ipv4",
                "link": f"port{nic.number}",
                "ip_address": nic.address,
                "netmask": "255.255.255.0",
                "routes": [],
            }
            for nic in present
        ],
        "services": [],
    }


def vendor_script(instance: Instance) -> str:
    """Return the script that cloud-init runs from the vendor data.

    It leaves the work to a unit that starts when cloud-init is done: from inside cloud-init one
    cannot wait for cloud-init.
    """
    plan = {
        "poke": [nic.gateway for nic in instance.nics if nic.present],
        "steps": [{"name": step.name, "command": step.command} for step in instance.steps],
        "power_off": instance.power_off,
    }
    lines = [
        "#!/bin/sh",
        "set -eu",
        "mkdir -p /run/dpm-image",
        *_file(
            "/run/dpm-image/in_guest.py", files("dpm_image").joinpath("in_guest.py").read_text()
        ),
        *_file("/run/dpm-image/plan.json", json.dumps(plan)),
        "systemd-run --quiet --no-block --unit=dpm-image-report "
        "--property=After=cloud-final.service "
        "python3 /run/dpm-image/in_guest.py /run/dpm-image/plan.json",
    ]
    if instance.console_login:
        unit = "serial-getty@ttysclp0.service"
        lines += [
            f"mkdir -p /run/systemd/system/{unit}.d",
            *_file(
                f"/run/systemd/system/{unit}.d/dpm-image.conf",
                "[Service]\nExecStart=\n"
                "ExecStart=-/sbin/agetty --autologin root --keep-baud 115200 - vt220\n",
            ),
            "systemctl daemon-reload",
            f"systemctl restart --no-block {unit}",
        ]
    return "\n".join(lines) + "\n"


def _file(path: str, content: str) -> list[str]:
    if _DELIMITER in content:
        raise ConfigDriveError(f"{path}: its content must not have {_DELIMITER} in it")
    return [f"cat >{shlex.quote(path)} <<'{_DELIMITER}'", content.rstrip("\n"), _DELIMITER]


def contents(instance: Instance) -> dict[str, str]:
    """Return the files of the config drive, by path."""
    found = {
        "openstack/latest/meta_data.json": json.dumps(meta_data(instance), indent=1),
        "openstack/latest/network_data.json": json.dumps(network_data(instance.nics), indent=1),
        "openstack/latest/vendor_data.json": json.dumps({"cloud-init": vendor_script(instance)}),
    }
    if instance.user_data:
        found["openstack/latest/user_data"] = instance.user_data
    return found


def write(instance: Instance, target: Path) -> None:
    """Make the config drive: an ISO 9660 file system in the file `target`."""
    with tempfile.TemporaryDirectory(prefix="dpm-image-") as folder:
        for name, text in contents(instance).items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        answer = subprocess.run(
            [
                *("genisoimage", "-quiet", "-volid", LABEL, "-joliet", "-rock"),
                *("-output", str(target), folder),
            ],
            check=False,
            text=True,
            capture_output=True,
        )
    if answer.returncode:
        raise ConfigDriveError(f"genisoimage cannot write {target}: {answer.stderr.strip()}")
