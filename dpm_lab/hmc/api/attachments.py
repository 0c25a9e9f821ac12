"""Storage groups at partitions: attach, detach, and the virtual storage resources between them."""

from __future__ import annotations

from typing import Any

from dpm_lab.hmc.api import devices, volumes
from dpm_lab.hmc.api.calls import Call
from dpm_lab.hmc.api.refusals import Reason, not_found, wrong_state
from dpm_lab.hmc.api.resources import Resource
from dpm_lab.hmc.api.statuses import ATTACHABLE
from dpm_lab.hmc.api.tree import Tree


def attach(call: Call) -> Any:
    """Attach Storage Group to Partition."""
    tree = call.tree
    partition, group = _both(call)
    attached = partition.properties["storage-group-uris"]
    if group.uri in attached:
        raise Reason.GROUP_IS_ATTACHED(
            f"Storage group {group.name} is attached to {partition.name}"
        )
    if group.properties["cpc-uri"] != partition.owner.uri:
        raise Reason.GROUP_OF_OTHER_CPC(f"Storage group {group.name} belongs to another CPC")
    others = partitions_of(tree, group)
    if others and not group.properties["shared"]:
        raise Reason.GROUP_NOT_SHARED(f"Storage group {group.name} is not shared, and is attached")
    if len(others) >= group.properties["max-partitions"]:
        raise Reason.GROUP_NOT_SHARED(f"Storage group {group.name} has its maximum of partitions")
    attached.append(group.uri)
    assign_ports(tree, group, partition)
    volumes.refresh(group)


def detach(call: Call) -> Any:
    """Detach Storage Group from Partition."""
    tree = call.tree
    partition, group = _both(call)
    if group.uri not in partition.properties["storage-group-uris"]:
        raise Reason.GROUP_NOT_ATTACHED(
            f"Storage group {group.name} is not attached to {partition.name}"
        )
    take_away(tree, partition, group)


def _both(call: Call) -> tuple[Resource, Resource]:
    tree = call.tree
    partition = tree.find(call.base)
    if not tree.machine(partition).has_storage_management:
        raise not_found(call.path)
    tree.check_cpc(partition.owner)
    body = call.object("storage-group-uri")
    group = tree.refer("storage-group-uri", body["storage-group-uri"])
    status = partition.properties["status"]
    if status not in ATTACHABLE:
        raise wrong_state(f"Partition {partition.name} has the status {status}")
    return partition, group


def partitions_of(tree: Tree, group: Resource) -> list[Resource]:
    """Return the partitions that a group is attached to."""
    return [
        partition
        for partition in tree.partitions()
        if group.uri in partition.properties.get("storage-group-uris", ())
    ]


def take_away(tree: Tree, partition: Resource, group: Resource) -> None:
    """Detach a group: its virtual storage resources of this partition are gone."""
    partition.properties["storage-group-uris"].remove(group.uri)
    for resource in resources(group, partition):
        tree.remove(resource)
        # That WWPNs go back to the group, for the next partition, is guessed.
        group.properties["unassigned-world-wide-port-names"].append(
            resource.properties["world-wide-port-name-info"]
        )
    volumes.refresh(group)
    # That a boot volume that goes leaves the partition without one is guessed.
    volume = partition.properties.get("boot-storage-volume") or ""
    if volume.startswith(f"{group.uri}/"):
        partition.properties.update({"boot-device": "none", "boot-storage-volume": None})


def assign_ports(tree: Tree, group: Resource, partition: Resource) -> None:
    """Make virtual storage resources for the group at the partition.

    There are as many as the group's `connectivity`, and their port is not known before a discovery
    (IBM, "Attach Storage Group to Partition": a WWPN that is not validated has no port).
    `at-attach`: there is one for each candidate port, or, where no candidate was named, it is so as
    well (zhmccli has that case).
    """
    if tree.behaviour.storage_ports != "at-attach":
        for _ in range(group.properties["connectivity"] - len(resources(group, partition))):
            _make_resource(tree, group, partition, None)
        # Discovery runs every ten minutes by itself, and on triggers: that this is one is guessed.
        tree.jobs.after("ports", lambda: find_ports(tree, group))
        return
    candidates: list[str | None] = list(group.properties["candidate-adapter-port-uris"])
    wanted = candidates or [None] * group.properties["connectivity"]
    present = resources(group, partition)
    known = {resource.properties["adapter-port-uri"] for resource in present}
    waiting = [item for item in present if item.properties["adapter-port-uri"] is None]
    for port in wanted:
        if port is not None and port in known:
            continue
        if port is not None and waiting:
            waiting.pop(0).properties["adapter-port-uri"] = port
            continue
        _make_resource(tree, group, partition, port)


def find_ports(tree: Tree, group: Resource) -> None:
    """Discover the group's ports: each resource that has none gets one, and its WWPN is validated.

    Candidates that are not in use come first, and then any (zhmcclient, ``_storage_group.py``:
    candidates "may or may not actually be used").
    """
    if group.uri not in tree.resources:
        return
    cpc = tree.find(group.properties["cpc-uri"])
    candidates = list(group.properties["candidate-adapter-port-uris"])
    if tree.behaviour.storage_ports == "by-discovery-otherwise":
        candidates.reverse()
    ports = [*candidates, *(uri for uri in _fcp_ports(cpc) if uri not in candidates)]
    for partition in partitions_of(tree, group):
        mine = [each.properties for each in resources(group, partition)]
        used = {each["adapter-port-uri"] for each in mine}
        free = [uri for uri in ports if uri not in used] or ports
        waiting = [each for each in mine if each["adapter-port-uri"] is None]
        for number, each in enumerate(waiting):
            each["adapter-port-uri"] = free[number % len(free)]
        for each in mine:
            each["world-wide-port-name-info"]["status"] = "validated"
    volumes.refresh(group)


def _fcp_ports(cpc: Resource) -> list[str]:
    return [
        port.uri
        for adapter in cpc.of("adapter")
        if adapter.properties.get("type") == "fcp"
        for port in adapter.of("storage-port")
    ]


def resources(group: Resource, partition: Resource) -> list[Resource]:
    """Return the virtual storage resources of a group at a partition."""
    return [
        resource
        for resource in group.of("virtual-storage-resource")
        if resource.properties["partition-uri"] == partition.uri
    ]


def _make_resource(tree: Tree, group: Resource, partition: Resource, port: str | None) -> None:
    unassigned = group.properties["unassigned-world-wide-port-names"]
    wwpn = unassigned.pop(0) if unassigned else wwpn_info(tree)
    tree.add(
        "virtual-storage-resource",
        group,
        {
            "name": f"vhba_{group.name}_{wwpn['world-wide-port-name'][-4:]}",
            "description": "",
            "device-number": devices.choose(tree, partition, None),
            "adapter-port-uri": port,
            "partition-uri": partition.uri,
            "world-wide-port-name": wwpn["world-wide-port-name"],
            "world-wide-port-name-info": wwpn,
        },
    )


def wwpn_info(tree: Tree) -> dict[str, str]:
    """Return a new WWPN as groups and virtual storage resources show it."""
    return {"world-wide-port-name": tree.new_wwpn(), "status": "not-validated"}
