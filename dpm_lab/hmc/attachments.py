"""Storage groups at partitions: attach, detach, and the virtual storage resources that come of it."""

from __future__ import annotations

from typing import Any

from dpm_lab.hmc import devices
from dpm_lab.hmc.calls import Call
from dpm_lab.hmc.refusals import Refusal, not_found, wrong_state
from dpm_lab.hmc.tree import Tree

#: Statuses in which groups come and go (reference of zhmcclient).
_STATUSES = frozenset({"active", "degraded", "paused", "terminated", "stopped"})


def attach(call: Call) -> Any:
    """Attach Storage Group to Partition."""
    tree = call.tree
    partition, group = _both(call)
    attached = partition.properties["storage-group-uris"]
    if group.uri in attached:
        # The reason is guessed.
        raise Refusal(409, 487, f"Storage group {group.name} is attached to {partition.name}")
    if group.properties["cpc-uri"] != partition.manager.parent.uri:
        # Guessed.
        raise Refusal(409, 488, f"Storage group {group.name} belongs to another CPC")
    if not group.properties["shared"] and _partitions(tree, group):
        # Guessed.
        raise Refusal(409, 489, f"Storage group {group.name} is not shared, and is attached")
    attached.append(group.uri)
    for port in group.properties.get("candidate-adapter-port-uris", ()):
        add_port(tree, group, partition, port)


def detach(call: Call) -> Any:
    """Detach Storage Group from Partition."""
    tree = call.tree
    partition, group = _both(call)
    if group.uri not in partition.properties["storage-group-uris"]:
        # The reason is guessed.
        raise Refusal(409, 490, f"Storage group {group.name} is not attached to {partition.name}")
    take_away(tree, partition, group)


def _both(call: Call) -> tuple[Any, Any]:
    tree = call.tree
    partition = tree.find(call.base)
    if not tree.machine(partition).has_storage_management:
        raise not_found(call.path)
    tree.check_cpc(partition.manager.parent)
    body = call.object("storage-group-uri")
    group = tree.refer("storage-group-uri", body["storage-group-uri"])
    status = partition.properties["status"]
    if status not in _STATUSES:
        raise wrong_state(f"Partition {partition.name} has the status {status}")
    return partition, group


def take_away(tree: Tree, partition: Any, group: Any) -> None:
    """Detach a group: its virtual storage resources of this partition are gone."""
    partition.properties["storage-group-uris"].remove(group.uri)
    uris = group.properties["virtual-storage-resource-uris"]
    for resource in group.virtual_storage_resources.list():
        if resource.properties["partition-uri"] == partition.uri:
            uris.remove(resource.uri)
            group.virtual_storage_resources.remove(resource.oid)
            # WWPNs go back to the group, to be used for the next partition: guessed.
            group.properties["unassigned-world-wide-port-names"].append(
                resource.properties["world-wide-port-name-info"]
            )
    # That a boot volume that goes leaves the partition without one is guessed.
    volume = partition.properties.get("boot-storage-volume") or ""
    if volume.startswith(f"{group.uri}/"):
        partition.properties.update({"boot-device": "none", "boot-storage-volume": None})


def add_port(tree: Tree, group: Any, partition: Any, port: str) -> None:
    """Make the virtual storage resource of one port for one partition."""
    unassigned = group.properties["unassigned-world-wide-port-names"]
    wwpn = unassigned.pop(0) if unassigned else wwpn_info(tree)
    oid = tree.new_id()
    group.virtual_storage_resources.add(
        {
            "element-id": oid,
            "name": f"{group.name} {wwpn['world-wide-port-name'][-6:]}",
            "description": "",
            "device-number": devices.choose(tree, partition, None, 1),
            "adapter-port-uri": port,
            "partition-uri": partition.uri,
            "world-wide-port-name": wwpn["world-wide-port-name"],
            "world-wide-port-name-info": wwpn,
            "degraded-reasons": [],
        }
    )


def wwpn_info(tree: Tree) -> dict[str, str]:
    """Return a new WWPN as groups and virtual storage resources show it."""
    return {"world-wide-port-name": tree.new_wwpn(), "status": "not-validated"}


def _partitions(tree: Tree, group: Any) -> list[Any]:
    return [
        partition
        for partition in tree.partitions()
        if group.uri in partition.properties.get("storage-group-uris", ())
    ]
