"""Storage of a partition: HBAs on machines without storage management, else storage groups.

The key to a partition's storage is its `Partition`, also where only its name is left of it.
"""

from __future__ import annotations

from typing import Protocol

from dpm_hmc.client import Hmc
from dpm_hmc.cpc import Cpc
from nova_dpm.conf import Settings
from nova_dpm.partition import Partition
from nova_dpm.storage.groups import StorageGroups
from nova_dpm.storage.hbas import Hbas
from nova_dpm.storage.volume import FcVolume
from nova_dpm.storage.ways import Boot, Ends

__all__ = ["Ends", "FcVolume", "Storage", "storage_of"]


class Storage(Protocol):
    """What the driver asks of a machine's storage. Methods raise `HmcError` where the HMC fails."""

    def prepare(self, partition: Partition, boot_size: int) -> None:
        """Make what a new partition needs for its volumes to be connected (`boot_size` in GiB)."""

    def ends(self, partition: Partition) -> Ends:
        """Return the partition's ends of its ways to storage, of which Cinder is told."""

    def boots_from(self, partition: Partition, volume: FcVolume) -> bool:
        """Whether the partition is set to boot from `volume` already."""

    def boot(self, ends: Ends, volume: FcVolume) -> Boot:
        """Make `volume` bootable; return what the partition boots from."""

    def remove(self, partition: Partition) -> None:
        """Remove what `prepare` made and does not go with the partition itself. Can be repeated."""


def storage_of(hmc: Hmc, settings: Settings, cpc: Cpc) -> Storage:
    """Return the storage of a machine.

    Args:
        hmc: the session
        settings: the ports, and the targets that nobody boots from
        cpc: the machine
    """
    if cpc.has_storage_management:
        return StorageGroups(hmc, settings, cpc)
    return Hbas(hmc, settings)
