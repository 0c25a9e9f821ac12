"""Storage groups: fibre channel on a machine with storage management (z14 and later).

The way of a boot volume (zhmcclient 1.26, ``_storage_group.py``, ``_storage_volume.py``): a group
of type ``fcp`` with one volume and the configured ports; attached to the partition, which gives
it a virtual storage resource with a WWPN on each port; the WWPNs go to Cinder, which answers with
target and LUN; they go back to the HMC ("Fulfill FCP Storage Volume"), and when the volume is
fulfilled the partition can boot from it (`nova_dpm.storage.bootvolume`).

A group has the name of its partition, so that it is found also where the partition is gone. All
that is asked here needs the firmware feature dpm-storage-management.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from urllib.parse import quote

from oslo_log import log

from dpm_hmc import answers, names
from dpm_hmc.answers import Properties
from dpm_hmc.client import Hmc
from dpm_hmc.cpc import Cpc
from dpm_hmc.errors import ConflictError, HttpError, NameTakenError, NotFoundError, StateError
from nova_dpm.conf import Settings
from nova_dpm.partition import Partition
from nova_dpm.storage.bootvolume import (
    boot_volume_of,
    fulfilled,
    group_of,
    luns_of,
    new_boot_volume,
)
from nova_dpm.storage.volume import FcVolume, wwpn
from nova_dpm.storage.ways import Boot, Ends, Resource, proved, ways

LOG = log.getLogger(__name__)

_GROUPS_URI = "/api/storage-groups"


class StorageGroups:
    """Each partition has a storage group of its own."""

    def __init__(self, hmc: Hmc, settings: Settings, cpc: Cpc) -> None:
        self._hmc = hmc
        self._cpc_uri = cpc.uri
        self._host = settings.host
        self._port_uris = [port.uri for port in settings.storage_ports]
        self._ignored = settings.ignored_wwpns

    def prepare(self, partition: Partition, boot_size: int) -> None:
        """Make the group with its boot volume and ports, and attach it to the new partition.

        A group of this name that an earlier build left without its partition is removed first.

        HMC permission: tasks Configure Storage - System Programmer and Partition Details; access
        to the CPC and the adapters.
        """
        name = partition.name
        try:
            uri = self._create(name, boot_size)
        except NameTakenError:
            LOG.warning("Removing storage group %s, which an earlier build left", name)
            self.remove(Partition.gone(name))
            uri = self._create(name, boot_size)
        self._add_ports(uri)
        self._attach(partition.uri, uri)

    def ends(self, partition: Partition) -> Ends:
        """Return the group's virtual storage resources, one request for each and for the group."""
        group = self._group_of(partition)
        volume_uri = boot_volume_of(self._hmc, group)
        resources = self._resources(
            answers.uris(group, "virtual-storage-resource-uris"), partition.uri
        )
        return Ends(partition.uri, {each.wwpn: each.uri for each in resources}, volume_uri)

    def boots_from(self, partition: Partition, volume: FcVolume) -> bool:
        """Whether the volume that is set is our group's, and is the LUN that Cinder says now.

        Two requests. A LUN that the HMC does not tell counts as the right one.
        """
        properties = partition.properties
        booted = answers.optional_uri(properties, "boot-storage-volume")
        if properties.get("boot-device") != "storage-volume" or not booted:
            return False
        group_uri = group_of(booted)
        if group_uri not in partition.storage_group_uris:
            return False
        if answers.text(self._hmc.get(group_uri), "name") != partition.name:
            return False
        luns = luns_of(self._hmc.get(booted), partition.uri)
        return not luns or not luns.isdisjoint(volume.targets)

    def boot(self, ends: Ends, volume: FcVolume) -> Boot:
        """Tell the HMC which LUN the boot volume is, and wait until the group has it.

        HMC permission: task Configure Storage - Storage Administrator.

        Raises:
            RefusedError: no way leads to `volume`.
            StateError: the HMC cannot use it.
        """
        # The ports are asked for anew: the HMC may have found them out, or others, meanwhile.
        resources = self._resources(ends.uris.values(), ends.partition_uri)
        found = ways(resources, self._port_uris, volume, self._ignored)
        way = proved(self._hmc, self._cpc_uri, found)
        volume_uri = fulfilled(self._hmc, ends.volume_uri, ends.partition_uri, way)
        return Boot(way.path, {"boot-device": "storage-volume", "boot-storage-volume": volume_uri})

    def remove(self, partition: Partition) -> None:
        """Detach the partition's group and delete it.

        HMC permission: tasks Configure Storage - System Programmer and Partition Details.
        """
        uri = self._find(partition.name)
        if uri is None:
            return
        if uri in partition.storage_group_uris:
            self._detach(partition.uri, uri)
        try:
            self._hmc.update(f"{uri}/operations/delete", {})
        except NotFoundError:
            LOG.debug("Storage group %s was not there any more", partition.name)

    def _create(self, name: str, boot_size: int) -> str:
        body: Properties = {
            "cpc-uri": self._cpc_uri,
            "name": name,
            "description": names.subset_description(self._host),
            "type": "fcp",
            "shared": False,
            "connectivity": len(self._port_uris),
            "storage-volumes": [new_boot_volume(boot_size)],
        }
        return self._hmc.create(_GROUPS_URI, body, lambda: self._find(name))

    def _add_ports(self, uri: str) -> None:
        # "Create Storage Group" takes no ports (zhmc_storage_group.py of zhmc-ansible-modules).
        try:
            self._hmc.update(
                f"{uri}/operations/add-candidate-adapter-ports",
                {"adapter-port-uris": self._port_uris},
            )
        except ConflictError:
            # They are there: it was repeated because its answer was lost.
            there = answers.uris(self._hmc.get(uri), "candidate-adapter-port-uris")
            if not set(self._port_uris) <= set(there):
                raise

    def _resources(self, uris: Iterable[str], partition_uri: str) -> list[Resource]:
        """Return the partition's resources, those of configured ports first, in their order."""
        order = self._port_uris
        found = [self._resource(uri, partition_uri) for uri in uris]
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
            uri,
            wwpn(named, "world-wide-port-name"),
            answers.optional_uri(properties, "adapter-port-uri"),
        )

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
        except HttpError as error:
            # 404,1: the partition of the URI; 404,2: the group that the body names.
            if error.status != HTTPStatus.NOT_FOUND:
                raise
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
