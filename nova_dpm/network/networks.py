"""The NICs of partitions: made, found, put right and removed on the HMC."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from http import HTTPStatus

from oslo_log import log

from dpm_guest.ids import Devno
from dpm_hmc import answers, names
from dpm_hmc.answers import Properties
from dpm_hmc.client import Hmc
from dpm_hmc.errors import HttpError, NotFoundError
from nova_dpm.errors import RefusedError
from nova_dpm.network import guest
from nova_dpm.network.backings import Backing, plugged_into
from nova_dpm.network.compare import Abilities, compare, strays_of
from nova_dpm.network.devnos import devno_at, free_devno
from nova_dpm.network.making import NicMaker
from nova_dpm.network.nics import Nic, Told, devnos_of
from nova_dpm.network.ports import WantedNic, check_fit
from nova_dpm.partition import Partition

LOG = log.getLogger(__name__)


class Networks:
    """Makes, finds and removes NICs.

    HMC permission: task Partition Details, where something is changed; access to the partition, and
    to the virtual switches or adapters.

    Args:
        hmc: the session
        host: OpenStack host, for the NICs' descriptions
        can: what a NIC can be told
    """

    def __init__(self, hmc: Hmc, host: str, can: Abilities) -> None:
        self._hmc = hmc
        self._can = can
        self._maker = NicMaker(hmc, host, can)

    @property
    def sets_macs(self) -> bool:
        """Whether the HMC gives a NIC the MAC of its port, in a running partition too."""
        return self._can.macs

    def check(self, wanted: Sequence[WantedNic]) -> None:
        """Check that the guest can be told of all NICs; only where there are many, a request each.

        Raises:
            RefusedError: it cannot, or the virtual switch or adapter is not there.
            HmcError: the HMC failed.
        """
        try:
            check_fit(wanted)
        except RefusedError:
            self._backings_that_fit(wanted)

    def create_all(self, partition_uri: str, wanted: Sequence[WantedNic]) -> list[Nic]:
        """Make the NICs of a partition that has none.

        Raises:
            RefusedError: the virtual switch or adapter is not there, or they do not fit into the
                boot parameters.
            HmcError: the HMC failed.
        """
        backings = self._backings_that_fit(wanted)
        made: list[Nic] = []
        for place, port in enumerate(wanted):
            backing = backings[port.backing_uri]
            made.append(self._maker.make(partition_uri, port, backing, devno_at(place), made))
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
        found = compare(present, wanted, self._can)
        self._remove_strays(found.strays)
        for nic in found.stale:
            text = "Removing NIC %s of partition %s: its port is gone or has changed"
            LOG.warning(text, nic.name, partition.name)
            self.remove(nic)
        former = {nic.name: nic.devno for nic in found.stale}
        nics = list(found.right)
        for port in found.missing:
            nics.append(self._make_one_more(partition, port, nics, former.get(port.name)))
        return nics

    def add(self, partition: Partition, wanted: WantedNic, present: Sequence[Nic]) -> Nic:
        """Make one more NIC, or return the one that is there for the port already.

        Raises:
            RefusedError: the virtual switch or adapter is not there.
            HmcError: the HMC failed.
        """
        strays = strays_of(present, [wanted])
        self._remove_strays(strays)
        present = [nic for nic in present if nic not in strays]
        for nic in present:
            if nic.is_of(wanted.port_id):
                return replace(nic, mac=wanted.mac)  # whatever its description says
        return self._make_one_more(partition, wanted, present)

    def present(self, partition: Partition) -> list[Nic]:
        """Return the partition's NICs, one request each, with the port their virtual switch has.

        Raises:
            HmcError: the HMC failed.
        """
        found = []
        told = guest.nics_told(partition)
        backings: dict[str, Backing] = {}
        for uri in partition.nic_uris:
            try:
                properties = self._hmc.get(uri)
            except NotFoundError:
                continue  # removed meanwhile
            if answers.text(properties, "name").startswith(names.NIC_PREFIX):
                backing = self._backing_of(properties, told, backings)
                found.append(Nic.of(uri, properties, backing, told))
            else:
                found.append(Nic.foreign(uri, properties))
        return found

    def remove(self, nic: Nic) -> None:
        """Delete a NIC.

        Raises:
            HmcError: the HMC failed.
        """
        self._hmc.delete(nic.uri)

    def _remove_strays(self, strays: Iterable[Nic]) -> None:
        for nic in strays:
            LOG.warning("Removing NIC %s, which the HMC has made for one of our ports", nic.name)
            self.remove(nic)

    def _make_one_more(
        self,
        partition: Partition,
        wanted: WantedNic,
        present: Sequence[Nic],
        former: Devno | None = None,
    ) -> Nic:
        backing = self._backings([wanted])[wanted.backing_uri]
        devno = free_devno(devnos_of(present), former)
        nic = self._maker.make(partition.uri, wanted, backing, devno, present)
        LOG.info("Partition %s has one more: %s", partition.name, wanted.described(nic.devno))
        return nic

    def _backings_that_fit(self, wanted: Sequence[WantedNic]) -> dict[str, Backing]:
        """Return what the NICs are to be plugged into, if the guest can be told of them all."""
        backings = self._backings(wanted)
        check_fit(port for port in wanted if backings[port.backing_uri].is_ccw)
        return backings

    def _backings(self, wanted: Iterable[WantedNic]) -> dict[str, Backing]:
        """Ask what the NICs are to be plugged into, one request each.

        Not kept: a virtual switch can be moved to another port, and a guest that is told the wrong
        one has no network.
        """
        found: dict[str, Backing] = {}
        for port in wanted:
            uri, kind = port.backing_uri, port.backing_kind
            if uri in found:
                continue
            try:
                found[uri] = kind.ask(self._hmc, uri)
            except HttpError as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise
                raise RefusedError(
                    f"port {port.port_id} wants a {kind.label} which the HMC does not show; an "
                    "operator checks the physical networks of Neutron's agent",
                    f"{port.object_id}; option physical_network_adapter_mappings",
                ) from None
        return found

    def _backing_of(self, nic: Properties, told: Told, backings: dict[str, Backing]) -> Backing:
        """Ask what a NIC of ours is plugged into; what the user may not see is as it was told.

        Args:
            nic: its properties
            told: what its guest was told
            backings: those that are known by now, by their URI
        """
        plugged = plugged_into(nic)
        if plugged is None:
            return Backing()
        kind, uri = plugged
        if uri not in backings:
            try:
                backings[uri] = kind.ask(self._hmc, uri, answers.optional_text(nic, "type"))
            except HttpError as error:
                if not error.is_hidden:
                    raise
                LOG.warning("The port behind a NIC stays what its guest was told: %s", error)
                params = told.get(str(nic.get("device-number")))
                port = params.port if params else 0
                backings[uri] = Backing(uri, port=port, is_ccw=params is not None)
        return backings[uri]
