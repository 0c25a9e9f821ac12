"""What the options of driver and agent say of the lab's machines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dpm_lab.cloud.place import Host
from dpm_lab.hmc.errors import MachineError
from dpm_lab.hmc.machines.machine import Machine
from dpm_lab.network import Segment

#: The physical network that OSAs of all machines are cabled to.
OUTER = "physnet1"
_OUTER_ADAPTERS = ("osd", "neth")


def inner(host: Host) -> str:
    """Return the physical network of a machine's HiperSockets, which no other machine is on."""
    return f"physnet{host.number + 1}"


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


def wiring(host: Host) -> Wiring:
    """Return what the machine of a host has.

    Raises:
        MachineError: there is no such machine, or it has no FCP adapter or no OSA.
    """
    machine = Machine.load(host.machine)
    adapters = [each["properties"] for each in machine.resource()["adapters"]]

    def ids(*kinds: str) -> list[str]:
        return [str(each["object-id"]) for each in adapters if each["type"] in kinds]

    found = {OUTER: ids(*_OUTER_ADAPTERS), inner(host): ids("hipersockets")}
    storage = tuple(f"{each}:0" for each in ids("fcp"))
    if not storage or not found[OUTER]:
        raise MachineError(
            f"machine {host.machine} has no FCP or no OSA adapter: no cloud can use it"
        )
    networks = {network: each[0] for network, each in found.items() if each}
    names = {str(each["object-id"]): str(each["name"]) for each in adapters}
    cpc = str(machine.cpc["name"])
    segments = {network: Segment(cpc, names[each], 0) for network, each in networks.items()}
    return Wiring(machine.cpc_object_id, storage[:2], networks, segments)


def check(machines: Iterable[str]) -> None:
    """Check that a cloud can have machines.

    Raises:
        MachineError: as of `wiring`.
    """
    for number, each in enumerate(machines, 1):
        wiring(Host(number, each))


def cables(hosts: Sequence[Host]) -> tuple[str, ...]:
    """Return the cables by which all machines are on the outer network, as `dpm-lab hmc` wants.

    Raises:
        MachineError: as of `wiring`.
    """
    first, *others = (wiring(each).segments[OUTER] for each in hosts)
    return tuple(f"{each}={first}" for each in others)
