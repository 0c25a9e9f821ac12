"""NICs of a partition, as the HMC shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dpm_guest.bootparams import NicParams
from dpm_guest.errors import DpmGuestError
from dpm_guest.ids import Devno, Mac
from dpm_hmc import answers, names
from dpm_hmc.answers import Properties
from dpm_hmc.errors import AnswerError
from nova_dpm.network.backings import HIPERSOCKETS_NIC, Backing

Told = Mapping[str, NicParams]
"""What a guest was told of its NICs, by device number."""


@dataclass(frozen=True)
class Nic:
    """A NIC on the HMC.

    Args:
        uri: path in the Web Services API
        name: by which it is known whose it is
        mac: that the guest is told; None where nobody says one
        devno: None where Linux sees no ccw device
        port: of the adapter
        backing_uri: what it is plugged into
        vlan: VLAN id, or None
        hmc_mac: that the HMC has given it; None where it does not say
        is_hipersockets: whether it is on HiperSockets
    """

    uri: str
    name: str
    mac: Mac | None
    devno: Devno | None
    port: int = 0
    backing_uri: str = ""
    vlan: int | None = None
    hmc_mac: Mac | None = None
    is_hipersockets: bool = False

    @classmethod
    def of(cls, uri: str, properties: Properties, backing: Backing, told: Told) -> Nic:
        """Read a NIC of ours.

        Args:
            uri: of it
            properties: that the HMC shows
            backing: what it is plugged into
            told: what its guest was told: where somebody has changed the description, that stays

        Raises:
            AnswerError: the properties are none of a NIC.
        """
        has_devno = backing.is_ccw and properties.get("device-number")
        devno = devno_in(properties) if has_devno else None
        mac = names.mac_in(answers.optional_text(properties, "description"))
        if mac is None and devno is not None and devno in told:
            mac = told[devno].mac
        return cls(
            uri,
            answers.text(properties, "name"),
            mac,
            devno,
            backing.port,
            backing.uri,
            answers.optional_number(properties, "vlan-id") or None,
            _mac_in(properties),
        )

    @classmethod
    def foreign(cls, uri: str, properties: Properties) -> Nic:
        """Read an operator's own, of which only the device number matters: it is not free.

        Raises:
            AnswerError: it has no name.
        """
        try:
            devno = devno_in(properties)
        except AnswerError:
            devno = None
        return cls(
            uri,
            answers.text(properties, "name"),
            None,
            devno,
            hmc_mac=_mac_in(properties),
            is_hipersockets=properties.get("type") == HIPERSOCKETS_NIC,
        )

    @property
    def is_ours(self) -> bool:
        """Whether it belongs to a Neutron port; an operator may have added others."""
        return self.name.startswith(names.NIC_PREFIX)

    def is_of(self, port_id: str) -> bool:
        """Whether it is the NIC of a Neutron port."""
        return self.name == names.nic_name(port_id)

    def is_stray_of(self, mac: Mac | None) -> bool:
        """Whether the HMC has made it for the port of this MAC, and nobody gave it its name.

        NICs on HiperSockets are made under a name of the HMC's (`nova_dpm.network.claim`); they
        keep it where nova-compute or the HMC ended before.
        """
        is_foreign = self.is_hipersockets and not self.is_ours
        return is_foreign and mac is not None and self.hmc_mac == mac


def devno_in(properties: Properties) -> Devno:
    """Return a NIC's device number.

    Raises:
        AnswerError: there is none.
    """
    return Devno(answers.matching(properties, "device-number", "[0-9a-f]{4}", "4 hex digits"))


def devnos_of(nics: Iterable[Nic]) -> list[Devno]:
    """Return the device numbers at which NICs begin."""
    return [nic.devno for nic in nics if nic.devno is not None]


def with_nic(nics: Sequence[Nic], nic: Nic) -> list[Nic]:
    """Return NICs with one more, or with what is known better of one of them."""
    if all(each.uri != nic.uri for each in nics):
        return [*nics, nic]
    return [nic if each.uri == nic.uri else each for each in nics]


def _mac_in(properties: Properties) -> Mac | None:
    """Return the MAC that the HMC has given a NIC; it may have given none, or say none."""
    try:
        return Mac.parse(answers.optional_text(properties, "mac-address"))
    except DpmGuestError:
        return None
