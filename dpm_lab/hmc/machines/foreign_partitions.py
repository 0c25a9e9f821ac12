"""Partitions of somebody else's machine with their NICs and HBAs, made complete."""

from __future__ import annotations

import itertools
import uuid
from typing import Any

from dpm_lab.hmc.machines.foreign import cleaned, port_uris
from dpm_lab.hmc.machines.machine import NETWORK_EXPRESS, NIC_TYPES, Definition
from dpm_lab.hmc.machines.partition import PARTITION, SMALLEST
from dpm_lab.hmc.machines.report import Report

_IDS = uuid.UUID("7d9f3f58-98a5-5d0e-b7c6-3c1f5bb0c901")


def complete_partitions(
    source: Definition,
    cpc: Definition,
    report: Report,
    *,
    has_storage: bool,
    api: tuple[int, int],
) -> list[Definition]:
    """Return the partitions of `source`, which hang on what is in `cpc` already."""
    switches = {
        f"/api/virtual-switches/{each['properties']['object-id']}": each["properties"]["type"]
        for each in cpc["virtual_switches"]
    }
    ports = {uri: each for each in cpc["adapters"] for uri in port_uris(each)}
    made = []
    for partition in source.get("partitions") or []:
        properties = cleaned(partition["properties"])
        _fill(properties, report, has_storage=has_storage)
        if api >= (2, 23) and "available-features-list" not in properties:
            features = cpc["properties"].get("available-features-list", [])
            properties["available-features-list"] = features
        nics = _nics(partition, properties["name"], switches, ports, report)
        hbas: list[Definition] = []
        if not has_storage:
            hbas = _hbas(partition, properties["name"], ports, report)
        for key in partition.keys() - {"properties", "nics", *(() if has_storage else ("hbas",))}:
            if partition[key]:
                what = key.replace("_", " ")
                report.say(
                    f"Partition {properties['name']}: {what} ({len(partition[key])}) not used:"
                    " the CPC of the lab has none."
                )
        made.append({"properties": properties, "nics": nics, "hbas": hbas})
    return made


def _fill(properties: dict[str, Any], report: Report, *, has_storage: bool) -> None:
    wanted = {
        **PARTITION,
        "short-name": str(properties["name"])[:8].upper(),
        "ifl-processors": 0 if properties.get("cp-processors") else 1,
        "initial-memory": properties.get("maximum-memory", SMALLEST),
        "maximum-memory": properties.get("initial-memory", SMALLEST),
        "reserved-memory": 0,
    }
    if has_storage:
        wanted |= {"storage-group-uris": [], "tape-link-uris": []}
    else:
        properties.pop("storage-group-uris", None)
        del wanted["boot-storage-volume"]
    report.fill("partitions", properties, wanted)


def _nics(
    partition: Definition,
    owner: str,
    switches: dict[str, str],
    ports: dict[str, Definition],
    report: Report,
) -> list[Definition]:
    made = []
    numbers = itertools.count(0x8000, 3)
    for number, nic in enumerate(partition.get("nics") or []):
        each = cleaned(nic["properties"])
        name = each.setdefault("name", f"nic {number}")
        kind = _nic_type(each, switches, ports)
        if kind is None:
            report.say(
                f"NIC {name} of partition {owner} is not used: the lab has nothing that it hangs"
                " on."
            )
            continue
        digits = uuid.uuid5(_IDS, f"{owner}/{name}").hex[:6]
        mac = ":".join(["02", "fe", "e6", digits[:2], digits[2:4], digits[4:]])
        wanted = {
            "element-id": str(number),
            "type": kind,
            "description": "",
            "device-number": f"{next(numbers):04x}",
            "mac-address": mac,
            "vlan-id": None,
        }
        report.fill("NICs", each, wanted)
        each["device-number"] = str(each["device-number"]).lower()
        made.append({"properties": each})
    return made


def _nic_type(
    nic: dict[str, Any], switches: dict[str, str], ports: dict[str, Definition]
) -> str | None:
    """Return the type that a NIC has by what it hangs on; drop the field that names nothing."""
    switch, port = nic.get("virtual-switch-uri"), nic.get("network-adapter-port-uri")
    if switch in switches:
        nic.pop("network-adapter-port-uri", None)
        return NIC_TYPES.get(switches[str(switch)])
    nic.pop("virtual-switch-uri", None)
    if port in ports:
        adapter = ports[str(port)]["properties"]
        if adapter["adapter-family"] == "network-express":
            return NETWORK_EXPRESS[0]
        return NIC_TYPES.get(adapter["type"])
    return None


def _hbas(
    partition: Definition, owner: str, ports: dict[str, Definition], report: Report
) -> list[Definition]:
    made = []
    for number, hba in enumerate(partition.get("hbas") or []):
        each = cleaned(hba["properties"])
        name = each.setdefault("name", f"hba {number}")
        if each.get("adapter-port-uri") not in ports:
            report.say(f"HBA {name} of partition {owner} is not used: its port is not in the file.")
            continue
        wanted = {
            "element-id": str(number),
            "description": "",
            "device-number": f"{0x7000 + number:04x}",
            "wwpn": f"c05076fe{uuid.uuid5(_IDS, f'{owner}/{name}').hex[:8]}",
        }
        report.fill("HBAs", each, wanted)
        made.append({"properties": each})
    return made
