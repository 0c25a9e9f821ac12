"""NICs of a partition: what Neutron wants, what the HMC makes of it, what the guest is told."""

from __future__ import annotations

from nova_dpm.network.networks import (
    ADAPTER,
    MAC_SETTABLE,
    VLAN_SETTABLE,
    VSWITCH,
    Networks,
    Nic,
    WantedNic,
    boot_parameters,
    mac_of,
    port_id_of,
    says_the_same,
    wanted_nic,
    wanted_nics,
    with_nic,
)

__all__ = [
    "ADAPTER",
    "MAC_SETTABLE",
    "VLAN_SETTABLE",
    "VSWITCH",
    "Networks",
    "Nic",
    "WantedNic",
    "boot_parameters",
    "mac_of",
    "port_id_of",
    "says_the_same",
    "wanted_nic",
    "wanted_nics",
    "with_nic",
]
