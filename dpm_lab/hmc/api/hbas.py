"""HBAs: what partitions of a machine without storage management reach their disks with."""

from __future__ import annotations

import re
from typing import Any

from dpm_lab.hmc.api import devices, fields
from dpm_lab.hmc.api.calls import Call
from dpm_lab.hmc.api.refusals import Reason, bad, not_unique, unknown
from dpm_lab.hmc.api.resources import Resource
from dpm_lab.hmc.api.tree import Tree

_HEXADECIMAL = re.compile(r"[0-9a-f]{16}")


def create(call: Call) -> Any:
    """Create HBA."""
    tree = call.tree
    partition = tree.partition(call.path)
    tree.check_settled(partition)
    if tree.machine(partition).has_storage_management:
        # zhmcclient says that there are no HBAs with the feature; which error it is, is guessed.
        raise Reason.WRONG_STATE(
            "HBAs cannot be created: the CPC has the feature dpm-storage-management"
        )
    body = call.object("name", "adapter-port-uri")
    for name in body:
        if name not in fields.HBA and name != "adapter-port-uri":
            raise unknown(name)
    _check_values(partition, body)
    check_port(tree, "adapter-port-uri", body["adapter-port-uri"], partition.owner)
    body["device-number"] = devices.choose(tree, partition, body.get("device-number"))
    body.setdefault("description", "")
    body["wwpn"] = tree.new_wwpn()
    return {"element-uri": tree.add("hba", partition, body).uri}


def check_port(tree: Tree, field: str, uri: object, cpc: Resource) -> Resource:
    """Check that a URI is that of a port of an FCP adapter of the CPC, and return the port.

    Raises:
        Refusal: 404, 2: it does not exist; 400, 7 (guessed): it is another kind of port.
    """
    port = tree.refer(field, uri)
    adapter = port.owner
    if adapter.properties.get("type") != "fcp" or port.properties["class"] != "storage-port":
        raise bad(field, uri, "it is no port of an FCP adapter")
    if adapter.owner is not cpc:
        raise bad(field, uri, f"it is no port of CPC {cpc.name}")
    return port


def check_hexadecimal(body: dict[str, Any], *names: str) -> None:
    """Check fields that are world wide port names or LUNs.

    Raises:
        Refusal: 400, 7.
    """
    for name in names:
        if not isinstance(body[name], str) or not _HEXADECIMAL.fullmatch(body[name]):
            raise bad(name, body[name], "it has 16 hexadecimal digits in lower case")


def update(call: Call) -> Any:
    """Update HBA Properties."""
    tree = call.tree
    hba = tree.find(call.path)
    partition = hba.owner
    tree.check_settled(partition)
    body = call.object()
    for name in body:
        if name not in fields.HBA:
            raise unknown(name)
    _check_values(partition, body, hba)
    if "device-number" in body:
        body["device-number"] = devices.choose(tree, partition, body["device-number"], hba.uri)
    hba.properties.update(body)


def delete(call: Call) -> Any:
    """Delete HBA."""
    tree = call.tree
    hba = tree.find(call.path)
    partition = hba.owner
    tree.check_settled(partition)
    tree.remove(hba)
    # That a boot device that goes leaves the partition without one is guessed.
    if partition.properties["boot-storage-device"] == hba.uri:
        partition.properties.update({"boot-device": "none", "boot-storage-device": None})


def reassign(call: Call) -> Any:
    """Reassign Storage Adapter Port."""
    tree = call.tree
    hba = tree.find(call.base)
    partition = hba.owner
    tree.check_settled(partition)
    uri = call.object("adapter-port-uri")["adapter-port-uri"]
    check_port(tree, "adapter-port-uri", uri, partition.owner)
    hba.properties["adapter-port-uri"] = uri


def _check_values(partition: Resource, body: dict[str, Any], hba: Resource | None = None) -> None:
    if "name" not in body:
        return
    name = body["name"]
    if not isinstance(name, str) or not 1 <= len(name) <= 64:
        raise bad("name", name, "it has 1 to 64 characters")
    if any(other.name == name for other in partition.of("hba") if other is not hba):
        raise not_unique("name", name, f"partition {partition.name}")
