"""What a booted image is told about itself: what OpenStack would tell it, and our commands.

The network data names interfaces by their *wanted* MACs, as OpenStack does. So cloud-init itself
fails, and says so, where the agent has not done its work before it.

The user data stay the user's own, byte for byte. The program that runs our commands rides in the
vendor data, which cloud-init runs beside them, whichever way they reach the guest: by ``metadata``
or by ``configdrive``. Nothing that is not OpenStack's is added to either.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

from dpm_lab.guests.qemu.nics import GuestNic

#: Our own folder in the guest, below /run.
_FOLDER = "dpm-image"

_DELIMITER = "END_OF_FILE"

#: The second line of our vendor data: later boots find other vendor data, or ours of that boot.
_MARK = "# dpm-image: commands of this boot"

#: Where cloud-init keeps the vendor data as it got them, anew in every boot in which it asks its
#: datasource (cloudinit/helpers.py: vendordata_raw). It does so in every boot here: a partition has
#: no DMI, by which it would know that it is still the same instance.
_VENDOR_DATA = "/var/lib/cloud/instance/vendor-data.txt"

_PER_BOOT = f"/var/lib/cloud/scripts/per-boot/{_FOLDER}"

#: How interfaces get their addresses: as the network data say, or by DHCP.
Addresses = Literal["static", "dhcp"]


@dataclass(frozen=True)
class Instance:
    """What a guest is told about itself."""

    nics: Sequence[GuestNic]
    user_data: str = ""
    ssh_keys: Sequence[str] = ()
    hostname: str = "partition"
    uuid: str = "6e6f7661-6470-4d00-8000-000000000001"
    #: Whether root is logged in on the console (a throw-away guest, on the caller's terminal).
    console_login: bool = False


def meta_data(instance: Instance) -> dict[str, Any]:
    """Return ``meta_data.json``."""
    return {
        "uuid": instance.uuid,
        "name": instance.hostname,
        "hostname": instance.hostname,
        "meta": {},
        "public_keys": {f"key{number}": key for number, key in enumerate(instance.ssh_keys)},
    }


def network_data(nics: Sequence[GuestNic], addresses: Addresses) -> dict[str, Any]:
    """Return ``network_data.json``: an address for every NIC that the machine has.

    QEMU's DHCP server gives the first client of a network the address that is written down here.
    """
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
                "link": f"port{nic.number}",
                **_network(nic, addresses),
            }
            for nic in present
        ],
        "services": [],
    }


def _network(nic: GuestNic, addresses: Addresses) -> dict[str, Any]:
    if addresses == "dhcp":
        # As Nova writes it for a subnet with a DHCP server (nova/virt/netutils.py: _get_nets).
        return {"type": "ipv4_dhcp"}
    return {
        "type": "ipv4",
        "ip_address": nic.address,
        "netmask": "255.255.255.0",
        "routes": [],
    }


def vendor_script(instance: Instance) -> str:
    """Return the script that is the vendor data: it starts :mod:`dpm_lab.guests.qemu.in_guest`.

    cloud-init runs it in an instance's first boot only. So what it does then is put a script where
    cloud-init runs it in every boot, this one included, which runs the vendor data of that boot:
    a disk that is kept answers again, also where its network does not work.

    The work is left to a unit that starts when cloud-init is done: from inside cloud-init one
    cannot wait for cloud-init.
    """
    per_boot = [
        "#!/bin/sh",
        f"[ \"$(sed -n 2p {_VENDOR_DATA})\" = '{_MARK}' ] || exit 0",
        f"exec sh {_VENDOR_DATA} now",
    ]
    program = files("dpm_lab.guests.qemu").joinpath("in_guest.py").read_text("utf-8")
    gateways = [nic.gateway for nic in instance.nics if nic.present]
    lines = [
        "#!/bin/sh",
        _MARK,
        "set -eu",
        'if [ "${1:-}" != now ]; then',
        f"mkdir -p {_PER_BOOT.rpartition('/')[0]}",
        *_file(_PER_BOOT, per_boot),
        f"chmod 0755 {_PER_BOOT}",
        "exit 0",
        "fi",
        f"mkdir -p /run/{_FOLDER}",
        *_file(f"/run/{_FOLDER}/in_guest.py", program.splitlines()),
        f"systemd-run --quiet --no-block --unit={_FOLDER}-report "
        "--property=After=cloud-final.service "
        f"python3 /run/{_FOLDER}/in_guest.py {' '.join(gateways)}",
        *(_console_login() if instance.console_login else ()),
    ]
    return "\n".join(lines) + "\n"


def _file(target: str, lines: Sequence[str]) -> list[str]:
    return [f"cat >{target} <<'{_DELIMITER}'", *lines, _DELIMITER]


def _console_login() -> list[str]:
    unit = "serial-getty@ttysclp0.service"
    agetty = "-/sbin/agetty --autologin root --keep-baud 115200 - vt220"
    return [
        f"mkdir -p /run/systemd/system/{unit}.d",
        f"printf '[Service]\\nExecStart=\\nExecStart={agetty}\\n' "
        f">/run/systemd/system/{unit}.d/{_FOLDER}.conf",
        "systemctl daemon-reload",
        f"systemctl restart --no-block {unit}",
    ]


def documents(instance: Instance, addresses: Addresses) -> dict[str, str]:
    """Return the documents of OpenStack's metadata, by their names."""
    found = {
        "meta_data.json": json.dumps(meta_data(instance), indent=1),
        "network_data.json": json.dumps(network_data(instance.nics, addresses), indent=1),
        "vendor_data.json": json.dumps({"cloud-init": vendor_script(instance)}),
    }
    if instance.user_data:
        found["user_data"] = instance.user_data
    return found
