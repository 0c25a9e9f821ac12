"""Storage groups: fibre channel on a machine with storage management (z14 and later).

The way of a boot volume (zhmcclient 1.26, ``_storage_group.py``, ``_storage_volume.py``): a group
of type ``fcp`` with the configured ports and one volume; attached to the partition, which gives
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

from nova_dpm import names
from nova_dpm.conf import Settings
from nova_dpm.errors import ConflictError, NotFoundError, StateError
from nova_dpm.hmc import Hmc, Properties
from nova_dpm.host import Cpc
from nova_dpm.partition import Partition
from nova_dpm.storage.volume import FcVolume

LOG = log.getLogger(__name__)

BOOT_VOLUME = "boot"

_GROUPS_URI = "/api/storage-groups"
_FAILED = frozenset({"configuration-error", "incomplete"})


@dataclass(frozen=True)
class _Resource:
    """A virtual storage resource: the partition's end on one port."""

    wwpn: str
    port_uri: str


class StorageGroups:
    """Each partition has a storage group of its own."""

    def __init__(self, hmc: Hmc, settings: Settings, cpc: Cpc) -> None:
        self._hmc = hmc
        self._cpc_uri = cpc.uri
        self._host = settings.host
        self._ports = settings.storage_ports
        self._ignored = settings.ignored_wwpns

    def prepare(self, name: str, partition_uri: str, boot_size: int) -> None:
        """Make the group with its boot volume, and attach it to the new partition."""
        body: Properties = {
            "cpc-uri": self._cpc_uri,
            "name": name,
            "description": names.subset_description(self._host),
            "type": "fcp",
            "shared": False,
            "connectivity": len(self._ports),
            "candidate-adapter-port-uris": [port.uri for port in self._ports],
            "storage-volumes": [
                {"operation": "create", "name": BOOT_VOLUME, "size": boot_size, "usage": "boot"}
            ],
        }
        uri = self._hmc.create(_GROUPS_URI, body, lambda: self._find(name))
        self._attach(partition_uri, uri)

    def wwpns(self, partition: Partition) -> list[str]:
        """Return the WWPNs of the group's virtual storage resources, one request for each."""
        return [resource.wwpn for resource in self._resources(self._group_of(partition))]

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
        group_uri = self._group_of(Partition.of(self._hmc.get(partition_uri)))
        volume_uri, state = self._boot_volume(group_uri)
        if state != "complete":
            resources = self._resources(group_uri)
            path = volume.path([each.wwpn for each in resources], self._ignored)
            port_uri = next(each.port_uri for each in resources if each.wwpn == path.initiator)
            self._hmc.update(
                f"{volume_uri}/operations/fulfill-fcp-storage-volume",
                {
                    "world-wide-port-name": path.target,
                    "logical-unit-number": path.lun,
                    "adapter-port-uri": port_uri,
                },
            )
            self._wait_until_fulfilled(volume_uri)
        return {"boot-device": "storage-volume", "boot-storage-volume": volume_uri}

    def remove(self, name: str, partition: Partition | None) -> None:
        """Detach the partition's group and delete it."""
        uri = self._find(name)
        if uri is None:
            return
        if partition is not None and uri in partition.storage_group_uris:
            self._detach(partition.uri, uri)
        try:
            self._hmc.update(f"{uri}/operations/delete", {})
        except NotFoundError:
            LOG.debug("Storage group %s was not there any more", name)

    def _wait_until_fulfilled(self, volume_uri: str) -> None:
        def fulfilled() -> str | None:
            state = str(self._hmc.get(volume_uri)["fulfillment-state"])
            if state in _FAILED:
                raise StateError(
                    f"Boot volume {volume_uri} is in fulfillment state {state}; the connection "
                    "report of "
                    "its storage group on the HMC says why"
                )
            return state if state == "complete" else None

        self._hmc.until(f"Boot volume {volume_uri} fulfilled", fulfilled)

    def _boot_volume(self, group_uri: str) -> tuple[str, str]:
        for uri in self._hmc.get(group_uri).get("storage-volume-uris") or ():
            properties = self._hmc.get(uri)
            if properties.get("usage") == "boot":
                return str(uri), str(properties["fulfillment-state"])
        raise StateError(f"Storage group {group_uri} has no boot volume")

    def _resources(self, group_uri: str) -> list[_Resource]:
        listed = self._hmc.get(f"{group_uri}/virtual-storage-resources")
        found = []
        for each in listed["virtual-storage-resources"]:
            properties = self._hmc.get(each["element-uri"])
            info = properties.get("world-wide-port-name-info") or {}
            wwpn = properties.get("world-wide-port-name") or info.get("world-wide-port-name")
            if wwpn:
                found.append(_Resource(str(wwpn).lower(), properties["adapter-port-uri"]))
        order = [port.uri for port in self._ports]
        return sorted(
            found,
            key=lambda each: order.index(each.port_uri) if each.port_uri in order else len(order),
        )

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
        attached: Sequence[str] = self._hmc.get(partition_uri).get("storage-group-uris") or ()
        return attached

    def _find(self, name: str) -> str | None:
        answer = self._hmc.get(f"{_GROUPS_URI}?name={quote(re.escape(name))}")
        for each in answer["storage-groups"]:
            if each["name"] == name and each.get("cpc-uri", self._cpc_uri) == self._cpc_uri:
                return str(each["object-uri"])
        return None
