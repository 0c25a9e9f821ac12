"""What a NIC is plugged into: the seam at which another kind of it is added.

A kind is a class with the members of `Kind`, and an entry of `KINDS`. All else of this package asks
the kind: which URI a port of Neutron means, by which property a NIC names it, and what of it
matters to the NIC (`Backing`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from dpm_guest import bootparams
from dpm_hmc import answers
from dpm_hmc.answers import Properties
from dpm_hmc.client import Hmc
from dpm_hmc.errors import AnswerError
from dpm_hmc.networks import ADAPTER, VSWITCH

HIPERSOCKETS_NIC = "iqd"
"""The type of a NIC on HiperSockets."""


@dataclass(frozen=True)
class Backing:
    """What a NIC is plugged into, as far as the NIC is made and told from it.

    Args:
        uri: of it; "" where it is unknown
        properties: of a new NIC, by which the HMC plugs it in
        port: of the adapter
        is_ccw: whether Linux sees a ccw device; of a PCI function there is no device number to tell
        is_late: whether a NIC may appear after the HMC's answer, and under another name
    """

    uri: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)
    port: int = 0
    is_ccw: bool = False
    is_late: bool = False


class Kind(Protocol):
    """A kind of what a NIC can be plugged into.

    Attributes:
        label: for messages
        nic_property: of a NIC on the HMC, which names it
        is_always_ccw: whether the guest is told of every NIC on it; else `Backing` says
    """

    label: str
    nic_property: str
    is_always_ccw: bool

    def uri(self, object_id: str, port: int) -> str:
        """Return the URI of the one that a port of Neutron names."""

    def ask(self, hmc: Hmc, uri: str, nic_type: str = "") -> Backing:
        """Ask the HMC about the one at `uri`, one request at most.

        Args:
            hmc: the session
            uri: of it
            nic_type: of a NIC that is plugged into it, where there is one

        Raises:
            HmcError: the HMC failed.
        """


class VirtualSwitch:
    """A virtual switch (to z16): it knows its adapter's port. HMC permission: access to it."""

    label = "virtual switch"
    nic_property = "virtual-switch-uri"
    is_always_ccw = True

    def uri(self, object_id: str, port: int) -> str:
        """Return the URI of a virtual switch; `port` is its own business."""
        return f"/api/virtual-switches/{object_id}"

    def ask(self, hmc: Hmc, uri: str, nic_type: str = "") -> Backing:
        """Ask for the port."""
        switch = hmc.get(uri)
        port = answers.number(switch, "port", bootparams.MAX_PORT)
        is_late = switch.get("type") == "hipersockets"
        return Backing(uri, {self.nic_property: uri}, port, is_ccw=True, is_late=is_late)


@dataclass(frozen=True)
class _Family:
    """Network adapters that are alike.

    Args:
        types: how the types of such an adapter, and of a NIC on it, begin
        is_ccw: see `Backing`
        is_late: see `Backing`
        nic_type: that the HMC wants to be told of a new NIC
    """

    types: tuple[str, ...]
    is_ccw: bool = False
    is_late: bool = False
    nic_type: str = ""


_FAMILIES = {
    "osa": _Family(("osd",), is_ccw=True),
    # NICs on HiperSockets are made by partition links since the z16 (`nova_dpm.network.claim`).
    "hipersockets": _Family(("hipersockets", HIPERSOCKETS_NIC), is_ccw=True, is_late=True),
    # zhmc-ansible-modules, issue 1410. Known by its family: its type has been seen as
    # "network-express-hybrid" (zhmcclient 1.26, tests/unit/zhmcclient/dpm-export-1p-1sg.json).
    "network-express": _Family(("neth", "network-express"), nic_type="neth"),
}
"""By ``adapter-family``; all others are PCI functions, of which nothing has to be told."""


class AdapterPort:
    """A port of a network adapter (z17). HMC permission: access to the adapter."""

    label = "adapter"
    nic_property = "network-adapter-port-uri"
    is_always_ccw = False

    def uri(self, object_id: str, port: int) -> str:
        """Return the URI of an adapter's port."""
        return f"/api/adapters/{object_id}/network-ports/{port}"

    def ask(self, hmc: Hmc, uri: str, nic_type: str = "") -> Backing:
        """Ask for the adapter's family; no request where a NIC tells it."""
        adapter_uri, _, element = uri.partition("/network-ports/")
        if not re.fullmatch(r"[0-9]|1[0-5]", element):
            raise AnswerError(f"The HMC's answer cannot be used: {uri} names no port from 0 to 15")
        family = _family_of({"type": nic_type} if nic_type else hmc.get(adapter_uri))
        properties = {self.nic_property: uri}
        if family.nic_type:
            properties["type"] = family.nic_type
        return Backing(uri, properties, int(element), family.is_ccw, family.is_late)


def _family_of(adapter: Properties) -> _Family:
    name = answers.optional_text(adapter, "adapter-family")
    if name:
        return _FAMILIES.get(name, _Family(()))
    kind = answers.text(adapter, "type")
    alike = (family for family in _FAMILIES.values() if kind.startswith(family.types))
    return next(alike, _Family(()))


KINDS: dict[str, Kind] = {VSWITCH: VirtualSwitch(), ADAPTER: AdapterPort()}
"""By the type of the VIF that Neutron binds."""


def plugged_into(nic: Properties) -> tuple[Kind, str] | None:
    """Return what a NIC's properties say that it is plugged into, and its URI.

    Raises:
        AnswerError: what they say is no URI.
    """
    for kind in KINDS.values():
        uri = answers.optional_uri(nic, kind.nic_property)
        if uri:
            return kind, uri
    return None
