"""The resources of the HMC: zhmcclient's mock, loaded with machines, and what it has no notion of.

The mock (``zhmcclient.mock``) keeps the resources and knows the URIs. Here are the lock that makes
it safe for threads, numbers that are unique on a machine, versions, and a way back to the start.
"""

from __future__ import annotations

import copy
import itertools
import re
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from zhmcclient.mock._hmc import FakedHmc

from dpm_lab.hmc.api.barriers import Barrier
from dpm_lab.hmc.api.behaviour import Behaviour
from dpm_lab.hmc.api.clock import Clock
from dpm_lab.hmc.api.jobs import Jobs
from dpm_lab.hmc.api.messages import OsMessages
from dpm_lab.hmc.api.refusals import Refusal, not_found, reference_not_found, wrong_state
from dpm_lab.hmc.machines.machine import Machine, Resource

#: Statuses between others, in which a partition cannot be changed (zhmcclient.mock).
TRANSITIONAL = frozenset({"starting", "stopping"})
#: Statuses in which a partition's operating system is at work.
WITH_SYSTEM = frozenset({"active", "degraded"})
#: Statuses in which a partition was started and can be stopped, restarted or dumped.
STARTED = WITH_SYSTEM | {"paused", "terminated"}
#: Statuses in which a partition holds its processors and memory.
RUNNING = STARTED | TRANSITIONAL

_CONSOLE = {
    "object-uri": "/api/console",
    "class": "console",
    "parent": None,
    "description": "the lab's HMC",
    "is-auto-switch-enabled": False,
}

#: What every HMC has: zhmcclient, ``tests/end2end/mocked_hmc_z16.yaml``.
_CONSOLE_HAS = {
    "user_roles": [
        {
            "properties": {
                "object-id": "hmc-operator-tasks",
                "name": "hmc-operator-tasks",
                "type": "system-defined",
                "permissions": [],
            }
        }
    ],
    "password_rules": [
        {"properties": {"element-id": "standard", "name": "Standard", "type": "system-defined"}}
    ],
}


class Tree:
    """All resources. Everything but :attr:`lock` is to be used with the lock held."""

    def __init__(
        self,
        machines: Sequence[Machine],
        behaviour: Behaviour | None = None,
        durations: Mapping[str, Any] | None = None,
    ) -> None:
        self.machines = tuple(machines)
        self._behaviour = behaviour or Behaviour()
        #: How it behaves now, which orders may change.
        self.behaviour = self._behaviour
        self.lock = threading.RLock()
        #: Called with the lock held when resources may have changed.
        self.changed: Callable[[], None] = lambda: None
        self.clock = Clock(self.lock, self._something_happened)
        self.jobs = Jobs(self.clock, durations or {})
        self.faked: Any = None
        self.os_messages = OsMessages()
        #: Which user made which object.
        self.makers: dict[str, str] = {}
        #: Paths of the storage network that do not work.
        self.barriers: list[Barrier] = []
        #: Partitions whose status is about to change, with a token each.
        self.settling: dict[str, object] = {}
        #: Answers a request; set by the service, for requests that contain requests.
        self.dispatch: Callable[[str, str, Any], Any]
        self._machines: dict[str, Machine] = {machine.uri: machine for machine in machines}
        self._wwpns = itertools.count(1)
        self._macs = itertools.count(1)
        self.load()

    def _something_happened(self) -> None:
        self.changed()

    @property
    def api_version(self) -> tuple[int, int]:
        """The API version of the HMC: that of its newest machine."""
        return max(machine.api_version for machine in self.machines)

    @property
    def hmc_version(self) -> str:
        """The version of the HMC's firmware."""
        return max(self.machines, key=lambda machine: machine.api_version).hmc_version

    def load(self) -> None:
        """Put all resources back to what the machines' files say.

        Numbers that were given out (WWPNs, MACs, object ids) are not given out again.
        """
        self.clock.clear()
        self.jobs.reset()
        self.behaviour = self._behaviour
        self.os_messages.clear()
        self.makers.clear()
        self.barriers.clear()
        self.settling.clear()
        major, minor = self.api_version
        faked = FakedHmc(None, "LABHMC", self.hmc_version, f"{major}.{minor}")
        console = {**_CONSOLE, "name": "LABHMC", "version": self.hmc_version}
        faked.add_resources({"consoles": [{"properties": console, **copy.deepcopy(_CONSOLE_HAS)}]})
        for machine in self.machines:
            _add(faked, machine.resource())
            faked.lookup_by_uri(machine.uri).api_features = list(machine.api_features)
            for group in machine.groups:
                _add_group(faked, copy.deepcopy(group))
        self.faked = faked

    # -- looking up

    def find(self, uri: str) -> Any:
        """Return the resource of a request's URI.

        :raises Refusal: 404, 1: there is none.
        """
        try:
            return self.faked.lookup_by_uri(uri)
        except KeyError:
            raise not_found(uri) from None

    def refer(self, field: str, uri: object) -> Any:
        """Return the resource that a field of a body names.

        :raises Refusal: 404, 2: there is none.
        """
        try:
            return self.faked.lookup_by_uri(uri)
        except (KeyError, TypeError):
            raise reference_not_found(field, uri) from None

    def partition(self, uri: str) -> Any:
        """Return the partition that a URI is of or below.

        :raises Refusal: 404, 1: there is none.
        """
        match = re.match(r"/api/partitions/[^/?]+", uri)
        return self.find(match.group() if match else uri)

    def machine(self, resource: Any) -> Machine:
        """Return the machine that a CPC, or something in one, belongs to."""
        while resource.properties.get("class") != "cpc":
            resource = resource.manager.parent
        return self._machines[resource.uri]

    def cpcs(self) -> list[Any]:
        """Return all CPCs."""
        return list(self.faked.cpcs.list())

    def partitions(self) -> Iterator[Any]:
        """Iterate over the partitions of all CPCs."""
        for cpc in self.cpcs():
            yield from cpc.partitions.list()

    def storage_groups(self, cpc_uri: str | None = None) -> list[Any]:
        """Return the storage groups, of one CPC or all."""
        groups = self.faked.consoles.console.storage_groups.list()
        return [group for group in groups if cpc_uri in {None, group.properties["cpc-uri"]}]

    # -- checks that many operations have in common

    def check_cpc(self, cpc: Any, *, targeted: bool = False) -> None:
        """Check that the CPC is in DPM mode and works.

        :raises Refusal: 409, 5 not in DPM mode; 409, 1 or 6 not in a good status, where the CPC
            itself is targeted or something in it (zhmcclient.mock).
        """
        name = cpc.properties["name"]
        if not cpc.dpm_enabled:
            raise Refusal(409, 5, f"CPC {name} is not in DPM mode")
        status = cpc.properties["status"]
        if status not in {"active", "service-required", "degraded", "exceptions"}:
            raise Refusal(409, 1 if targeted else 6, f"CPC {name} has the status {status}")

    def check_settled(self, partition: Any) -> None:
        """Check that a partition can be changed.

        :raises Refusal: 409, 1: it is starting or stopping.
        """
        self.check_cpc(partition.manager.parent)
        status = partition.properties["status"]
        if status in TRANSITIONAL:
            raise wrong_state(
                f"Partition {partition.name} has the status {status}, which does not allow this"
            )

    # -- numbers

    def new_id(self) -> str:
        """Return an object id that never was."""
        return str(uuid.uuid4())

    def new_wwpn(self) -> str:
        """Return a world wide port name that no other port of the machines has."""
        return f"c05076ff{next(self._wwpns):08x}"

    def new_mac(self) -> str:
        """Return a locally administered address that no other NIC of the machines has."""
        taken = self.macs()
        while True:
            digits = f"02fee5{next(self._macs):06x}"
            mac = ":".join(digits[at : at + 2] for at in range(0, 12, 2))
            if mac not in taken:
                return mac

    def macs(self, but: str = "", within: Any = None) -> set[str]:
        """Return the addresses of all NICs, or those of one partition, but of the one at `but`."""
        return {
            nic.properties["mac-address"]
            for partition in ([within] if within is not None else self.partitions())
            for nic in partition.nics.list()
            if nic.uri != but and "mac-address" in nic.properties
        }


def public(properties: dict[str, Any]) -> dict[str, Any]:
    """Return properties without those that only the lab has."""
    return {name: value for name, value in properties.items() if not name.startswith("lab-")}


def _add_group(faked: Any, group: Resource) -> None:
    made = faked.consoles.console.storage_groups.add(group["properties"])
    for volume in group["storage_volumes"]:
        made.storage_volumes.add(volume["properties"])
    for resource in group["virtual_storage_resources"]:
        made.virtual_storage_resources.add(resource["properties"])


def _add(faked: Any, cpc: Resource) -> None:
    """Add a CPC. The mock knows fewer kinds of network adapters than there are."""
    adapters = cpc["adapters"]
    strangers = [
        adapter
        for adapter in adapters
        if adapter["ports"]
        and adapter["properties"]["adapter-family"] not in {"osa", "roce", "hipersockets", "ficon"}
    ]
    known = [
        {
            **adapter,
            "properties": {**adapter["properties"], "type": "osd", "adapter-family": "osa"},
        }
        if adapter in strangers
        else adapter
        for adapter in adapters
    ]
    faked.add_resources({"cpcs": [{**cpc, "adapters": known}]})
    for adapter in strangers:
        wanted = adapter["properties"]
        resource = faked.lookup_by_uri(f"/api/adapters/{wanted['object-id']}")
        resource.properties.update(
            {
                "type": wanted["type"],
                "adapter-family": wanted["adapter-family"],
            }
        )
