"""Adapters, virtual switches and storage groups of somebody else's machine, made complete."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from dpm_lab.hmc.machines.machine import FAMILIES, SWITCHED, Definition, port_properties
from dpm_lab.hmc.machines.report import Report

_IDS = uuid.UUID("0b7a5a1e-6a44-5f6e-8f9a-7a6f2f1d8c11")
#: Families of adapters, and the type that a card of each has where nothing tells.
_TYPES = {
    "osa": "osd",
    "hipersockets": "hipersockets",
    "roce": "roce",
    "cna": "cna",
    "network-express": "network-express-hybrid",
    "ficon": "not-configured",
    "crypto": "crypto",
    "accelerator": "zedc",
    "nvme": "nvme",
}
_FAMILIES = {
    **FAMILIES,
    **{kind: family for family, kind in _TYPES.items()},
    "fc": "ficon",
    "osm": "osa",
}
_WITH_PORTS = ("osa", "hipersockets", "roce", "cna", "network-express", "ficon")
_STORAGE = "ficon"
#: Properties that follow from where a resource is and from what is below it.
_MADE = frozenset(
    {
        "class",
        "connected-vnic-uris",
        "element-uri",
        "hba-uris",
        "network-port-uris",
        "nic-uris",
        "object-uri",
        "parent",
        "storage-port-uris",
        "storage-volume-uris",
        "tape-link-uris",
        "virtual-function-uris",
        "virtual-storage-resource-uris",
    }
)


def cleaned(properties: dict[str, Any]) -> dict[str, Any]:
    """Return properties without those that follow from what is added."""
    return {name: value for name, value in properties.items() if name not in _MADE}


def complete_adapters(adapters: list[Definition], report: Report) -> list[Definition]:
    """Return the adapters that the lab can have."""
    return [made for each in adapters if (made := _adapter(each, report)) is not None]


def _adapter(adapter: Definition, report: Report) -> Definition | None:
    properties = cleaned(adapter["properties"])
    kind, family = properties.get("type"), properties.get("adapter-family")
    if family is None and kind in _FAMILIES:
        report.fill("adapters", properties, {"adapter-family": _FAMILIES[kind]})
    if kind is None and family in _TYPES:
        report.fill("adapters", properties, {"type": _TYPES[family]})
    if "adapter-family" not in properties or "type" not in properties:
        report.say(
            f"Adapter {properties['name']} is not used: neither 'adapter-family' nor 'type'"
            f" tells what it is ({family or kind or 'both are missing'})."
        )
        return None
    ports = [dict(port.get("properties") or {}) for port in adapter.get("ports") or []]
    if properties["adapter-family"] in _WITH_PORTS:
        wanted = int(properties.get("port-count") or len(ports) or 1)
        for index in range(len(ports), wanted):
            ports.append(port_properties(index))
            report.make("ports")
    for index, port in enumerate(ports):
        report.fill("ports", port, port_properties(index))
    wanted_properties: dict[str, Any] = {
        "description": "",
        "status": "active",
        "state": "online",
        "physical-channel-status": "operating",
        "adapter-id": "",
        "card-location": "",
        "detected-card-type": "unknown",
    }
    properties.setdefault("port-count", len(ports))
    report.fill("adapters", properties, wanted_properties)
    return {"properties": properties, "ports": [{"properties": cleaned(port)} for port in ports]}


def port_uris(adapter: Definition) -> list[str]:
    """Return the URIs that the ports of an adapter will have."""
    properties = adapter["properties"]
    kind = "storage" if properties["adapter-family"] == _STORAGE else "network"
    return [
        f"/api/adapters/{properties['object-id']}/{kind}-ports/{port['properties']['element-id']}"
        for port in adapter["ports"]
    ]


def complete_switches(
    switches: list[Definition], adapters: list[Definition], report: Report, *, present: bool
) -> list[Definition]:
    """Return the virtual switches: one for each port of an OSA or HiperSockets adapter, or none."""
    if not present:
        if switches:
            report.say(
                f"{len(switches)} virtual switches are not used: with network-express-support"
                " there are none."
            )
        return []
    backing = {f"/api/adapters/{each['properties']['object-id']}": each for each in adapters}
    made = []
    taken = set()
    for switch in switches:
        properties = cleaned(switch["properties"])
        adapter = backing.get(str(properties.get("backing-adapter-uri")))
        if adapter is None:
            report.say(
                f"Virtual switch {properties['name']} is not used: its backing adapter"
                f" {properties.get('backing-adapter-uri')} is not in the file."
            )
            continue
        kind = adapter["properties"]["type"]
        report.fill("virtual switches", properties, {"port": 0, "type": kind, "description": ""})
        taken.add((properties["backing-adapter-uri"], properties["port"]))
        made.append({"properties": properties})
    for uri, port, each in _switchless(backing, taken):
        name = f"{each['properties']['name']} port {port}"
        report.make("virtual switches")
        properties = {
            "object-id": str(uuid.uuid5(_IDS, f"{uri}/{port}")),
            "name": name,
            "description": "",
            "type": each["properties"]["type"],
            "port": port,
            "backing-adapter-uri": uri,
        }
        made.append({"properties": properties})
    return made


def _switchless(
    backing: dict[str, Definition], taken: set[tuple[str, int]]
) -> Iterator[tuple[str, int, Definition]]:
    """Iterate over the ports that up to z16 have a switch and here have none."""
    for uri, adapter in backing.items():
        if adapter["properties"]["type"] in SWITCHED:
            for port in adapter["ports"]:
                index = port["properties"]["index"]
                if (uri, index) not in taken:
                    yield uri, index, adapter


def complete_groups(
    groups: list[Definition], cpc: Definition, report: Report, *, alone: bool
) -> list[Definition]:
    """Return the storage groups of a CPC; one that names no CPC is that of the only one."""
    cpc_uri = f"/api/cpcs/{cpc['properties']['object-id']}"
    partitions = {
        f"/api/partitions/{each['properties']['object-id']}": each["properties"]
        for each in cpc["partitions"]
    }
    ports = {uri for adapter in cpc["adapters"] for uri in port_uris(adapter)}
    made = []
    for group in groups:
        properties = group["properties"]
        if "cpc-uri" not in properties and alone:
            report.fill("storage groups", properties, {"cpc-uri": cpc_uri})
        if properties.get("cpc-uri") == cpc_uri:
            made.append(_group(group, partitions, ports, report))
    attached = {f"/api/storage-groups/{each['properties']['object-id']}": each for each in made}
    for partition in partitions.values():
        known = [uri for uri in partition["storage-group-uris"] if uri in attached]
        if known != partition["storage-group-uris"]:
            report.say(f"Partition {partition['name']} has storage groups that the file has not.")
        partition["storage-group-uris"] = known
    for uri, partition in partitions.items():
        for group_uri in partition["storage-group-uris"]:
            _attach(attached[group_uri], uri, ports, report)
    for uri, each in attached.items():
        for resource in each["virtual_storage_resources"]:
            uris = partitions[resource["properties"]["partition-uri"]]["storage-group-uris"]
            if uri not in uris:
                uris.append(uri)
    return made


def _attach(group: Definition, partition_uri: str, ports: set[str], report: Report) -> None:
    """Make the resources of a group at a partition, where the file has none of them."""
    present = group["virtual_storage_resources"]
    if any(each["properties"]["partition-uri"] == partition_uri for each in present):
        return
    properties = group["properties"]
    for _ in range(properties["connectivity"] if properties["type"] == "fcp" else 0):
        each = {"partition-uri": partition_uri}
        number = len(present)
        quiet = Report()  # it is said as a whole
        made = _storage_resource(each, properties["name"], number, ports, quiet)
        present.append({"properties": made})
        report.make("virtual storage resources")


def _group(
    group: Definition, partitions: dict[str, Any], ports: set[str], report: Report
) -> Definition:
    properties = cleaned(group["properties"])
    name = properties["name"]
    if properties.get("type", "fcp") != "fcp":
        report.say(
            f"Storage group {name} is of type {properties['type']}: it is shown, and not for use."
        )
    wanted: dict[str, Any] = {
        "type": "fcp",
        "description": "",
        "shared": True,
        "connectivity": 2,
        "fulfillment-state": "pending",
        "max-partitions": 2 if properties.get("shared", True) else 1,
        "direct-connection-count": 0,
        "candidate-adapter-port-uris": [],
        "unassigned-world-wide-port-names": [],
    }
    report.fill("storage groups", properties, wanted)
    for key in ("connectivity", "max-partitions"):
        properties.setdefault(f"active-{key}", properties[key])
    volumes = []
    for number, volume in enumerate(group.get("storage_volumes") or []):
        each = cleaned(volume["properties"])
        defaults: dict[str, Any] = {
            "element-id": str(number),
            "name": f"{name}_{number:02d}",
            "size": 1.0,
            "usage": "data",
            "fulfillment-state": "pending",
            "description": "",
            "active-size": each.get("size", 1.0),
            "uuid": None,
            "paths": [],
        }
        report.fill("storage volumes", each, defaults)
        volumes.append({"properties": each})
    resources = []
    for number, resource in enumerate(group.get("virtual_storage_resources") or []):
        each = cleaned(resource["properties"])
        if each.get("partition-uri") not in partitions:
            report.say(f"A virtual storage resource of {name} is not used: no such partition.")
            continue
        resources.append({"properties": _storage_resource(each, name, number, ports, report)})
    return {
        "properties": properties,
        "storage_volumes": volumes,
        "virtual_storage_resources": resources,
    }


def _storage_resource(
    each: dict[str, Any], group: str, number: int, ports: set[str], report: Report
) -> dict[str, Any]:
    port = each.get("adapter-port-uri")
    if port is not None and port not in ports:
        report.say(f"A virtual storage resource of {group} has no port: {port} is none.")
        each["adapter-port-uri"] = None
    wwpn = f"c05076fe{uuid.uuid5(_IDS, f'{group}/{number}').hex[:8]}"
    info = each.get("world-wide-port-name-info") or {}
    wwpn = str(each.get("world-wide-port-name") or info.get("world-wide-port-name") or wwpn)
    wanted = {
        "element-id": str(number),
        "name": f"vhba_{group}_{number}",
        "description": "",
        "device-number": f"{0x7000 + number:04x}",
        "adapter-port-uri": None,
        "world-wide-port-name": wwpn,
        "world-wide-port-name-info": {"world-wide-port-name": wwpn, "status": "not-validated"},
    }
    report.fill("virtual storage resources", each, wanted)
    return each
