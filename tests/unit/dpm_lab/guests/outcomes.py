"""What two NICs of a guest come to, right but for what a test says."""

from __future__ import annotations

import json

from dpm_lab.guests import Result
from dpm_lab.guests.qemu.guest import Outcome
from dpm_lab.guests.qemu.nics import machine_nics, read_tuples
from dpm_lab.guests.qemu.report import CloudInit

NICS = machine_nics(read_tuples("0001,1,0a0000000011;0600,0,0a0000000012;"))

# As guests say it: a virtio device's path names subchannel and device, a qeth device's the group.
INTERFACES = """\
enc1 0a:00:00:00:00:11 /sys/devices/css0/0.0.0003/0.0.0001/virtio3
enc600 0a:00:00:00:00:12 /sys/devices/qeth/0.0.0600
"""
ADDRESSES = json.dumps(
    [
        {"ifname": "lo", "addr_info": [{"local": "127.0.0.1"}]},
        {"ifname": "enc1", "addr_info": [{"local": "198.18.1.15"}]},
        {"ifname": "enc600", "addr_info": [{"local": "198.18.2.15"}, {"local": "fe80::1"}]},
    ]
)
STATUS = json.dumps(
    {
        "ok": True,
        "nics": [
            {"devno": "0001", "ok": True, "reasons": []},
            {"devno": "0600", "ok": True, "reasons": []},
        ],
    }
)
SEEN: dict[str, tuple[str, ...]] = {"0001": ("0a:00:00:00:00:11",), "0600": ("0a:00:00:00:00:12",)}


def outcome(
    status: str = STATUS,
    interfaces: str = INTERFACES,
    addresses: str = ADDRESSES,
    seen: dict[str, tuple[str, ...]] | None = None,
    errors: tuple[str, ...] | None = (),
    code: int = 0,
) -> Outcome:
    steps = {
        "status": Result(code, "the table\n"),
        "status-json": Result(code, status),
        "interfaces": Result(0, interfaces),
        "addresses": Result(0, addresses),
    }
    return Outcome(CloudInit(errors, "ConfigDrive"), steps, SEEN if seen is None else seen, 60.0)
