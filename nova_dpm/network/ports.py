"""Ports of Neutron, read: which NICs a server wants. Nothing here asks the HMC."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dpm_guest.bootparams import MAX_PORT, NicParams
from dpm_guest.errors import DpmGuestError
from dpm_guest.ids import CcwId, Devno, Mac
from dpm_hmc import names
from dpm_hmc.options import ObjectIdType
from nova_dpm.errors import RefusedError
from nova_dpm.network.backings import KINDS, Kind
from nova_dpm.network.devnos import devno_at
from nova_dpm.network.guest import compose

_VLANS = range(4095)
"""Of 802.1Q; 0 is no VLAN."""


@dataclass(frozen=True)
class WantedNic:
    """A Neutron port, as far as the NIC is made from it.

    Args:
        port_id: uuid of the port
        mac: its MAC
        kind: of what it is plugged into, by `KINDS`
        object_id: of what it is plugged into
        port: of the adapter; a virtual switch knows its own
        vlan: VLAN id, or None
    """

    port_id: str
    mac: Mac
    kind: str
    object_id: str
    port: int = 0
    vlan: int | None = None

    @property
    def name(self) -> str:
        """Of its NIC."""
        return names.nic_name(self.port_id)

    def described(self, devno: Devno | None) -> str:
        """Return what a network administrator asks for; `devno` is the NIC's, None of PCI's."""
        vlan = f", VLAN {self.vlan}" if self.vlan is not None else ""
        number = "" if self.backing_kind.is_always_ccw else f" port {self.port}"
        return (
            f"NIC {devno or '(PCI)'} for port {self.port_id}, MAC {self.mac}, on "
            f"{self.backing_kind.label} {self.object_id}{number}{vlan}"
        )

    @property
    def backing_kind(self) -> Kind:
        """What it is plugged into."""
        return KINDS[self.kind]

    @property
    def backing_uri(self) -> str:
        """Of what it is plugged into."""
        return self.backing_kind.uri(self.object_id, self.port)


def port_id_of(vif: object) -> str:
    """Return the uuid of a VIF's port.

    Raises:
        RefusedError: it has none.
    """
    port_id = vif.get("id") if isinstance(vif, Mapping) else None
    if not isinstance(port_id, str) or not re.fullmatch(r"[0-9A-Za-z-]{1,36}", port_id):
        raise RefusedError("one of its ports has no id; create the port in Neutron first")
    return port_id


def mac_of(vif: Mapping[str, Any]) -> Mac | None:
    """Return the MAC of a VIF's port, None where it has none."""
    try:
        return _mac(vif)
    except DpmGuestError:
        return None


def wanted_nic(vif: Mapping[str, Any]) -> WantedNic:
    """Read a VIF of Nova (``nova.network.model.VIF``).

    Raises:
        RefusedError: this driver cannot make a NIC of it.
    """
    port_id = port_id_of(vif)
    kind = vif.get("type")
    if not isinstance(kind, str) or kind not in KINDS:
        raise RefusedError(
            f"port {port_id} has vif_type {kind}, which no partition can have; an operator checks "
            "Neutron's mechanism driver and agent for the host",
            f"it can have {' and '.join(KINDS)}",
        )
    details = vif.get("details") or {}
    if not isinstance(details, Mapping) or not details.get("object_id"):
        raise RefusedError(
            f"port {port_id} has no object_id in its vif_details; an operator checks Neutron's "
            "mechanism driver for the host"
        )
    try:
        object_id = ObjectIdType()(details["object_id"])
        port = _detail(details, "port", range(MAX_PORT + 1))
        vlan = _detail(details, "vlan", _VLANS) or None
    except ValueError as error:
        raise RefusedError(
            f"port {port_id} has vif_details that no NIC can have; an operator finds them in the "
            "log of nova-compute",
            str(error),
        ) from None
    try:
        mac = _mac(vif)
    except DpmGuestError as error:
        raise RefusedError(
            f"port {port_id} has a MAC that cannot be read; give the port another MAC", str(error)
        ) from None
    why_not = mac.why_unusable()
    if why_not is not None:
        raise RefusedError(
            f"give port {port_id} another MAC: {why_not}, which the adapter would refuse"
        )
    return WantedNic(port_id, mac, kind, object_id, port or 0, vlan)


def wanted_nics(network_info: Iterable[Mapping[str, Any]]) -> list[WantedNic]:
    """Read all VIFs of a server, and check that they fit into the boot parameters together.

    What is behind an adapter's port is not known yet: its NIC may need no tuple.

    Raises:
        RefusedError: a port that cannot be a NIC, a MAC twice, or more NICs than fit.
    """
    wanted = [wanted_nic(vif) for vif in network_info]
    seen: dict[Mac, str] = {}
    for nic in wanted:
        if nic.mac in seen:
            raise RefusedError(
                f"ports {seen[nic.mac]} and {nic.port_id} have the same MAC {nic.mac}; give one "
                "another"
            )
        seen[nic.mac] = nic.port_id
    check_fit(nic for nic in wanted if nic.backing_kind.is_always_ccw)
    return wanted


def check_fit(told: Iterable[WantedNic]) -> None:
    """Check that these NICs fit into boot parameters that say nothing else.

    Raises:
        RefusedError: they do not.
    """
    places = enumerate(told)
    compose(
        "", [NicParams(CcwId.parse(devno_at(place)), nic.port, nic.mac) for place, nic in places]
    )


def _mac(vif: Mapping[str, Any]) -> Mac:
    address = vif.get("address")
    return Mac.parse(address if isinstance(address, str) else "")


def _detail(details: Mapping[str, Any], name: str, allowed: range) -> int | None:
    value = details.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,4}", value):
        value = int(value)
    if type(value) is not int or value not in allowed:
        raise ValueError(f"{name} {value!r} is not {allowed[0]} to {allowed[-1]}")
    return value
