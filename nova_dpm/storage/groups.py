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
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from oslo_log import log

from dpm_hmc import answers, names
from dpm_hmc.answers import Properties
from dpm_hmc.client import Hmc
from dpm_hmc.errors import (
    ConflictError,
    HttpError,
    JobTimeoutError,
    NameTakenError,
    NotFoundError,
    StateError,
)
from nova_dpm.conf import Settings
from nova_dpm.cpc import Cpc
from nova_dpm.partition import Partition
from nova_dpm.storage.volume import FcVolume, wwpn
from nova_dpm.storage.ways import Resource, Way, proved, ways

LOG = log.getLogger(__name__)

BOOT_VOLUME = "boot"

_GROUPS_URI = "/api/storage-groups"
_USABLE = frozenset({"complete", "overprovisioned"})
"""Overprovisioned: the LUN is larger than was said, as where an array rounds sizes up
(tessia-baselib, ``volume_descriptor.py``)."""
_FAILED = frozenset({"configuration-error", "incomplete", "deleting"})
_MISMATCH = "pending-with-mismatches"


@dataclass(frozen=True)
class _Group:
    """What never changes in a group: the URIs of its boot volume and of its resources."""

    volume_uri: str
    resource_uris: tuple[str, ...]


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
        return [each.wwpn for each in self._resources(self._look(partition), partition.uri)]

    def boots_from(self, partition: Partition, volume: FcVolume) -> bool:
        """Whether the volume that is set is our group's, and is the LUN that Cinder says now.

        Two requests. A LUN that the HMC does not tell counts as the right one.
        """
        properties = partition.properties
        booted = answers.optional_uri(properties, "boot-storage-volume")
        if properties.get("boot-device") != "storage-volume" or not booted:
            return False
        group_uri = _group_uri(booted)
        if group_uri not in partition.storage_group_uris:
            return False
        if answers.text(self._hmc.get(group_uri), "name") != partition.name:
            return False
        told = _told(self._hmc.get(booted), partition.uri)
        return not told or not told.isdisjoint(volume.targets)

    def boot_properties(self, partition_uri: str, volume: FcVolume) -> Properties:
        """Tell the HMC which LUN the boot volume is, and wait until the group has it.

        Raises:
            RefusedError: no way leads to `volume`.
            StateError: the HMC cannot use it.
        """
        group = self._known.get(partition_uri)
        if group is None:
            group = self._look(Partition.of(self._hmc.get(partition_uri)))
        # The ports are asked for anew: the HMC may have found them out, or others, meanwhile.
        resources = self._resources(group, partition_uri)
        candidates = [port.uri for port in self._ports]
        way = proved(self._hmc, self._cpc_uri, ways(resources, candidates, volume, self._ignored))
        volume_uri = self._fulfilled(group, partition_uri, way)
        return {"boot-device": "storage-volume", "boot-storage-volume": volume_uri}

    def _fulfilled(self, group: _Group, partition_uri: str, way: Way) -> str:
        """Return the URI of the group's boot volume when it is the LUN at the end of a way."""
        try:
            self._fulfil(group.volume_uri, way)
        except ConflictError as error:
            # Of a volume that is fulfilled already: by a request whose answer was lost, by a
            # nova-compute that was ended, or when Cinder said another LUN.
            properties = self._hmc.get(group.volume_uri)
            if answers.text(properties, "fulfillment-state") not in _USABLE:
                raise
            told = _told(properties, partition_uri)
            if told and (way.path.target, way.path.lun) not in told:
                LOG.warning("Boot volume %s is another LUN by now: made anew", group.volume_uri)
                uri = self._new_boot_volume(group.volume_uri, properties)
                self._known.pop(partition_uri, None)
                self._fulfil(uri, way)
                return uri
            LOG.info("Boot volume %s was fulfilled before: %s", group.volume_uri, error)
        return group.volume_uri

    def _fulfil(self, volume_uri: str, way: Way) -> None:
        self._hmc.update(
            f"{volume_uri}/operations/fulfill-fcp-storage-volume",
            {
                "world-wide-port-name": way.path.target,
                "logical-unit-number": way.path.lun,
                "adapter-port-uri": way.port_uri,
            },
        )
        self._wait_until_fulfilled(volume_uri)

    def _new_boot_volume(self, old_uri: str, old: Properties) -> str:
        """Put another boot volume in the place of one that stays the LUN that it was told to be."""
        group_uri = _group_uri(old_uri)
        new = _new_volume(answers.amount(old, "size"))
        gone = {"operation": "delete", "element-uri": old_uri}
        self._hmc.update(f"{group_uri}/operations/modify", {"storage-volumes": [gone, new]})
        return self._boot_volume(self._hmc.get(group_uri))

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
            "storage-volumes": [_new_volume(boot_size)],
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
        state = ""

        def fulfilled() -> str | None:
            nonlocal state
            state = answers.text(self._hmc.get(volume_uri), "fulfillment-state")
            if state == _MISMATCH:
                self._accept(volume_uri)
            if state in _FAILED:
                raise _wrong(volume_uri, state)
            return state if state in _USABLE else None

        try:
            self._hmc.until(f"Boot volume {volume_uri} fulfilled", fulfilled)
        except JobTimeoutError as error:
            raise StateError(f"{error}; it is {state}") from None

    def _accept(self, volume_uri: str) -> None:
        """Accept the LUN as it is: nobody but the driver has said the size that it does not have.

        "Accept Mismatched Storage Volumes" (HMC Web Services API; it is no part of zhmcclient).
        """
        try:
            self._hmc.update(
                f"{_group_uri(volume_uri)}/operations/accept-mismatched-storage-volumes",
                {"storage-volume-uris": [volume_uri]},
            )
        except ConflictError:
            LOG.debug("Boot volume %s has no mismatch any more", volume_uri)
        except HttpError as error:
            raise StateError(f"{_wrong(volume_uri, _MISMATCH)}. {error}") from None

    def _look(self, partition: Partition) -> _Group:
        properties = self._group_of(partition)
        group = _Group(
            self._boot_volume(properties),
            answers.uris(properties, "virtual-storage-resource-uris"),
        )
        self._known[partition.uri] = group
        return group

    def _resources(self, group: _Group, partition_uri: str) -> list[Resource]:
        """Return the partition's resources, those of configured ports first, in their order."""
        order = [port.uri for port in self._ports]
        found = [self._resource(uri, partition_uri) for uri in group.resource_uris]
        return sorted(
            filter(None, found),
            key=lambda each: order.index(each.port_uri) if each.port_uri in order else len(order),
        )

    def _resource(self, uri: str, partition_uri: str) -> Resource | None:
        properties = self._hmc.get(uri)
        info = answers.optional_object(properties, "world-wide-port-name-info")
        named = properties if properties.get("world-wide-port-name") else info
        if not named.get("world-wide-port-name"):
            return None
        if properties.get("partition-uri", partition_uri) != partition_uri:
            return None
        return Resource(
            wwpn(named, "world-wide-port-name"),
            answers.optional_uri(properties, "adapter-port-uri"),
        )

    def _boot_volume(self, group: Properties) -> str:
        uris = answers.uris(group, "storage-volume-uris")
        for uri in uris:
            # An operator may have added data volumes.
            if len(uris) == 1 or self._hmc.get(uri).get("usage") == "boot":
                return uri
        raise StateError(f"Storage group {answers.text(group, 'name')} has no boot volume")

    def _group_of(self, partition: Partition) -> Properties:
        """Return the partition's own group; somebody may have attached others, or detached it."""
        for uri in partition.storage_group_uris:
            properties = self._hmc.get(uri)
            if answers.text(properties, "name") == partition.name:
                return properties
        found = self._find(partition.name)
        if found is None:
            raise StateError(f"Partition {partition.name} has no storage group of its name")
        LOG.warning("Attaching storage group %s, which somebody has detached", partition.name)
        self._attach(partition.uri, found)
        return self._hmc.get(found)

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


def _new_volume(size: float) -> Properties:
    return {"operation": "create", "name": BOOT_VOLUME, "size": size, "usage": "boot"}


def _group_uri(volume_uri: str) -> str:
    return volume_uri.partition("/storage-volumes/")[0]


def _told(volume: Properties, partition_uri: str) -> set[tuple[str, str]]:
    """Return target and LUN of the ways that the HMC knows to a volume; none: it does not say."""
    return {
        (
            wwpn(path, "target-world-wide-port-name"),
            answers.matching(path, "logical-unit-number", "[0-9a-f]{16}", "a LUN"),
        )
        for path in answers.optional_objects(volume, "paths")
        if path.get("partition-uri", partition_uri) == partition_uri
        and path.get("target-world-wide-port-name")
    }


def _wrong(volume_uri: str, state: str) -> StateError:
    return StateError(
        f"Boot volume {volume_uri} is in fulfillment state {state}; the connection report of its "
        "storage group on the HMC says why"
    )
