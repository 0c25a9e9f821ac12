"""Where a NIC's cable leads: the segment behind its virtual switch, or its adapter's port."""

from __future__ import annotations

from dpm_lab.hmc.api.resources import Resource
from dpm_lab.hmc.api.tree import Tree
from dpm_lab.network import Segment


def segment(tree: Tree, nic: Resource) -> Segment | None:
    """Return what a NIC is plugged into; None where that is no more."""
    properties = nic.properties
    switch = tree.resources.get(properties.get("virtual-switch-uri") or "")
    if switch is not None:
        adapter = tree.resources.get(switch.properties["backing-adapter-uri"])
        number = switch.properties["port"]
    else:
        port = tree.resources.get(properties.get("network-adapter-port-uri") or "")
        adapter = port.owner if port is not None else None
        number = port.properties["index"] if port is not None else 0
    if adapter is None:
        return None
    return Segment(adapter.owner.name, adapter.name, number, properties.get("vlan-id"))
