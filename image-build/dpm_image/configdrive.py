"""The config drive that a booted image gets: what OpenStack would tell it, and our commands.

The network data names interfaces by their *wanted* MACs, as OpenStack does. So cloud-init itself
fails, and says so, where the agent has not done its work before it.

The user data stay the user's own, byte for byte. Our commands ride in the vendor data, which
cloud-init runs beside them.
"""

from __future__ import annotations

import json
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

#: Our own folder, on the drive and in the guest.
_FOLDER = "dpm-image"

_DELIMITER = "END_OF_SCRIPT"


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


def plan(instance: Instance) -> dict[str, Any]:
    """Return what :mod:`dpm_image.in_guest` is told to do."""
    return {
        "poke": [nic.gateway for nic in instance.nics if nic.present],
        "steps": [{"name": step.name, "command": step.command} for step in instance.steps],
        "power_off": instance.power_off,
    }


def vendor_script(instance: Instance) -> str:
    """Return the script that cloud-init runs from the vendor data.

    cloud-init runs it in an instance's first boot only. So what it does is put a script where
    cloud-init runs it in every boot, this one included: a disk that is kept answers again.
    """
    target = f"/var/lib/cloud/scripts/per-boot/{_FOLDER}"
    lines = ["#!/bin/sh", "set -eu", "mkdir -p /var/lib/cloud/scripts/per-boot"]
    lines += [f"cat >{target} <<'{_DELIMITER}'", boot_script(instance).rstrip("\n"), _DELIMITER]
    lines += [f"chmod 0755 {target}"]
    return "\n".join(lines) + "\n"


def boot_script(instance: Instance) -> str:
    """Return the script that starts :mod:`dpm_image.in_guest` with the plan of this boot's drive.

    It leaves the work to a unit that starts when cloud-init is done: from inside cloud-init one
    cannot wait for cloud-init. On a drive that is not ours it finds nothing to do.
    """
    lines = [
        "#!/bin/sh",
        "set -eu",
        f"mkdir -p /run/{_FOLDER}/drive",
        f"mount -o ro -t iso9660 /dev/disk/by-label/{LABEL} /run/{_FOLDER}/drive || exit 0",
        f"cp /run/{_FOLDER}/drive/{_FOLDER}/* /run/{_FOLDER}/ || true",
        f"umount /run/{_FOLDER}/drive",
        f"[ -e /run/{_FOLDER}/plan.json ] || exit 0",
        f"systemd-run --quiet --no-block --unit={_FOLDER}-report "
        "--property=After=cloud-final.service "
        f"python3 /run/{_FOLDER}/in_guest.py /run/{_FOLDER}/plan.json",
    ]
    if instance.console_login:
        unit = "serial-getty@ttysclp0.service"
        agetty = "-/sbin/agetty --autologin root --keep-baud 115200 - vt220"
        lines += [
            f"mkdir -p /run/systemd/system/{unit}.d",
            f"printf '[Service]\\nExecStart=\\nExecStart={agetty}\\n' "
            f">/run/systemd/system/{unit}.d/{_FOLDER}.conf",
            "systemctl daemon-reload",
            f"systemctl restart --no-block {unit}",
        ]
    return "\n".join(lines) + "\n"


def contents(instance: Instance) -> dict[str, str]:
    """Return the files of the config drive, by path."""
    found = {
        "openstack/latest/meta_data.json": json.dumps(meta_data(instance), indent=1),
        "openstack/latest/network_data.json": json.dumps(network_data(instance.nics), indent=1),
        "openstack/latest/vendor_data.json": json.dumps({"cloud-init": vendor_script(instance)}),
        f"{_FOLDER}/plan.json": json.dumps(plan(instance)),
        f"{_FOLDER}/in_guest.py": files("dpm_image").joinpath("in_guest.py").read_text("utf-8"),
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
