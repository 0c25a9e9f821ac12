"""HBAs: fibre channel on a machine without storage management (z13)."""

from __future__ import annotations

from dpm_hmc import answers
from dpm_hmc.answers import Properties
from dpm_hmc.client import Hmc
from nova_dpm.conf import Settings, StoragePort
from nova_dpm.errors import RefusedError
from nova_dpm.partition import Partition
from nova_dpm.storage.volume import FcVolume, wwpn
from nova_dpm.storage.ways import Boot, Ends


class Hbas:
    """Each partition has an HBA on each of the configured ports; deleted with the partition."""

    def __init__(self, hmc: Hmc, settings: Settings) -> None:
        self._hmc = hmc
        self._ports = settings.storage_ports
        self._ignored = settings.ignored_wwpns

    def prepare(self, partition: Partition, boot_size: int) -> None:
        """Make the HBAs of a new partition; `boot_size` does not matter here.

        HMC permission: task Partition Details; access to the adapters.
        """
        for port in self._ports:
            self._create(partition.uri, port)

    def ends(self, partition: Partition) -> Ends:
        """Return the HBAs; one request for each."""
        hbas = {wwpn(self._hmc.get(uri), "wwpn"): uri for uri in partition.hba_uris}
        return Ends(partition.uri, hbas)

    def boots_from(self, partition: Partition, volume: FcVolume) -> bool:
        """Whether adapter, target and LUN are those of `volume`. No request."""
        properties = partition.properties
        booted = (
            str(properties.get("boot-world-wide-port-name")).lower(),
            str(properties.get("boot-logical-unit-number")).lower(),
        )
        return (
            properties.get("boot-device") == "storage-adapter"
            and properties.get("boot-storage-device") in partition.hba_uris
            and booted in volume.targets
            and booted[0] not in self._ignored
        )

    def boot(self, ends: Ends, volume: FcVolume) -> Boot:
        """Return by which path and properties the partition boots from `volume`. No request.

        Raises:
            RefusedError: no HBA reaches it.
        """
        if not ends.uris:
            raise RefusedError(
                "its partition has no HBA to boot over any more; delete it, and create a server "
                "from its volume"
            )
        path = volume.path(ends.wwpns, self._ignored)
        properties: Properties = {
            "boot-device": "storage-adapter",
            "boot-storage-device": ends.uris[path.initiator],
            "boot-world-wide-port-name": path.target,
            "boot-logical-unit-number": path.lun,
        }
        return Boot(path, properties)

    def remove(self, partition: Partition) -> None:
        """Leave it to the deletion of the partition."""

    def _create(self, partition_uri: str, port: StoragePort) -> None:
        name = f"OpenStack_HBA_{port.adapter_id}_{port.port}"

        def find() -> str | None:
            for uri in answers.uris(self._hmc.get(partition_uri), "hba-uris"):
                if answers.text(self._hmc.get(uri), "name") == name:
                    return uri
            return None

        body = {"name": name, "adapter-port-uri": port.uri}
        self._hmc.create(f"{partition_uri}/hbas", body, find)
