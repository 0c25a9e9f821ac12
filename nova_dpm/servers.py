"""A server's life: what is done on the HMC, in which order, when Nova builds, starts or deletes
one.

Nothing that matters is kept here: each step finds what there is by the server's uuid, so a
nova-compute that was started again goes on where the one before it ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from oslo_log import log

from dpm_hmc.answers import Properties
from dpm_hmc.client import Hmc
from dpm_hmc.cpc import Cpc
from dpm_hmc.errors import (
    ConflictError,
    DpmError,
    HmcError,
    NameTakenError,
    NotFoundError,
    StateError,
)
from nova_dpm.conf import Settings
from nova_dpm.console import log as console_log
from nova_dpm.errors import NothingRunsError, RefusedError
from nova_dpm.network import Abilities, Networks, Nic, WantedNic, guest
from nova_dpm.network.nics import with_nic
from nova_dpm.network.ports import mac_of, port_id_of, wanted_nic, wanted_nics
from nova_dpm.partition import BOOT_PARAMETERS, Listed, Partition, Partitions
from nova_dpm.storage import Ends, FcVolume, storage_of

LOG = log.getLogger(__name__)

Vifs = Iterable[Mapping[str, Any]]

P = ParamSpec("P")
R = TypeVar("R")


def _patiently(
    method: Callable[Concatenate[Servers, P], R],
) -> Callable[Concatenate[Servers, P], R]:
    """Have an operation on a server wait for an HMC that restarts."""

    @wraps(method)
    def patient(servers: Servers, /, *arguments: P.args, **named: P.kwargs) -> R:
        with servers._hmc.patience():
            return method(servers, *arguments, **named)

    return patient


class Servers:
    """The servers of one OpenStack host.

    Args:
        hmc: the session
        settings: the options
        cpc: where the partitions are
    """

    def __init__(self, hmc: Hmc, settings: Settings, cpc: Cpc) -> None:
        self._hmc = hmc
        self._partitions = Partitions(hmc, cpc.uri, settings.host)
        self._networks = Networks(hmc, settings.host, Abilities.of(cpc))
        self._storage = storage_of(hmc, settings, cpc)
        # Of each server for which Cinder connects a volume just now: what it was told is what the
        # partition boots over, and is not asked for again. What is not here is asked for.
        self._ends: dict[str, Ends] = {}

    def listed(self) -> dict[str, Listed]:
        """Return this host's partitions by the uuid of their server. One request."""
        return self._partitions.listed()

    def find(self, uuid: str) -> Partition | None:
        """Return a server's partition, or None."""
        return self._partitions.find(uuid)

    def uri(self, uuid: str) -> str:
        """Return the URI of a server's partition.

        Raises:
            StateError: it has none.
            HmcError: the HMC failed.
        """
        return self._needed(uuid).uri

    @_patiently
    def check_ports(self, vifs: Vifs) -> None:
        """Check that NICs can be made of a server's ports.

        Raises:
            RefusedError: they cannot.
            HmcError: the HMC failed.
        """
        self._networks.check(wanted_nics(vifs))

    @_patiently
    def prepare(self, uuid: str, processors: int, memory: int, boot_size: int) -> None:
        """Make a server's partition and storage.

        What an earlier build of the same server left is removed first.

        Args:
            uuid: of the server
            processors: shared IFL processors
            memory: MiB
            boot_size: of the boot volume, GiB

        Raises:
            HmcError: the HMC failed. What was made is removed by `remove`.
        """
        try:
            partition = self._partitions.create(uuid, processors, memory)
        except NameTakenError:
            LOG.warning("Removing what an earlier build left of partition %s", self._name(uuid))
            self.remove(uuid)
            partition = self._partitions.create(uuid, processors, memory)
        try:
            self._storage.prepare(partition, boot_size)
        except NotFoundError as error:
            # It answered with the URI of what it made, and a deletion would find nothing to delete.
            raise StateError(
                f"The HMC has made partition {self._name(uuid)} and does not show it, or its "
                f"storage group. Remove both on the HMC. {error}"
            ) from None
        LOG.info(
            "Partition %s (%s) is made, with %d IFL processor%s and %d MiB",
            partition.name,
            partition.uri,
            processors,
            "" if processors == 1 else "s",
            memory,
            instance_uuid=uuid,
        )

    @_patiently
    def wwpns(self, uuid: str) -> list[str]:
        """Return the world-wide port names of a server's partition.

        Raises:
            StateError: it has no partition.
            HmcError: the HMC failed.
        """
        ends = self._ends[uuid] = self._storage.ends(self._needed(uuid))
        LOG.info("WWPNs that Cinder is told: %s", ", ".join(ends.wwpns), instance_uuid=uuid)
        return ends.wwpns

    @_patiently
    def spawn(
        self,
        uuid: str,
        wanted: Sequence[WantedNic],
        volume: FcVolume,
        plugged: AbstractContextManager[object],
        power_on: bool,
    ) -> None:
        """Give a prepared partition its NICs and boot volume, tell it of them, and start it.

        Args:
            uuid: of the server
            wanted: its NICs
            volume: what it boots from
            plugged: left when Neutron has plugged the NICs that were made inside
            power_on: whether it is started

        Raises:
            RefusedError: NICs or volume cannot be used.
            HmcError: the HMC failed.
        """
        ends = self._ends.pop(uuid, None) or self._storage.ends(self._needed(uuid))
        uri = ends.partition_uri
        boot = self._storage.boot(ends, volume)
        LOG.info("Partition %s boots from %s", uri, boot.path, instance_uuid=uuid)
        properties = dict(boot.properties)
        with plugged:
            nics = self._networks.create_all(uri, wanted)
            made = "; ".join(
                port.described(nic.devno) for port, nic in zip(wanted, nics, strict=True)
            )
            LOG.info("Partition %s has %s", uri, made or "no NIC", instance_uuid=uuid)
        properties[BOOT_PARAMETERS] = guest.boot_parameters("", nics)
        self._partitions.update(uri, properties)
        if power_on:
            self._start(uuid, uri)

    @_patiently
    def start(self, uuid: str, vifs: Vifs | None, volume: FcVolume | None) -> None:
        """Start a server, after making right what differs from what it should have.

        Args:
            uuid: of the server
            vifs: its ports; None: nobody says which they are, and NICs stay as they are
            volume: what it boots from; None: as before

        Raises:
            StateError: it has no partition, or does not start.
            HmcError: the HMC failed.
        """
        partition = self._needed(uuid)
        if partition.status.is_running:
            return
        if partition.status.is_halted:
            self._partitions.stop(partition.uri)
        properties = self._nic_differences(partition, vifs)
        if volume is not None and not self._storage.boots_from(partition, volume):
            ends = self._ends.pop(uuid, None) or self._storage.ends(partition)
            boot = self._storage.boot(ends, volume)
            LOG.info("Partition %s boots from %s now", partition.uri, boot.path, instance_uuid=uuid)
            properties |= boot.properties
        if properties:
            self._partitions.update(partition.uri, properties)
        self._start(uuid, partition.uri)

    @_patiently
    def stop(self, uuid: str) -> None:
        """Stop a server.

        Raises:
            StateError: it has no partition, or does not stop.
            HmcError: the HMC failed.
        """
        partition = self._needed(uuid)
        if not partition.status.is_stopped:
            LOG.info("Stopping partition %s", partition.uri, instance_uuid=uuid)
            self._partitions.stop(partition.uri)
            LOG.info("Partition %s is stopped", partition.uri, instance_uuid=uuid)

    @_patiently
    def remove(self, uuid: str) -> None:
        """Remove a server's partition and storage, as much as there is of them.

        Raises:
            HmcError: something is left.
        """
        self._ends.pop(uuid, None)
        gone = Partition.gone(self._name(uuid))
        partition = self._partitions.find(uuid) or gone
        if not partition.status.is_stopped:
            try:
                self._partitions.stop(partition.uri)
            except NotFoundError:
                partition = gone  # somebody else has deleted it
        try:
            self._storage.remove(partition)
        except ConflictError as error:
            if not (partition.is_there and partition.status.is_stopped):
                raise
            # Whether a group can be detached in each status in which a partition can be deleted is
            # written nowhere.
            LOG.info("Deleting partition %s before its storage: %s", partition.name, error)
            self._partitions.delete(partition)
            self._storage.remove(gone)
        else:
            if partition.is_there:
                self._partitions.delete(partition)
        if partition.is_there:
            LOG.info(
                "Partition %s (%s) and its storage are removed",
                partition.name,
                partition.uri,
                instance_uuid=uuid,
            )

    def console_log(self, uuid: str) -> bytes:
        """Return what a server's operating system has said since it was started.

        Raises:
            StateError: it has no partition.
            RefusedError: the machine keeps no messages of it.
            HmcError: the HMC failed.
        """
        try:
            return console_log.read(self._hmc, self._needed(uuid).uri)
        except NotFoundError as error:
            raise RefusedError(
                "its machine lists no operating system messages; those of the console need SE 2.14",
                str(error),
            ) from None

    @_patiently
    def attach_nic(self, uuid: str, vif: Mapping[str, Any]) -> None:
        """Add a NIC, and tell it for the next start.

        A running system gets the NIC at once, where the HMC can give it the right MAC.

        Raises:
            RefusedError: it cannot be.
            HmcError: the HMC failed; the NIC is removed again.
        """
        wanted = wanted_nic(vif)
        partition = self._needed(uuid)
        if not partition.status.is_stopped and not self._networks.sets_macs:
            raise RefusedError(
                f"stop the server, attach the port, start it: its partition is {partition.status}, "
                "and on this machine the MAC of a NIC in a running one cannot be set"
            )
        present = self._networks.present(partition)
        nic = self._networks.add(partition, wanted, present)
        try:
            self._tell(partition, with_nic(present, nic))
        except DpmError:
            if all(nic.uri != each.uri for each in present):
                self._networks.remove(nic)
            raise

    @_patiently
    def detach_nic(self, uuid: str, vif: Mapping[str, Any]) -> None:
        """Remove a port's NIC, and what the next start is told of it. That it is gone is also fine.

        Raises:
            HmcError: the HMC failed.
        """
        port_id, mac = port_id_of(vif), mac_of(vif)
        partition = self._partitions.find(uuid)
        if partition is None:
            return
        present = self._networks.present(partition)
        gone = [nic for nic in present if nic.is_of(port_id) or nic.is_stray_of(mac)]
        for nic in gone:
            self._networks.remove(nic)
            LOG.info(
                "Partition %s has NIC %s of port %s no more",
                partition.uri,
                nic.devno or "(PCI)",
                port_id,
                instance_uuid=uuid,
            )
        self._tell(partition, [nic for nic in present if nic not in gone])

    def _start(self, uuid: str, uri: str) -> None:
        LOG.info("Starting partition %s", uri, instance_uuid=uuid)
        try:
            self._partitions.start(uri)
        except NothingRunsError as error:
            # Of a build that failed the partition goes, and its messages with it.
            raise error.saying(self._last_words(uri)) from None
        LOG.info("Partition %s runs", uri, instance_uuid=uuid)

    def _last_words(self, uri: str) -> str:
        """Return the last line of a partition's console, "" where the HMC tells none."""
        try:
            lines = console_log.read(self._hmc, uri).decode("ascii").splitlines()
        except HmcError as error:
            LOG.info("What partition %s said cannot be read: %s", uri, error)
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def _tell(self, partition: Partition, nics: Iterable[Nic]) -> None:
        properties = guest.news(partition, nics)
        if properties:
            self._partitions.update(partition.uri, properties)

    def _nic_differences(self, partition: Partition, vifs: Vifs | None) -> Properties:
        """Make the NICs right; return what the guest has to be told of them."""
        if vifs is None:
            return {}
        try:
            wanted = wanted_nics(vifs)
            nics = self._networks.present(partition)
            return guest.news(partition, self._networks.put_right(partition, wanted, nics))
        except RefusedError as error:
            LOG.warning("The NICs of partition %s stay as they are: %s", partition.name, error)
            return {}

    def _needed(self, uuid: str) -> Partition:
        partition = self._partitions.find(uuid)
        if partition is None:
            raise MissingPartitionError(self._name(uuid))
        return partition

    def _name(self, uuid: str) -> str:
        return self._partitions.name(uuid)


class MissingPartitionError(StateError):
    """A server has no partition on the HMC."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no partition {name} on the HMC")
