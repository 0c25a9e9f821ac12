"""What a partition has in the way of NICs beside what it should have. Nothing here asks the HMC."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from dpm_hmc.cpc import Cpc, version_number
from nova_dpm.network.nics import Nic
from nova_dpm.network.ports import WantedNic

_MAC_SETTABLE = (2, 20)
"""API version from which a NIC's MAC can be set (HMC Web Services API, NIC object)."""

_SE_OF_MACS = "2.14.0"
"""SE version from which it can, whatever HMC manages the CPC: a z13 has an older one."""

_VLAN_SETTABLE = (2, 2)
"""API version from which a NIC can have a VLAN id."""


@dataclass(frozen=True)
class Abilities:
    """What a NIC of a CPC can be told.

    Args:
        macs: its MAC, in a running partition too
        vlans: its VLAN id
    """

    macs: bool
    vlans: bool

    @classmethod
    def of(cls, cpc: Cpc) -> Abilities:
        """Return those of a CPC, by the versions of its HMC's API and of its SE."""
        se_version = version_number(cpc.se_version)
        is_too_old = 0 < se_version < version_number(_SE_OF_MACS)
        macs = cpc.api_version >= _MAC_SETTABLE and not is_too_old
        return cls(macs, cpc.api_version >= _VLAN_SETTABLE)


@dataclass(frozen=True)
class Comparison:
    """What has to be done to a partition's NICs.

    Args:
        right: NICs that stay, with the MACs of their ports; those of others are among them
        strays: NICs that the HMC has made for one of the ports, without a name of ours
        stale: NICs of ours without a port, or that are not what their port is now
        missing: ports without a NIC that stays
    """

    right: tuple[Nic, ...]
    strays: tuple[Nic, ...]
    stale: tuple[Nic, ...]
    missing: tuple[WantedNic, ...]


def compare(present: Sequence[Nic], wanted: Sequence[WantedNic], can: Abilities) -> Comparison:
    """Compare the NICs that a partition has with its server's ports.

    Args:
        present: the NICs
        wanted: the ports
        can: what the HMC can tell a NIC: what it cannot is not compared
    """
    ports = {port.name: port for port in wanted}
    strays = strays_of(present, wanted)
    right: list[Nic] = []
    stale: list[Nic] = []
    for nic in present:
        port = ports.get(nic.name)
        if nic in strays:
            continue
        if not nic.is_ours:
            right.append(nic)
        elif port is None or _differs(nic, port, can):
            stale.append(nic)
        else:
            right.append(replace(nic, mac=port.mac))  # whatever its description says
    there = {nic.name for nic in right}
    missing = tuple(port for port in wanted if port.name not in there)
    return Comparison(tuple(right), strays, tuple(stale), missing)


def strays_of(present: Sequence[Nic], wanted: Collection[WantedNic]) -> tuple[Nic, ...]:
    """Return the NICs that the HMC has made for these ports, without a name of ours."""
    return tuple(nic for nic in present if any(nic.is_stray_of(port.mac) for port in wanted))


def _differs(nic: Nic, port: WantedNic, can: Abilities) -> bool:
    if nic.backing_uri and nic.backing_uri != port.backing_uri:
        return True
    if can.vlans and nic.vlan != port.vlan:
        return True
    return can.macs and nic.hmc_mac not in (None, port.mac)
