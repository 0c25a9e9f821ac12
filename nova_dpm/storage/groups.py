"""Storage groups: fibre channel on a machine with storage management (z14 and later).

The way of a boot volume (zhmcclient 1.26, ``_storage_group.py``, ``_storage_volume.py``): a group
of type ``fcp`` with one volume and the configured ports; attached to the partition, which gives
it a virtual storage resource with a WWPN on each port; the WWPNs go to Cinder, which answers with
target and LUN; they go back to the HMC ("Fulfill FCP Storage Volume"), and when the volume is
fulfilled the partition can boot from it.

A group has the name of its partition, so that it is found also where the partition is gone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from oslo_log import log

from nova_dpm import answers, names
from nova_dpm.answers import Properties
from nova_dpm.conf import Settings
from nova_dpm.errors import ConflictError, NameTakenError, NotFoundError, StateError
from nova_dpm.hmc import Hmc
from nova_dpm.host import Cpc
from nova_dpm.partition import Partition
from nova_dpm.storage.volume import FcVolume, wwpn

LOG = log.getLogger(__name__)

BOOT_VOLUME = "boot"

_GROUPS_URI = "/api/storage-groups"
_COMPLETE = "complete"
_FAILED = frozenset({"configuration-error", "incomplete"})


@dataclass(frozen=True)
class _Resource:
    """A virtual storage resource: the partition's end on one port."""

    wwpn: str
    port_uri: str


@dataclass(frozen=True)
class _Group:
    """What never changes in a group once it is attached: its boot volume, and its WWPNs."""

    volume_uri: str
    resources: tuple[_Resource, ...]


class StorageGroups:
    """Each partition has a storage group of its own."""

    def __init__(self, hmc: Hmc, settings: Settings, cpc: Cpc) -> None:
        self._hmc = hmc
        self._cpc_uri = cpc.uri
        self._host = settings.host
        self._ports = settings.storage_ports
        self._ignored = settings.ignored_wwpns
        # By partition, so that the HMC is asked once in a build. What is not here is asked for.
        self._known: dict[str, _Group] = {}

    def prepare(self, name: str, partition_uri: str, boot_size: int) -> None:
        """Make the group with its boot volume and ports, and attach it to the new partition.

        A group of this name that an earlier build left without its partition is removed first.
        """
        try:
            uri = self._create(name, boot_size)
        except NameTakenError:
            LOG.warning("Removing storage group %s, which an earlier build left", name)
            self.remove(name, None)
            uri = self._create(name, boot_size)
        self._add_ports(uri)
        self._attach(partition_uri, uri)

    def wwpns(self, partition: Partition) -> list[str]:
        """Return the WWPNs of the group's virtual storage resources, one request for each."""
        group = self._look(partition)
        return [resource.wwpn for resource in group.resources]

    def boots_from(self, partition: Partition, volume: FcVolume) -> bool:
        """Whether a storage volume is set; only a fulfilled one can be, and its LUN stays."""
        properties = partition.properties
        return properties.get("boot-device") == "storage-volume" and bool(
            properties.get("boot-storage-volume")
        )

    def boot_properties(self, partition_uri: str, volume: FcVolume) -> Properties:
        """Tell the HMC which LUN the boot volume is, and wait until the group has it.

        Raises:
            RefusedError: no way leads to `volume`.
            StateError: the HMC cannot use it.
        """
        group = self._known.get(partition_uri)
        if group is None:
            group = self._look(Partition.of(self._hmc.get(partition_uri)))
        path = volume.path([each.wwpn for each in group.resources], self._ignored)
        port_uri = next(each.port_uri for each in group.resources if each.wwpn == path.initiator)
        try:
            self._hmc.update(
                f"{group.volume_uri}/operations/fulfill-fcp-storage-volume",
                {
                    "world-wide-port-name": path.target,
                    "logical-unit-number": path.lun,
                    "adapter-port-uri": port_uri,
                },
            )
        except ConflictError as error:
            # Of a volume that is fulfilled already, by a request whose answer was lost or by a
            # nova-compute that was ended.
            if self._fulfillment(group.volume_uri) != _COMPLETE:
                raise
            LOG.info("Boot volume %s was fulfilled before: %s", group.volume_uri, error)
        else:
            self._wait_until_fulfilled(group.volume_uri)
        return {"boot-device": "storage-volume", "boot-storage-volume": group.volume_uri}

    def remove(self, name: str, partition: Partition | None) -> None:
        """Detach the partition's group and delete it."""
        if partition is not None:
            self._known.pop(partition.uri, None)
        uri = self._find(name)
        if uri is None:
            return
        if partition is not None and uri in partition.storage_group_uris:
            self._detach(partition.uri, uri)
        try:
            self._hmc.update(f"{uri}/operations/delete", {})
        except NotFoundError:
            LOG.debug("Storage group %s was not there any more", name)

    def _create(self, name: str, boot_size: int) -> str:
        body: Properties = {
            "cpc-uri": self._cpc_uri,
            "name": name,
            "description": names.subset_description(self._host),
            "type": "fcp",
            "shared": False,
            "connectivity": len(self._ports),
            "storage-volumes": [
                {"operation": "create", "name": BOOT_VOLUME, "size": boot_size, "usage": "boot"}
            ],
        }
        return self._hmc.create(_GROUPS_URI, body, lambda: self._find(name))

    def _add_ports(self, uri: str) -> None:
        # "Create Storage Group" takes no ports (zhmc_storage_group.py of zhmc-ansible-modules).
        wanted = [port.uri for port in self._ports]
        try:
            self._hmc.update(
                f"{uri}/operations/add-candidate-adapter-ports", {"adapter-port-uris": wanted}
            )
        except ConflictError:
            # They are there: it was repeated because its answer was lost.
            if not set(wanted) <= set(
                answers.uris(self._hmc.get(uri), "candidate-adapter-port-uris")
            ):
                raise

    def _wait_until_fulfilled(self, volume_uri: str) -> None:
        def fulfilled() -> str | None:
            state = self._fulfillment(volume_uri)
            if state in _FAILED:
                raise StateError(
                    f"Boot volume {volume_uri} is in fulfillment state {state}; the connection "
                    "report of its storage group on the HMC says why"
                )
            return state if state == _COMPLETE else None

        self._hmc.until(f"Boot volume {volume_uri} fulfilled", fulfilled)

    def _fulfillment(self, volume_uri: str) -> str:
        return answers.text(self._hmc.get(volume_uri), "fulfillment-state")

    def _look(self, partition: Partition) -> _Group:
        properties = self._hmc.get(self._group_of(partition))
        order = [port.uri for port in self._ports]
        resources = sorted(
            self._resources(
                partition.uri, answers.uris(properties, "virtual-storage-resource-uris")
            ),
            key=lambda each: order.index(each.port_uri) if each.port_uri in order else len(order),
        )
        group = _Group(self._boot_volume(properties), tuple(resources))
        self._known[partition.uri] = group
        return group

    def _resources(self, partition_uri: str, uris: Iterable[str]) -> Iterator[_Resource]:
        for uri in uris:
            properties = self._hmc.get(uri)
            info = answers.optional_object(properties, "world-wide-port-name-info")
            named = properties if properties.get("world-wide-port-name") else info
            if not named.get("world-wide-port-name"):
                continue
            if properties.get("partition-uri", partition_uri) == partition_uri:
                yield _Resource(
                    wwpn(named, "world-wide-port-name"),
                    answers.uri(properties, "adapter-port-uri"),
                )

    def _boot_volume(self, group: Properties) -> str:
        uris = answers.uris(group, "storage-volume-uris")
        for uri in uris:
            # An operator may have added data volumes.
            if len(uris) == 1 or self._hmc.get(uri).get("usage") == "boot":
                return uri
        raise StateError(f"Storage group {answers.text(group, 'name')} has no boot volume")

    def _group_of(self, partition: Partition) -> str:
        if len(partition.storage_group_uris) == 1:
            return partition.storage_group_uris[0]
        uri = self._find(partition.name)
        if uri is None:
            raise StateError(f"Partition {partition.name} has no storage group of its name")
        return uri

    def _attach(self, partition_uri: str, group_uri: str) -> None:
        try:
            self._operate(partition_uri, "attach", group_uri)
        except ConflictError:
            if group_uri not in self._attached(partition_uri):
                raise

    def _detach(self, partition_uri: str, group_uri: str) -> None:
        try:
            self._operate(partition_uri, "detach", group_uri)
        except ConflictError:
            if group_uri in self._attached(partition_uri):
                raise
        except NotFoundError:
            LOG.debug("Storage group %s or its partition was not there any more", group_uri)

    def _operate(self, partition_uri: str, operation: str, group_uri: str) -> None:
        # Repeated where the answer was lost: done twice, the second one is a conflict.
        self._hmc.update(
            f"{partition_uri}/operations/{operation}-storage-group",
            {"storage-group-uri": group_uri},
        )

    def _attached(self, partition_uri: str) -> Sequence[str]:
        return answers.uris(self._hmc.get(partition_uri), "storage-group-uris")

    def _find(self, name: str) -> str | None:
        answer = self._hmc.get(f"{_GROUPS_URI}?name={quote(re.escape(name))}")
        for each in answers.objects(answer, "storage-groups"):
            is_here = each.get("cpc-uri", self._cpc_uri) == self._cpc_uri
            if answers.text(each, "name") == name and is_here:
                return answers.uri(each, "object-uri")
        return None
