"""NICs of a partition: what Neutron wants, what the HMC makes of it, what the guest is told."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from oslo_log import log

from dpm_guest import bootparams
from dpm_guest.errors import DpmGuestError
from dpm_guest.ids import LAST_DEVNO, CcwId, Mac
from dpm_hmc import answers, names
from dpm_hmc.answers import Properties
from dpm_hmc.client import Hmc
from dpm_hmc.errors import (
    AnswerError,
    ConflictError,
    DpmError,
    HttpError,
    NotFoundError,
)
from dpm_hmc.options import ObjectIdType
from nova_dpm.errors import RefusedError
from nova_dpm.network.claim import claim
from nova_dpm.partition import Partition

LOG = log.getLogger(__name__)

VSWITCH = "dpm_vswitch"
ADAPTER = "dpm_adapter"

FIRST_DEVNO = 0x1000
"""Where the driver's NICs begin: the HMC gives numbers of its own from 0001 upwards."""

DEVNOS_OF_A_NIC = 3
"""A qeth device is three consecutive numbers: read, write, data."""

MAC_SETTABLE = (2, 20)
"""API version from which a NIC's MAC can be set (HMC Web Services API, NIC object)."""

VLAN_SETTABLE = (2, 2)
"""API version from which a NIC can have a VLAN id."""

_VLANS = range(4095)
"""Of 802.1Q; 0 is no VLAN."""

_HIPERSOCKETS = "hipersockets"
"""The type of such an adapter and of its virtual switch, and the adapter's family."""

_HIPERSOCKETS_NIC = "iqd"

_CCW_FAMILIES = frozenset({"osa", "hipersockets"})
_CCW_TYPES = frozenset({"osd", "hipersockets", "iqd"})
"""Adapters and NICs that Linux sees as ccw devices. All others are PCI functions: there is no devno
to tell the guest."""

_EXPRESS_FAMILY = "network-express"
_EXPRESS_TYPE = "neth"
"""What the HMC wants to be told of a NIC on Network Express (zhmc-ansible-modules, issue 1410). It
is known by its family: its type has been seen as ``network-express-hybrid`` (zhmcclient 1.26,
``tests/unit/zhmcclient/dpm-export-1p-1sg.json``)."""


@dataclass(frozen=True)
class WantedNic:
    """A Neutron port, as far as the NIC is made from it.

    Args:
        port_id: uuid of the port
        mac: its MAC
        kind: `VSWITCH` or `ADAPTER`
        object_id: object id of the virtual switch, or of the adapter
        port: of the adapter; a virtual switch knows its own
        vlan: VLAN id, or None
    """

    port_id: str
    mac: Mac
    kind: str
    object_id: str
    port: int = 0
    vlan: int | None = None


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
    devno: str | None
    port: int
    backing_uri: str = ""
    vlan: int | None = None
    hmc_mac: Mac | None = None
    is_hipersockets: bool = False

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


@dataclass(frozen=True)
class _Backing:
    """What a NIC is plugged into."""

    properties: Mapping[str, str]
    port: int
    is_ccw: bool
    is_hipersockets: bool = False


def port_id_of(vif: object) -> str:
    """Return the uuid of a VIF's port.

    Raises:
        RefusedError: it has none.
    """
    port_id = vif.get("id") if isinstance(vif, Mapping) else None
    if not isinstance(port_id, str) or not re.fullmatch(r"[0-9A-Za-z-]{1,36}", port_id):
        raise RefusedError("one of its ports has no id")
    return port_id


def mac_of(vif: Mapping[str, Any]) -> Mac | None:
    """Return the MAC of a VIF's port, None where it has none."""
    address = vif.get("address")
    try:
        return Mac.parse(address if isinstance(address, str) else "")
    except DpmGuestError:
        return None


def wanted_nic(vif: Mapping[str, Any]) -> WantedNic:
    """Read a VIF of Nova (``nova.network.model.VIF``).

    Raises:
        RefusedError: this driver cannot make a NIC of it.
    """
    port_id = port_id_of(vif)
    kind = vif.get("type")
    if kind not in (VSWITCH, ADAPTER):
        raise RefusedError(
            f"port {port_id} has vif_type {kind}, and a partition can have {VSWITCH} and "
            f"{ADAPTER} only; "
            "check the mechanism driver and the agent of Neutron for this host"
        )
    details = vif.get("details") or {}
    if not isinstance(details, Mapping) or not details.get("object_id"):
        raise RefusedError(f"port {port_id} has no object_id in its vif_details")
    try:
        object_id = ObjectIdType()(details["object_id"])
        port = _detail(details, "port", range(bootparams.MAX_PORT + 1))
        vlan = _detail(details, "vlan", _VLANS) or None
    except ValueError as error:
        raise RefusedError(
            f"port {port_id} has vif_details that no NIC can have", str(error)
        ) from None
    address = vif.get("address")
    try:
        mac = Mac.parse(address if isinstance(address, str) else "")
    except DpmGuestError as error:
        raise RefusedError(f"port {port_id}: {error}") from None
    why_not = mac.why_unusable()
    if why_not is not None:
        raise RefusedError(
            f"port {port_id}: {why_not}, which the adapter would refuse; give the port another MAC"
        )
    return WantedNic(port_id, mac, kind, object_id, port or 0, vlan)


def _detail(details: Mapping[str, Any], name: str, allowed: range) -> int | None:
    value = details.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,4}", value):
        value = int(value)
    if type(value) is not int or value not in allowed:
        raise ValueError(f"{name} {value!r} is not {allowed[0]} to {allowed[-1]}")
    return value


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
                f"ports {seen[nic.mac]} and {nic.port_id} have the same MAC {nic.mac}"
            )
        seen[nic.mac] = nic.port_id
    _check_fit(nic for nic in wanted if nic.kind == VSWITCH)
    return wanted


def _check_fit(told: Iterable[WantedNic]) -> None:
    boot_parameters(
        "",
        [
            Nic("", names.nic_name(nic.port_id), nic.mac, f"{_devno(place):04x}", nic.port)
            for place, nic in enumerate(told)
        ],
    )


def boot_parameters(existing: str, nics: Iterable[Nic]) -> str:
    """Return the new text of ``boot-os-specific-parameters``: what an operator wrote, and the NICs.

    Raises:
        RefusedError: the text is longer than the property may be.
    """
    try:
        params = [
            bootparams.NicParams(CcwId.parse(nic.devno), nic.port, nic.mac)
            for nic in nics
            if nic.devno is not None and nic.is_ours
        ]
        return bootparams.compose(existing, params)
    except DpmGuestError as error:
        raise RefusedError(f"the NICs do not fit into the boot parameters: {error}") from None


def with_nic(nics: Sequence[Nic], nic: Nic) -> list[Nic]:
    """Return NICs with one more, or with what is known better of one of them."""
    if all(each.uri != nic.uri for each in nics):
        return [*nics, nic]
    return [nic if each.uri == nic.uri else each for each in nics]


def says_the_same(text: str, other: str) -> bool:
    """Whether two boot parameters tell the guest the same NICs, in whatever form, and no damage."""
    first, second = bootparams.parse(text), bootparams.parse(other)
    return first.nics == second.nics and not first.damaged and not second.damaged


class Networks:
    """Makes, finds and removes NICs.

    Args:
        hmc: the session
        host: OpenStack host, for the NICs' descriptions
        api_version: of the HMC, for what a NIC can be told
    """

    def __init__(self, hmc: Hmc, host: str, api_version: tuple[int, int]) -> None:
        self._hmc = hmc
        self._host = host
        self._api_version = api_version

    @property
    def sets_macs(self) -> bool:
        """Whether the HMC gives a NIC the MAC of its port, in a running partition too."""
        return self._api_version >= MAC_SETTABLE

    def check(self, wanted: Sequence[WantedNic]) -> None:
        """Check that the guest can be told of all NICs; only where there are many, a request each.

        Raises:
            RefusedError: it cannot, or the virtual switch or adapter is not there.
            HmcError: the HMC failed.
        """
        try:
            _check_fit(wanted)
        except RefusedError:
            backings = self._backings(wanted)
            _check_fit(nic for nic in wanted if backings[_place(nic)].is_ccw)

    def create_all(self, partition_uri: str, wanted: Sequence[WantedNic]) -> list[Nic]:
        """Make the NICs of a partition that has none.

        Raises:
            RefusedError: the virtual switch or adapter is not there, or they do not fit into the
                boot parameters.
            HmcError: the HMC failed.
        """
        backings = self._backings(wanted)
        _check_fit(nic for nic in wanted if backings[_place(nic)].is_ccw)
        made: list[Nic] = []
        for place, nic in enumerate(wanted):
            known = [each.uri for each in made]
            made.append(
                self._create(partition_uri, nic, backings[_place(nic)], _devno(place), known)
            )
        return made

    def put_right(
        self, partition: Partition, wanted: Sequence[WantedNic], present: Sequence[Nic]
    ) -> list[Nic]:
        """Give a stopped partition the NICs that it should have, and return all that it has then.

        What is missing is made; a NIC of ours that no port has goes; one whose MAC, backing or VLAN
        is not its port's is made anew, with its device number. NICs of others stay.

        Raises:
            RefusedError: a virtual switch or adapter is not there.
            HmcError: the HMC failed.
        """
        ports = {names.nic_name(nic.port_id): nic for nic in wanted}
        nics: list[Nic] = []
        devnos: dict[str, str | None] = {}
        for nic in self._without_strays(present, wanted):
            port = ports.get(nic.name)
            if not nic.is_ours or (port is not None and not self._differs(nic, port)):
                nics.append(nic)
                continue
            text = "Removing NIC %s of partition %s: its port is gone or has changed"
            LOG.warning(text, nic.name, partition.name)
            devnos[nic.name] = nic.devno
            self.remove(nic)
        for port in wanted:
            nic = self.add(partition, port, nics, devnos.get(names.nic_name(port.port_id)))
            nics = with_nic(nics, nic)
        return nics

    def _without_strays(self, present: Sequence[Nic], wanted: Sequence[WantedNic]) -> list[Nic]:
        """Remove NICs of these ports that have no name of ours, and return the others."""
        macs = {nic.mac for nic in wanted}
        strays = [nic for nic in present if any(nic.is_stray_of(mac) for mac in macs)]
        for nic in strays:
            LOG.warning("Removing NIC %s, which the HMC has made for one of our ports", nic.name)
            self.remove(nic)
        return [nic for nic in present if nic not in strays]

    def _differs(self, nic: Nic, wanted: WantedNic) -> bool:
        if nic.backing_uri and nic.backing_uri != _backing_uri(wanted):
            return True
        if self._api_version >= VLAN_SETTABLE and nic.vlan != wanted.vlan:
            return True
        return self.sets_macs and nic.hmc_mac not in (None, wanted.mac)

    def add(
        self,
        partition: Partition,
        wanted: WantedNic,
        present: Sequence[Nic],
        devno: str | None = None,
    ) -> Nic:
        """Make one more NIC, or return the one that is there for the port already.

        Args:
            partition: that it is for
            wanted: what it shall be
            present: the NICs that the partition has
            devno: its device number, if that is free

        Raises:
            RefusedError: the virtual switch or adapter is not there.
            HmcError: the HMC failed.
        """
        present = self._without_strays(present, [wanted])
        for nic in present:
            if nic.is_of(wanted.port_id):
                return replace(nic, mac=wanted.mac)  # whatever its description says
        backing = self._backings([wanted])[_place(wanted)]
        used = {int(nic.devno, 16) for nic in present if nic.devno is not None}
        candidates = [int(devno, 16)] if devno else []
        free = next(
            number
            for number in (*candidates, *range(FIRST_DEVNO, LAST_DEVNO, DEVNOS_OF_A_NIC))
            if not used & set(range(number - 2, number + DEVNOS_OF_A_NIC))
        )
        known = [nic.uri for nic in present]
        return self._create(partition.uri, wanted, backing, free, known)

    def present(self, partition: Partition) -> list[Nic]:
        """Return the partition's NICs, one request each, with the port their virtual switch has.

        Raises:
            HmcError: the HMC failed.
        """
        found = []
        ports: dict[str, _Backing] = {}
        told = {
            str(nic.bus_id.devno): nic for nic in bootparams.parse(partition.boot_parameters).nics
        }
        for uri in partition.nic_uris:
            try:
                properties = self._hmc.get(uri)
            except NotFoundError:
                continue  # removed meanwhile
            name = answers.text(properties, "name")
            if not name.startswith(names.NIC_PREFIX):
                found.append(_foreign(uri, name, properties))
                continue
            backing_uri = answers.optional_uri(
                properties, "virtual-switch-uri"
            ) or answers.optional_uri(properties, "network-adapter-port-uri")
            if backing_uri and backing_uri not in ports:
                nic_type = answers.optional_text(properties, "type")
                told_nic = told.get(str(properties.get("device-number")))
                ports[backing_uri] = self._known_backing(backing_uri, nic_type, told_nic)
            backing = ports.get(backing_uri, _Backing({}, 0, is_ccw=False))
            has_devno = backing.is_ccw and bool(properties.get("device-number"))
            devno = _devno_in(properties) if has_devno else None
            # Where somebody has changed the description, the guest keeps what it was told.
            mac = names.mac_in(answers.optional_text(properties, "description"))
            if mac is None and devno in told:
                mac = told[devno].mac
            found.append(
                Nic(
                    uri,
                    name,
                    mac,
                    devno,
                    backing.port,
                    backing_uri,
                    answers.optional_number(properties, "vlan-id") or None,
                    _mac_in(properties),
                    backing.is_hipersockets,
                )
            )
        return found

    def _known_backing(
        self, uri: str, nic_type: str, told: bootparams.NicParams | None
    ) -> _Backing:
        """Ask what a NIC of ours is plugged into; what the user may not see is as it was told."""
        try:
            return self._backing_of(uri, nic_type)
        except HttpError as error:
            if not error.is_hidden:
                raise
            LOG.warning("The port behind a NIC stays what its guest was told: %s", error)
            return _Backing({}, told.port if told else 0, is_ccw=told is not None)

    def remove(self, nic: Nic) -> None:
        """Delete a NIC.

        Raises:
            HmcError: the HMC failed.
        """
        self._hmc.delete(nic.uri)

    def _create(
        self,
        partition_uri: str,
        wanted: WantedNic,
        backing: _Backing,
        devno: int,
        known: Sequence[str],
    ) -> Nic:
        name = names.nic_name(wanted.port_id)
        body: Properties = {
            "name": name,
            "description": names.nic_description(self._host, wanted.mac),
            **backing.properties,
        }
        if self.sets_macs:
            body["mac-address"] = wanted.mac
        if wanted.vlan is not None:
            if self._api_version < VLAN_SETTABLE:
                raise RefusedError(
                    f"port {wanted.port_id} has VLAN {wanted.vlan}, and this HMC knows no VLANs "
                    "of NICs"
                )
            body["vlan-id"] = wanted.vlan

        late = backing.is_hipersockets
        if not backing.is_ccw:
            nic_uri = self._make(partition_uri, body, known, late)
            return Nic(nic_uri, name, wanted.mac, None, backing.port)
        number = f"{devno:04x}"
        try:
            nic_uri = self._make(partition_uri, {**body, "device-number": number}, known, late)
        except ConflictError as error:
            # Something else of the partition has the number: the HMC knows which are free.
            LOG.info("NIC %s cannot have device number %s: %s", name, number, error)
            nic_uri = self._make(partition_uri, body, known, late)
            try:
                number = _devno_in(self._hmc.get(nic_uri))
            except DpmError:
                self._hmc.delete(nic_uri)
                raise
        return Nic(nic_uri, name, wanted.mac, number, backing.port)

    def _make(
        self, partition_uri: str, body: Properties, known: Sequence[str], is_late: bool
    ) -> str:
        """Have the HMC make a NIC, and return its URI.

        Args:
            partition_uri: of the partition
            body: the properties of the NIC
            known: URIs of the NICs that are there
            is_late: whether it may appear after the answer, and under another name
        """

        def find() -> str | None:
            if is_late:
                return claim(self._hmc, partition_uri, known, body)
            return self._find(partition_uri, body["name"])

        try:
            return self._hmc.create(f"{partition_uri}/nics", body, find)
        except HttpError as error:
            if not error.is_failure:
                raise
            made = claim(self._hmc, partition_uri, known, body)
            if made is None:
                raise
            return made

    def _find(self, partition_uri: str, name: str) -> str | None:
        for uri in answers.uris(self._hmc.get(partition_uri), "nic-uris"):
            if answers.text(self._hmc.get(uri), "name") == name:
                return uri
        return None

    def _backings(self, wanted: Iterable[WantedNic]) -> dict[tuple[str, str, int], _Backing]:
        found: dict[tuple[str, str, int], _Backing] = {}
        for nic in wanted:
            if _place(nic) in found:
                continue
            try:
                found[_place(nic)] = self._backing_of(_backing_uri(nic), "")
            except HttpError as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise
                what = "virtual switch" if nic.kind == VSWITCH else "adapter"
                raise RefusedError(
                    f"port {nic.port_id} wants a {what} which the HMC does not show",
                    f"{nic.object_id}; check the mapping of physical networks in the Neutron "
                    "agent's configuration",
                ) from None
        return found

    def _backing_of(self, uri: str, nic_type: str) -> _Backing:
        """Ask the HMC what a NIC is plugged into.

        Not kept: a virtual switch can be moved to another port, and a guest that is told the
        wrong one has no network.
        """
        if uri.startswith("/api/virtual-switches/"):
            switch = self._hmc.get(uri)
            port = answers.number(switch, "port", bootparams.MAX_PORT)
            is_hipersockets = switch.get("type") == _HIPERSOCKETS
            return _Backing({"virtual-switch-uri": uri}, port, True, is_hipersockets)
        adapter_uri, _, element = uri.partition("/network-ports/")
        if not re.fullmatch(r"[0-9]|1[0-5]", element):
            raise AnswerError(f"The HMC's answer cannot be used: {uri} names no port from 0 to 15")
        properties = {"network-adapter-port-uri": uri}
        if nic_type:
            return _Backing(
                properties, int(element), nic_type in _CCW_TYPES, nic_type == _HIPERSOCKETS_NIC
            )
        adapter = self._hmc.get(adapter_uri)
        family = answers.optional_text(adapter, "adapter-family")
        if family == _EXPRESS_FAMILY or (not family and _is_express(adapter)):
            properties["type"] = _EXPRESS_TYPE
        is_ccw = family in _CCW_FAMILIES if family else adapter.get("type") in _CCW_TYPES
        return _Backing(properties, int(element), is_ccw, family == _HIPERSOCKETS)


def _is_express(adapter: Properties) -> bool:
    return answers.text(adapter, "type").startswith((_EXPRESS_TYPE, _EXPRESS_FAMILY))


def _foreign(uri: str, name: str, properties: Properties) -> Nic:
    """Return an operator's own NIC, of which only the device number matters: it is not free."""
    try:
        devno = _devno_in(properties)
    except AnswerError:
        devno = None
    is_hipersockets = properties.get("type") == _HIPERSOCKETS_NIC
    hmc_mac = _mac_in(properties)
    return Nic(uri, name, None, devno, 0, hmc_mac=hmc_mac, is_hipersockets=is_hipersockets)


def _place(nic: WantedNic) -> tuple[str, str, int]:
    return nic.kind, nic.object_id, nic.port


def _backing_uri(nic: WantedNic) -> str:
    if nic.kind == VSWITCH:
        return f"/api/virtual-switches/{nic.object_id}"
    return f"/api/adapters/{nic.object_id}/network-ports/{nic.port}"


def _devno_in(properties: Properties) -> str:
    return answers.matching(properties, "device-number", "[0-9a-f]{4}", "4 hex digits")


def _mac_in(properties: Properties) -> Mac | None:
    """Return the MAC that the HMC has given a NIC; it may have given none, or say none."""
    try:
        return Mac.parse(answers.optional_text(properties, "mac-address"))
    except DpmGuestError:
        return None


def _devno(place: int) -> int:
    return FIRST_DEVNO + DEVNOS_OF_A_NIC * place
