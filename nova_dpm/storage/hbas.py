"""HBAs: fibre channel on a machine without storage management (z13)."""

from __future__ import annotations

from dpm_hmc import answers
from dpm_hmc.answers import Properties
from dpm_hmc.client import Hmc
from nova_dpm.conf import Settings, StoragePort
from nova_dpm.errors import RefusedError
from nova_dpm.partition import Partition
from nova_dpm.storage.volume import FcVolume, wwpn


class Hbas:
    """Each partition has an HBA on each of the configured ports; deleted with the partition."""

    def __init__(self, hmc: Hmc, settings: Settings) -> None:
        self._hmc = hmc
        self._ports = settings.storage_ports
        self._ignored = settings.ignored_wwpns
        # URI and WWPN of each HBA by partition, so that the HMC is asked once in a build: an HBA's
        # WWPN never changes. What is not here is asked for.
        self._known: dict[str, list[tuple[str, str]]] = {}

    def prepare(self, name: str, partition_uri: str, boot_size: int) -> None:
        """Make the HBAs of a new partition; `boot_size` does not matter here."""
        for port in self._ports:
            self._create(partition_uri, port)

    def wwpns(self, partition: Partition) -> list[str]:
        """Return the HBAs' WWPNs; one request for each."""
        known = [(uri, wwpn(self._hmc.get(uri), "wwpn")) for uri in partition.hba_uris]
        self._known[partition.uri] = known
        return [name for _, name in known]

    def boots_from(self, partition: Partition, volume: FcVolume) -> bool:
        """Whether adapter, target and LUN are those of `volume`."""
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

    def boot_properties(self, partition_uri: str, volume: FcVolume) -> Properties:
        """Return the properties by which the partition boots from `volume`.

        Raises:
            RefusedError: no HBA reaches it.
        """
        if partition_uri not in self._known:
            self.wwpns(Partition.of(self._hmc.get(partition_uri)))
        known = self._known[partition_uri]
        if not known:
            raise RefusedError("the partition has no HBA to boot over")
        path = volume.path([name for _, name in known], self._ignored)
        return {
            "boot-device": "storage-adapter",
            "boot-storage-device": next(uri for uri, name in known if name == path.initiator),
            "boot-world-wide-port-name": path.target,
            "boot-logical-unit-number": path.lun,
        }

    def remove(self, name: str, partition: Partition | None) -> None:
        """Leave it to the deletion of the partition."""
        if partition is not None:
            self._known.pop(partition.uri, None)

    def _create(self, partition_uri: str, port: StoragePort) -> None:
        name = f"OpenStack_HBA_{port.adapter_id}_{port.port}"

        def find() -> str | None:
            for uri in answers.uris(self._hmc.get(partition_uri), "hba-uris"):
                if answers.text(self._hmc.get(uri), "name") == name:
                    return uri
            return None

        body = {"name": name, "adapter-port-uri": port.uri}
        self._hmc.create(f"{partition_uri}/hbas", body, find)
