"""Where a NIC's cable leads: the segment behind its virtual switch, or its adapter's port.

Each port of an adapter is a network of its own, but where a cable says that it leads to the one of
another port.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from dpm_lab.hmc.api.resources import Resource
from dpm_lab.hmc.api.tree import Tree
from dpm_lab.hmc.errors import MachineError
from dpm_lab.hmc.machines.machine import Machine
from dpm_lab.network import Segment

#: Of adapters that NICs are plugged into.
_FAMILIES = frozenset({"osa", "hipersockets", "roce", "cna", "network-express"})

#: The port whose network a port leads to, where it is not its own; both without a VLAN.
Cables = Mapping[Segment, Segment]


def parse(texts: Iterable[str], machines: Iterable[Machine]) -> Cables:
    """Read cables, each as ``Z13/OSA-A.0=Z16/OSA-A.0``.

    Raises:
        MachineError: it is none, or leads from or to a port that is not there.
    """
    there = {str(each): each for machine in machines for each in _ports(machine)}
    found = {}
    for text in texts:
        one, _, other = text.partition("=")
        if not {one, other} <= there.keys():
            raise MachineError(
                f"cable {text!r}: it is PORT=PORT with two of {', '.join(sorted(there))}"
            )
        found[there[one]] = there[other]
    return found


def _ports(machine: Machine) -> Iterator[Segment]:
    described = machine.resource()
    cpc = str(described["properties"]["name"])
    for adapter in described["adapters"]:
        if adapter["properties"]["adapter-family"] in _FAMILIES:
            for port in adapter["ports"]:
                yield Segment(cpc, adapter["properties"]["name"], port["properties"]["index"])


def segment(tree: Tree, nic: Resource, cables: Cables) -> Segment | None:
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
    at = Segment(adapter.owner.name, adapter.name, number)
    return replace(cables.get(at, at), vlan=properties.get("vlan-id"))
