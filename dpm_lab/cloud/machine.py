"""What the options of driver and agent say of the lab's machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dpm_lab.hmc.errors import MachineError
from dpm_lab.hmc.machines.machine import Machine
from dpm_lab.network import Segment

#: Physical networks, and the adapters that can be behind them.
_NETWORKS = {"physnet1": ("osd", "neth"), "physnet2": ("hipersockets",)}


@dataclass(frozen=True)
class Wiring:
    """A machine as Nova and Neutron are told of it.

    Attributes:
        storage_ports: object ids of adapters, and ports, as the driver's option has them
        networks: the adapter of each physical network
        segments: what is behind port 0 of that adapter
    """

    cpc: str
    storage_ports: tuple[str, ...]
    networks: Mapping[str, str]
    segments: Mapping[str, Segment]


def wiring(name: str) -> Wiring:
    """Return what a machine of the lab has.

    Raises:
        MachineError: there is no such machine, or it has no FCP adapter or no OSA.
    """
    machine = Machine.load(name)
    adapters = [each["properties"] for each in machine.resource()["adapters"]]

    def ids(*kinds: str) -> list[str]:
        return [str(each["object-id"]) for each in adapters if each["type"] in kinds]

    found = {network: ids(*kinds) for network, kinds in _NETWORKS.items()}
    storage = tuple(f"{each}:0" for each in ids("fcp"))
    if not storage or not found["physnet1"]:
        raise MachineError(f"machine {name} has no FCP or no OSA adapter: no cloud can use it")
    networks = {network: each[0] for network, each in found.items() if each}
    names = {str(each["object-id"]): str(each["name"]) for each in adapters}
    cpc = str(machine.cpc["name"])
    segments = {network: Segment(cpc, names[each], 0) for network, each in networks.items()}
    return Wiring(machine.cpc_object_id, storage[:2], networks, segments)
