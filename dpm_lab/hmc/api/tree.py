"""All resources of the HMC, loaded with machines.

Here are the lock that makes them safe for threads, numbers that are unique on a machine, versions,
and a way back to the start.
"""

from __future__ import annotations

import copy
import itertools
import re
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from dpm_lab.hmc.api.barriers import Barrier
from dpm_lab.hmc.api.behaviour import Behaviour
from dpm_lab.hmc.api.booting import Guests, NoGuests
from dpm_lab.hmc.api.clock import Clock
from dpm_lab.hmc.api.jobs import Jobs
from dpm_lab.hmc.api.messages import OsMessages
from dpm_lab.hmc.api.refusals import Reason, not_found, reference_not_found, wrong_state
from dpm_lab.hmc.api.resources import KINDS, Resource
from dpm_lab.hmc.api.statuses import TRANSITIONAL
from dpm_lab.hmc.api.terminals import AsciiConsoles
from dpm_lab.hmc.machines.machine import Definition, Machine

#: What the HMC is called.
NAME = "LABHMC"
#: The console, with what every HMC has (zhmcclient, ``tests/end2end/mocked_hmc_z16.yaml``).
_CONSOLE: Definition = {
    "properties": {
        "object-uri": "/api/console",
        "class": "console",
        "parent": None,
        "name": NAME,
        "description": "the lab's HMC",
        "is-auto-switch-enabled": False,
    },
    "user_roles": [
        {
            "properties": {
                "object-id": "hmc-operator-tasks",
                "name": "hmc-operator-tasks",
                "type": "system-defined",
                "is-inheritance-enabled": False,
                "permissions": [],
            }
        }
    ],
    "password_rules": [
        {
            "properties": {
                "element-id": "standard",
                "name": "Standard",
                "type": "system-defined",
                "min-length": 8,
                "max-length": 256,
            }
        }
    ],
}
#: What the places of a definition hold. Ports are of the kind that their adapter says.
_PLACES = {
    "adapters": "adapter",
    "hbas": "hba",
    "image_activation_profiles": "image-activation-profile",
    "load_activation_profiles": "load-activation-profile",
    "lpars": "logical-partition",
    "nics": "nic",
    "partitions": "partition",
    "password_rules": "password-rule",
    "reset_activation_profiles": "reset-activation-profile",
    "storage_volumes": "storage-volume",
    "user_roles": "user-role",
    "virtual_storage_resources": "virtual-storage-resource",
    "virtual_switches": "virtual-switch",
}


class Tree:
    """All resources. Everything but `lock` is to be used with the lock held."""

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
        #: By URI, each after its parent.
        self.resources: dict[str, Resource] = {}
        self.os_messages = OsMessages()
        self.ascii_consoles = AsciiConsoles()
        #: Which user made which object.
        self.makers: dict[str, str] = {}
        #: Paths of the storage network that do not work.
        self.barriers: list[Barrier] = []
        #: What started partitions are.
        self.guests: Guests = NoGuests()
        #: Partitions whose status is about to change, with a token each.
        self.settling: dict[str, object] = {}
        self._machines: dict[str, Machine] = {machine.uri: machine for machine in machines}
        #: The next WWPN and MAC.
        self.numbers = {"wwpn": itertools.count(1), "mac": itertools.count(1)}
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
        self.guests.stop_all()
        self.clock.clear()
        self.jobs.reset()
        self.behaviour = self._behaviour
        self.os_messages.clear()
        self.ascii_consoles.clear()
        self.makers.clear()
        self.barriers.clear()
        self.settling.clear()
        self.resources.clear()
        properties = {**_CONSOLE["properties"], "version": self.hmc_version}
        self.console = Resource(properties["object-uri"], "console", properties)
        self.resources[self.console.uri] = self.console
        self._load_children(self.console, _CONSOLE)
        for machine in self.machines:
            self._load("cpc", None, machine.resource())
            for group in machine.groups:
                self._load("storage-group", self.console, group)

    def _load(self, kind: str, parent: Resource | None, definition: Definition) -> None:
        self._load_children(self.add(kind, parent, definition["properties"]), definition)

    def _load_children(self, resource: Resource, definition: Definition) -> None:
        is_storage = resource.properties.get("adapter-family") == "ficon"
        places = {**_PLACES, "ports": "storage-port" if is_storage else "network-port"}
        for place, items in definition.items():
            if place in places:
                for item in items:
                    self._load(places[place], resource, item)

    def add(self, kind: str, parent: Resource | None, properties: Mapping[str, Any]) -> Resource:
        """Make a resource; one that is given no id gets one that never was."""
        form = KINDS[kind]
        made = {**copy.deepcopy(dict(form.has)), **copy.deepcopy(dict(properties))}
        made.setdefault(form.id_name, str(uuid.uuid4()))
        base = parent.uri if parent is not None and form.element else "/api"
        uri = f"{base}/{form.collection}/{made[form.id_name]}"
        above = None if parent is None else parent.uri
        made |= {form.uri_name: uri, "class": kind, "parent": above}
        resource = self.resources[uri] = Resource(uri, kind, made, parent)
        if parent is not None:
            parent.children.append(resource)
            if form.listed:
                parent.properties.setdefault(form.listed, []).append(uri)
        self.connect(resource)
        return resource

    def remove(self, resource: Resource) -> None:
        """Take a resource away with all that is below it."""
        for child in list(resource.children):
            self.remove(child)
        self.disconnect(resource)
        if resource.parent is not None:
            resource.parent.children.remove(resource)
            listed = KINDS[resource.kind].listed
            if listed:
                resource.parent.properties[listed].remove(resource.uri)
        del self.resources[resource.uri]

    def connect(self, nic: Resource) -> None:
        """Have the virtual switch that a NIC names know it."""
        switch = nic.properties.get("virtual-switch-uri")
        if switch:
            self.find(switch).properties["connected-vnic-uris"].append(nic.uri)

    def disconnect(self, nic: Resource) -> None:
        """Have the virtual switch that a NIC names forget it."""
        switch = nic.properties.get("virtual-switch-uri")
        connected = self.find(switch).properties["connected-vnic-uris"] if switch else []
        if nic.uri in connected:
            connected.remove(nic.uri)

    # -- looking up

    def find(self, uri: str) -> Resource:
        """Return the resource of a request's URI.

        Raises:
            Refusal: 404, 1: there is none.
        """
        try:
            return self.resources[uri]
        except KeyError:
            raise not_found(uri) from None

    def refer(self, field: str, uri: object) -> Resource:
        """Return the resource that a field of a body names.

        Raises:
            Refusal: 404, 2: there is none.
        """
        try:
            return self.resources[uri]  # type: ignore[index]
        except (KeyError, TypeError):
            raise reference_not_found(field, uri) from None

    def partition(self, uri: str) -> Resource:
        """Return the partition that a URI is of or below.

        Raises:
            Refusal: 404, 1: there is none.
        """
        match = re.match(r"/api/partitions/[^/?]+", uri)
        return self.find(match.group() if match else uri)

    def machine(self, resource: Resource) -> Machine:
        """Return the machine that a CPC, or something in one, belongs to."""
        while resource.kind != "cpc":
            resource = resource.owner
        return self._machines[resource.uri]

    def cpcs(self) -> list[Resource]:
        """Return all CPCs."""
        return [self.resources[machine.uri] for machine in self.machines]

    def partitions(self) -> Iterator[Resource]:
        """Iterate over the partitions of all CPCs."""
        for cpc in self.cpcs():
            yield from cpc.of("partition")

    def storage_groups(self, cpc_uri: str | None = None) -> list[Resource]:
        """Return the storage groups, of one CPC or all."""
        groups = self.console.of("storage-group")
        return [group for group in groups if cpc_uri in {None, group.properties["cpc-uri"]}]

    # -- checks that many operations have in common

    def check_cpc(self, cpc: Resource) -> None:
        """Check that the CPC is in DPM mode and works.

        Raises:
            Refusal: 409, 5: it is not in DPM mode; 409, 6: it has no good status.
        """
        name = cpc.properties["name"]
        if not cpc.properties["dpm-enabled"]:
            raise Reason.NOT_IN_DPM_MODE(f"CPC {name} is not in DPM mode")
        status = cpc.properties["status"]
        if status not in {"active", "service-required", "degraded", "exceptions"}:
            raise Reason.WRONG_CPC_STATE(f"CPC {name} has the status {status}")

    def check_settled(self, partition: Resource) -> None:
        """Check that a partition can be changed.

        Raises:
            Refusal: 409, 1: it is starting or stopping.
        """
        self.check_cpc(partition.owner)
        status = partition.properties["status"]
        if status in TRANSITIONAL:
            raise wrong_state(
                f"Partition {partition.name} has the status {status}, which does not allow this"
            )

    # -- numbers

    def new_wwpn(self) -> str:
        """Return a world wide port name that no other port of the machines has."""
        return f"c05076ff{next(self.numbers['wwpn']):08x}"

    def new_mac(self) -> str:
        """Return a locally administered address that no other NIC of the machines has."""
        taken = self.macs()
        while True:
            digits = f"02fee5{next(self.numbers['mac']):06x}"
            mac = ":".join(digits[at : at + 2] for at in range(0, 12, 2))
            if mac not in taken:
                return mac

    def macs(self, but: str = "", within: Resource | None = None) -> set[str]:
        """Return the addresses of all NICs, or those of one partition, but of the one at `but`."""
        return {
            nic.properties["mac-address"]
            for partition in ([within] if within is not None else self.partitions())
            for nic in partition.of("nic")
            if nic.uri != but and "mac-address" in nic.properties
        }
