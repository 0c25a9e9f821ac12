"""Storage groups of FCP volumes."""

from __future__ import annotations

from typing import Any

from dpm_lab.hmc.api import attachments, devices, hbas, volumes
from dpm_lab.hmc.api.calls import Accepted, Call
from dpm_lab.hmc.api.jobs import Work
from dpm_lab.hmc.api.listings import listing, matches
from dpm_lab.hmc.api.refusals import (
    Reason,
    bad,
    busy,
    missing,
    not_found,
    not_unique,
    unknown,
    wrong_state,
)
from dpm_lab.hmc.api.resources import Resource
from dpm_lab.hmc.api.tree import Tree

# Fields of "Modify Storage Group Properties" (zhmc_storage_group.py of zhmc-ansible-modules).
_MODIFY = frozenset(
    {
        "connectivity",
        "description",
        "direct-connection-count",
        "email-cc-addresses",
        "email-insert",
        "email-to-addresses",
        "max-partitions",
        "name",
        "shared",
        "storage-volumes",
        "virtual-machine-count",
    }
)
#: "Create Storage Group" has no `candidate-adapter-port-uris`, says the same source: ports come
#: with an operation of their own.
_CREATE = _MODIFY | {"cpc-uri", "type"}
_PORTS = "candidate-adapter-port-uris"
_DISCOVERY = (2, 37)


_LISTING = listing(
    "storage-group",
    "cpc-uri name fulfillment-state type",
    "cpc-uri name fulfillment-state type",
)


def list_groups(call: Call) -> Any:
    """List Storage Groups, where some machine has storage management at all."""
    machines = call.tree.machines
    # An HMC that knows them lists none where no CPC of it has any.
    if call.tree.hmc_version < "2.14" and not any(m.has_storage_management for m in machines):
        raise not_found(call.path)
    return _LISTING(call)


def create(call: Call) -> Any:
    """Create Storage Group."""
    tree = call.tree
    body = call.object("name", "cpc-uri", "type")
    cpc = tree.refer("cpc-uri", body["cpc-uri"])
    if not tree.machine(cpc).has_storage_management:
        raise not_found(call.path)
    tree.check_cpc(cpc)
    for name in body:
        if name == _PORTS:
            raise Reason.UNKNOWN(
                f"The field {_PORTS!r} is not known; ports are added with"
                " /operations/add-candidate-adapter-ports",
            )
        if name not in _CREATE:
            raise unknown(name)
    if body["type"] != "fcp":
        raise bad("type", body["type"], "this HMC has groups of type 'fcp' only")
    _check_values(tree, cpc.uri, body)
    requests = volumes.check(tree, None, body.pop("storage-volumes", []))
    properties: dict[str, Any] = {
        "description": "",
        "shared": True,
        "connectivity": 2,  # guessed
        "direct-connection-count": 0,
        "fulfillment-state": "pending",
        _PORTS: [],
        **{name: value for name, value in body.items() if not name.startswith("email-")},
    }
    properties.setdefault("max-partitions", 2 if properties["shared"] else 1)  # guessed
    properties["active-connectivity"] = properties["connectivity"]
    properties["active-max-partitions"] = properties["max-partitions"]
    count = properties["connectivity"] * properties["max-partitions"]
    properties["unassigned-world-wide-port-names"] = [
        attachments.wwpn_info(tree) for _ in range(count)
    ]
    group = tree.add("storage-group", tree.console, properties)
    made = volumes.carry_out(tree, group, requests)
    return {"object-uri": group.uri, "element-uris": made}


def _check_values(
    tree: Tree, cpc_uri: str, new: dict[str, Any], old: Resource | None = None
) -> None:
    if "name" in new:
        name = new["name"]
        if not isinstance(name, str) or not 1 <= len(name) <= 64:
            raise bad("name", name, "it has 1 to 64 characters")
        if any(g.name == name for g in tree.storage_groups(cpc_uri) if g is not old):
            raise not_unique("name", name, "the CPC's storage groups")
    for field in ("connectivity", "max-partitions"):
        value = new.get(field, 1)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise bad(field, value, "it is a number from 1")
    if len(new.get("description") or "") > 200:
        raise bad("description", new["description"], "it has at most 200 characters")


def modify(call: Call) -> Any:
    """Modify Storage Group Properties."""
    tree = call.tree
    group = tree.find(call.base)
    body = call.object()
    call.allow(*_MODIFY)
    _check_values(tree, group.properties["cpc-uri"], body, group)
    requests = volumes.check(tree, group, body.pop("storage-volumes", []))
    group.properties.update({name: body[name] for name in body if not name.startswith("email-")})
    return {"element-uris": volumes.carry_out(tree, group, requests)}


def delete(call: Call) -> Any:
    """Delete Storage Group."""
    tree = call.tree
    group = tree.find(call.base)
    partitions = attachments.partitions_of(tree, group)
    if partitions:
        names = ", ".join(partition.name for partition in partitions)
        raise Reason.GROUP_IN_USE(f"Storage group {group.name} is attached to {names}")
    tree.remove(group)


def get_partitions(call: Call) -> Any:
    """Get Partitions for a Storage Group."""
    group = call.tree.find(call.base)
    query = call.query("name", "status")
    return {
        "partitions": [
            {name: partition.properties[name] for name in ("object-uri", "name", "status", "type")}
            for partition in attachments.partitions_of(call.tree, group)
            if matches(partition.properties, query)
        ]
    }


def add_ports(call: Call) -> Any:
    """Add Candidate Adapter Ports to an FCP Storage Group."""
    tree = call.tree
    group, uris = _ports(call)
    resources = group.of("virtual-storage-resource")
    if any(r.properties["world-wide-port-name-info"]["status"] == "validated" for r in resources):
        # That it is no longer possible then is documented; status and reason are guessed.
        raise wrong_state(f"A port of storage group {group.name} was found by discovery")
    cpc = tree.find(group.properties["cpc-uri"])
    for uri in uris:
        hbas.check_port(tree, "adapter-port-uris", uri, cpc)
        if uri in group.properties[_PORTS]:
            raise Reason.IS_CANDIDATE(f"{uri} is a candidate port of group {group.name}")
    group.properties[_PORTS].extend(uris)
    for partition in attachments.partitions_of(tree, group):
        attachments.assign_ports(tree, group, partition)
    volumes.refresh(group)


def remove_ports(call: Call) -> Any:
    """Remove Candidate Adapter Ports from an FCP Storage Group."""
    group, uris = _ports(call)
    used = {port.properties["adapter-port-uri"] for port in group.of("virtual-storage-resource")}
    for uri in uris:
        if uri not in group.properties[_PORTS]:
            raise Reason.NO_CANDIDATE(f"{uri} is no candidate port of group {group.name}")
        if uri in used:
            raise Reason.CANDIDATE_IN_USE(f"{uri} is used by a virtual storage resource")
    for uri in uris:
        group.properties[_PORTS].remove(uri)


def _ports(call: Call) -> tuple[Any, list[str]]:
    group = call.tree.find(call.base)
    uris = call.object("adapter-port-uris")["adapter-port-uris"]
    if not isinstance(uris, list) or not uris:
        raise missing("adapter-port-uris")
    return group, uris


def discover(call: Call) -> Accepted:
    """Start FCP Storage Discovery: a job that finds the LUNs of data volumes.

    What it finds is guessed: all data volumes of a group that is attached. Boot volumes have to be
    fulfilled by name.
    """
    tree = call.tree
    if tree.api_version < _DISCOVERY:
        raise not_found(call.path)
    group = tree.find(call.base)
    force = (call.body or {}).get("force-restart", False)
    if group.properties.get("lab-discovering") and not force:
        raise busy(f"A discovery of group {group.name} is in progress")
    if not attachments.partitions_of(tree, group):
        # Guessed.
        raise wrong_state(f"Storage group {group.name} is not attached to a partition")
    group.properties["lab-discovering"] = True

    def undone() -> None:
        group.properties.pop("lab-discovering", None)

    def done() -> dict[str, Any]:
        undone()
        attachments.find_ports(tree, group)
        for number, volume in enumerate(group.of("storage-volume")):
            properties = volume.properties
            if (properties["usage"], properties["fulfillment-state"]) == ("data", "pending"):
                volumes.complete(volume, "5005076800000001", f"{number:04x}{0:012x}")
        return {}

    return call.start(Work("discovery", done, undone, can_be_cancelled=False))


def connection_report(call: Call) -> Any:
    """Get Connection Report: the least of it, which is what zhmcclient's example reads."""
    tree = call.tree
    if tree.api_version < _DISCOVERY:
        raise not_found(call.path)
    group = tree.find(call.base)
    complete = group.properties["fulfillment-state"] == "complete"
    return {
        "fcp-storage-subsystems": [
            {
                "storage-configurations": [
                    {
                        "world-wide-port-name": port.properties["world-wide-port-name"],
                        "volumes-configuration-status": (
                            "correct-volumes" if complete else "incorrect-volumes"
                        ),
                    }
                    for port in group.of("virtual-storage-resource")
                ]
            }
        ]
    }


def update_port(call: Call) -> Any:
    """Update Virtual Storage Resource Properties."""
    tree = call.tree
    port = tree.find(call.path)
    body = call.object()
    call.allow("name", "description", "device-number", "adapter-port-uri")
    partition = tree.find(port.properties["partition-uri"])
    tree.check_settled(partition)
    if "device-number" in body:
        body["device-number"] = devices.choose(tree, partition, body["device-number"], port.uri)
    if "adapter-port-uri" in body:
        hbas.check_port(tree, "adapter-port-uri", body["adapter-port-uri"], partition.owner)
    port.properties.update(body)
    volumes.refresh(port.owner)
