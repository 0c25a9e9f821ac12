"""The face to Nova: ``compute_driver = dpm.DPMDriver``.

What Nova asks for is done by `nova_dpm.servers`; here it is only translated: Nova's objects into
ours, our errors into Nova's, so that a user reads the reason as the server's fault.

Order of calls at a build (``nova/compute/manager.py``): ``prepare_for_spawn``,
``prepare_networks_before_block_device_mapping``, ``get_volume_connector`` (Cinder connects the
volume), ``spawn``. The partition is made in the second one: only there the ports are known, and a
server that cannot be run here is refused before anything is made.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import nova.conf
import os_resource_classes as orc
from nova import exception
from nova.compute import task_states, vm_states
from nova.console.type import ConsoleSerial
from nova.network.model import NetworkInfo
from nova.objects import fields
from nova.objects.instance import Instance
from nova.virt import driver, hardware
from nova.virt.virtapi import VirtAPI
from nova.volume import cinder
from oslo_log import log

from dpm_hmc.client import Hmc
from dpm_hmc.clock import Clock
from dpm_hmc.console import SINCE as SINCE_SERIAL
from dpm_hmc.errors import DpmError, HmcError
from nova_dpm import conf, inventory, plugging
from nova_dpm.check import start
from nova_dpm.console.serial import SerialConsoles
from nova_dpm.errors import RefusedError
from nova_dpm.looks import Looks
from nova_dpm.network import wanted_nics
from nova_dpm.partition import Listed
from nova_dpm.scheduling import Scheduling
from nova_dpm.servers import MissingPartitionError, Servers
from nova_dpm.storage import FcVolume
from nova_dpm.translation import (
    CannotError,
    NotDoneError,
    NotReadyError,
    NotRestartedError,
    NotStartedError,
    NotStoppedError,
    UnacceptableError,
    build_failures,
    build_refusals,
    check_server,
    hmc_failures,
    power_state_of,
    refusals,
    root_volume,
    told,
)

LOG = log.getLogger(__name__)
CONF = nova.conf.CONF
conf.register(CONF)

FRESH = 5.0
"""Seconds for which a list of partitions answers ``get_info(use_cache=True)``: Nova's periodic task
asks for all servers at once."""


class DPMDriver(driver.ComputeDriver):  # type: ignore[misc]
    """Runs Nova's servers as partitions of a CPC in DPM mode.

    Args:
        virtapi: Nova's
        clock: for pauses and time-outs
    """

    capabilities = {  # noqa: RUF012 - Nova's attribute, read by Nova
        **driver.ComputeDriver.capabilities,
        "supports_attach_interface": True,
    }

    def __init__(self, virtapi: VirtAPI, clock: Clock = time) -> None:
        super().__init__(virtapi)
        try:
            self._settings = conf.read(CONF)
            self._hmc = Hmc(self._settings.hmc, clock)
            try:
                self._cpc = start.usable_cpc(self._hmc, self._settings)
                start.check_options(self._hmc, self._settings, self._cpc)
            finally:
                # Nova may fork next; the connections are made again where they are used.
                self._hmc.close()
                LOG.info("Logged off until Nova asks for something: it may fork first")
        except DpmError as error:
            problem = str(error)
        else:
            problem = ""
        if problem:
            # As nova.virt.driver does where a driver cannot be loaded: a traceback helps nobody
            # here. Behind the handler, because oslo.log says an error that is being handled twice.
            LOG.critical("nova-compute cannot start: %s", problem)
            sys.exit(1)
        self._servers = Servers(self._hmc, self._settings, self._cpc)
        self._serial_consoles = SerialConsoles(
            self._settings.hmc,
            self._servers.uri,
            CONF.serial_console.proxyclient_address,
            clock,
        )
        self._looks: Looks[dict[str, Listed]] = Looks(self._servers.listed, clock)
        self._scheduling = Scheduling(self._settings.host)

    def init_host(self, host: str) -> None:
        """Say what is managed; `__init__` has checked it."""
        LOG.info(
            "Host %s runs its servers on CPC %s (%s, SE %s) over HMC %s",
            host,
            self._cpc.name,
            self._cpc.machine or "machine type unknown",
            self._cpc.se_version,
            self._hmc.address,
        )

    def cleanup_host(self, host: str) -> None:
        """End all serial consoles, and log off."""
        self._serial_consoles.close()
        self._hmc.close()

    # What there is

    def list_instances(self) -> list[str]:
        """Return the names of this host's partitions."""
        return [listed.name for listed in self._look().values()]

    def list_instance_uuids(self) -> list[str]:
        """Return the uuids of the servers that have a partition here."""
        return list(self._look())

    def get_num_instances(self) -> int:
        """Return how many servers have a partition here."""
        return len(self._look())

    def instance_exists(self, instance: Instance) -> bool:
        """Return whether a server has a partition here."""
        with hmc_failures(instance):
            return self._servers.find(instance.uuid) is not None

    def get_info(self, instance: Instance, use_cache: bool = True) -> hardware.InstanceInfo:
        """Return a server's power state."""
        if use_cache:
            with hmc_failures(instance):
                listed = self._looks.get(FRESH).get(instance.uuid)
            status = listed.status if listed else None
        else:
            with hmc_failures(instance):
                partition = self._servers.find(instance.uuid)
            status = partition.status if partition else None
        if status is None:
            raise exception.InstanceNotFound(instance_id=instance.uuid)
        return hardware.InstanceInfo(state=power_state_of(status))

    def get_available_nodes(self, refresh: bool = False) -> list[str]:
        """Return the one node: the OpenStack host itself."""
        return [self._settings.host]

    def node_is_available(self, nodename: str) -> bool:
        """Return whether `nodename` is the one node."""
        return nodename == self._settings.host

    def get_available_resource(self, nodename: str) -> dict[str, Any]:
        """Return the host's figures; have it out of scheduling while the HMC does not answer."""
        try:
            used = self._looks.get()
        except HmcError as error:
            # The figures are right all the same; an error here would be a traceback a minute.
            self._scheduling.hmc_fails(error)
        else:
            self._scheduling.hmc_answers()
            LOG.debug("%d partitions on CPC %s", len(used), self._cpc.name)
        return inventory.resources(self._settings, self._cpc)

    def get_host_uptime(self) -> str:
        """Return words for ``openstack hypervisor list``: Nova's default logs a traceback each."""
        return "unknown: the HMC does not say since when the CPC is up"

    def update_provider_tree(
        self, provider_tree: Any, nodename: str, allocations: Any = None
    ) -> None:
        """Tell Placement what this host has. No request: it is what the options grant."""
        ratios = self._get_allocation_ratios(provider_tree.data(nodename).inventory)
        provider_tree.update_inventory(
            nodename,
            inventory.inventory(self._settings, ratios[orc.VCPU], CONF.reserved_host_cpus),
        )
        provider_tree.add_traits(nodename, *inventory.TRAITS)

    # Build and delete

    def prepare_for_spawn(self, instance: Instance) -> None:
        """Refuse what can be refused without knowing the ports."""
        with build_failures(instance), refusals(instance):
            check_server(instance)

    def prepare_networks_before_block_device_mapping(
        self, instance: Instance, network_info: NetworkInfo
    ) -> None:
        """Check the ports, then make the partition and its storage, so that it has WWPNs."""
        try:
            vifs = list(network_info or ())  # waits for Neutron; an error of it comes out here
        except exception.NovaException as error:
            raise UnacceptableError(reason=error.format_message()) from error
        with build_failures(instance), refusals(instance):
            self._servers.check_ports(vifs)
            self._prepare(instance)

    def failed_spawn_cleanup(self, instance: Instance) -> None:
        """Remove what was made before Cinder or Neutron failed.

        Where the HMC does not let us, it is said, and a deletion of the server does it later: an
        error here would hide the one that the build failed with.
        """
        try:
            with self._forgetting():
                self._servers.remove(instance.uuid)
        except HmcError as error:
            LOG.error(
                "What was made for the failed build could not be removed: %s. Deleting the server "
                "removes it",
                error,
                instance=instance,
            )

    def get_volume_connector(self, instance: Instance) -> dict[str, Any]:
        """Return how a server's partition is known to storage, as the HMC says now.

        Nova unshelves a server with neither of the hooks that prepare a build, and asks for the
        connector with the task state of a spawn: then the partition is made here.
        """
        with hmc_failures(instance):
            try:
                wwpns = self._servers.wwpns(instance.uuid)
            except MissingPartitionError:
                if instance.task_state != task_states.SPAWNING:
                    raise exception.InstanceNotFound(instance_id=instance.uuid) from None
                self._prepare(instance)
                wwpns = self._servers.wwpns(instance.uuid)
        return {
            "host": self._settings.host,
            "ip": CONF.my_ip,
            "wwpns": wwpns,
            # Cinder's base fibre channel driver asks for node names; the HMC has none to tell.
            "wwnns": wwpns,
            "multipath": len(wwpns) > 1,
            "platform": fields.Architecture.S390X,
            "os_type": "linux",
            "instance": instance.uuid,
        }

    def spawn(
        self,
        context: Any,
        instance: Instance,
        image_meta: Any,
        injected_files: Any,
        admin_password: Any,
        allocations: Any,
        network_info: NetworkInfo | None = None,
        block_device_info: Mapping[str, Any] | None = None,
        power_on: bool = True,
        accel_info: Any = None,
    ) -> None:
        """Give the prepared partition its NICs and volume, and start it."""
        if instance.task_state == task_states.REBUILD_SPAWNING:
            self.power_on(context, instance, network_info, block_device_info)
            return
        with (
            self._forgetting(),
            build_failures(instance),
            build_refusals(instance),
            self._removed_if_unshelving_fails(instance),
        ):
            vifs = list(network_info or ())
            volume = root_volume(block_device_info)
            if volume is None:
                raise RefusedError("it has no boot volume; a partition boots from a volume only")
            self._servers.spawn(
                instance.uuid,
                wanted_nics(vifs),
                volume,
                plugging.plugged(self.virtapi, context, instance, vifs),
                power_on,
            )

    def destroy(
        self,
        context: Any,
        instance: Instance,
        network_info: NetworkInfo | None,
        block_device_info: Mapping[str, Any] | None = None,
        destroy_disks: bool = True,
        destroy_secrets: bool = True,
    ) -> None:
        """Remove a server's partition and storage, as much as there is; not amid a rebuild."""
        if instance.task_state == task_states.REBUILDING:
            LOG.info("The partition and its WWPNs stay, as it is a rebuild", instance=instance)
            return
        self._serial_consoles.end(instance.uuid)
        try:
            with self._forgetting():
                self._servers.remove(instance.uuid)
        except HmcError as error:
            # Nova keeps addresses and volumes then, and the deletion can be asked for again.
            raise NotStoppedError(
                reason=told(error, "The partition could not be removed", instance)
            ) from error

    def cleanup(
        self,
        context: Any,
        instance: Instance,
        network_info: NetworkInfo | None,
        block_device_info: Mapping[str, Any] | None = None,
        destroy_disks: bool = True,
        migrate_data: Any = None,
        destroy_vifs: bool = True,
        destroy_secrets: bool = True,
    ) -> None:
        """Do as `destroy`: what is left of a partition is never worth keeping."""
        self.destroy(context, instance, network_info, block_device_info)

    def rebuild(
        self,
        context: Any,
        instance: Instance,
        image_meta: Any,
        injected_files: Any,
        admin_password: Any,
        allocations: Any,
        bdms: Any,
        detach_block_devices: Any,
        attach_block_devices: Any,
        network_info: NetworkInfo | None = None,
        evacuate: bool = False,
        block_device_info: Mapping[str, Any] | None = None,
        preserve_ephemeral: bool = False,
        accel_uuids: Any = None,
        reimage_boot_volume: bool = False,
    ) -> None:
        """Stop the partition, and leave the rest to Nova's own way (`_rebuild_default_impl`).

        That destroys the server, has Cinder write the image to the boot volume, and spawns the
        server. `destroy` and `spawn` see that it is a rebuild: the partition stays, and with it the
        WWPNs that the storage knows. What cannot be done is refused here, where the server can
        still stay what it was.

        Raises:
            NotImplementedError: it goes on in Nova's own way.
            InstanceNotFound: its user has deleted it meanwhile; Nova ends the rebuild.
        """
        try:
            if evacuate:
                raise RefusedError(
                    "a partition cannot be evacuated; start nova-compute elsewhere with the same "
                    "host option"
                )
            if preserve_ephemeral:
                raise RefusedError(
                    "a partition has no ephemeral disk to preserve; rebuild without "
                    "--preserve-ephemeral"
                )
            try:
                with self._forgetting():
                    self._servers.stop(instance.uuid)
            except MissingPartitionError as error:
                if _is_deleted(instance):
                    raise exception.InstanceNotFound(instance_id=instance.uuid) from None
                raise RefusedError(
                    "it has no partition any more; delete it, and create a server from its volume",
                    str(error),
                ) from None
        except DpmError as error:
            reason = told(error, "The server is not rebuilt", instance)
            raise exception.InstanceFaultRollback(NotDoneError(reason=reason)) from None
        raise NotImplementedError

    # Power

    def power_on(
        self,
        context: Any,
        instance: Instance,
        network_info: NetworkInfo | None,
        block_device_info: Mapping[str, Any] | None = None,
        accel_info: Any = None,
        share_info: Any = None,
    ) -> None:
        """Start a server."""
        try:
            with self._forgetting():
                self._servers.start(
                    instance.uuid, _ports(network_info), root_volume(block_device_info)
                )
        except DpmError as error:
            raise NotStartedError(
                reason=told(error, "The partition could not be started", instance)
            ) from error

    def power_off(self, instance: Instance, timeout: int = 0, retry_interval: int = 0) -> None:
        """Stop a server. Whether its operating system is asked to end before is not documented."""
        self._serial_consoles.end(instance.uuid)
        try:
            with self._forgetting():
                self._servers.stop(instance.uuid)
        except DpmError as error:
            raise NotStoppedError(
                reason=told(error, "The partition could not be stopped", instance)
            ) from error

    def reboot(
        self,
        context: Any,
        instance: Instance,
        network_info: NetworkInfo | None,
        reboot_type: str,
        block_device_info: Mapping[str, Any] | None = None,
        bad_volumes_callback: Any = None,
        accel_info: Any = None,
        share_info: Any = None,
    ) -> None:
        """Stop and start a server, soft or hard: only so its boot parameters are read again."""
        try:
            with self._forgetting():
                self._servers.stop(instance.uuid)
                self._servers.start(
                    instance.uuid, _ports(network_info), root_volume(block_device_info)
                )
        except DpmError as error:
            raise NotRestartedError(
                reason=told(error, "The partition could not be restarted", instance)
            ) from error

    def pause(self, instance: Instance) -> None:
        """Refuse, with words that the server's events show."""
        raise CannotError("a partition cannot be paused; stop the server")

    def suspend(self, context: Any, instance: Instance) -> None:
        """Refuse, with words that the server's events show."""
        raise CannotError("a partition cannot be suspended; stop the server, or shelve it")

    # Console

    def get_console_output(self, context: Any, instance: Instance) -> bytes:
        """Return what the server's operating system has said since it was started."""
        try:
            return self._servers.console_log(instance.uuid)
        except MissingPartitionError as error:
            LOG.error("There is no console log: %s", error, instance=instance)
            raise exception.InstanceNotFound(instance_id=instance.uuid) from None
        except DpmError as error:
            if isinstance(error, RefusedError):
                # So it is on such a machine, each time that a user looks: nothing went wrong.
                reason = error.reason
                LOG.info("There is no console log: %s", error, instance=instance)
            else:
                reason = told(error, "The console log cannot be read", instance)
            # Only Nova's own class becomes an answer of its API.
            raise exception.ConsoleNotAvailable(f"There is no console log: {reason}") from None

    def get_serial_console(self, context: Any, instance: Instance) -> ConsoleSerial:
        """Return where a server's console is listened on, for nova-serialproxy.

        Whether there is one is seen, and said there, when somebody comes.
        """
        if self._cpc.api_version < SINCE_SERIAL:
            raise exception.ConsoleTypeUnavailable(console_type="serial")
        port = self._serial_consoles.port(instance.uuid)
        return ConsoleSerial(CONF.serial_console.proxyclient_address, port)

    # Volumes and interfaces of a server that is there

    def attach_volume(
        self,
        context: Any,
        connection_info: Mapping[str, Any],
        instance: Instance,
        mountpoint: str,
        disk_bus: Any = None,
        device_type: Any = None,
        encryption: Any = None,
    ) -> None:
        """Check that the partition can see a volume.

        Nothing has to be done on the HMC: Cinder has shown the LUN to the partition's WWPNs, and
        the guest's zfcp driver finds it by itself (NPIV, ``zfcp.allow_lun_scan``).
        """
        if encryption:
            raise exception.VolumeEncryptionNotSupported(
                volume_type=connection_info.get("driver_volume_type"),
                volume_id=connection_info.get("serial"),
            )
        try:
            volume = FcVolume.parse(connection_info)
        except RefusedError as error:
            raise exception.InvalidInput(
                reason=told(error, "The volume is not attached", instance)
            ) from None
        if not self.instance_exists(instance):
            raise exception.InstanceNotFound(instance_id=instance.uuid)
        name = connection_info.get("serial")
        LOG.info("Volume %s is shown to the partition: %s", name, volume, instance=instance)

    def detach_volume(
        self,
        context: Any,
        connection_info: Mapping[str, Any],
        instance: Instance,
        mountpoint: str,
        encryption: Any = None,
    ) -> None:
        """Leave it to Cinder, which takes the LUN away from the partition's WWPNs."""
        LOG.info("Volume %s is taken away", connection_info.get("serial"), instance=instance)

    def attach_interface(
        self, context: Any, instance: Instance, image_meta: Any, vif: Mapping[str, Any]
    ) -> None:
        """Add a NIC to a partition."""
        try:
            self._servers.attach_nic(instance.uuid, vif)
        except DpmError as error:
            reason = told(error, "The port is not attached", instance)
            raise exception.InterfaceAttachFailed(
                f"Failed to attach the port: {reason}", instance_uuid=instance.uuid
            ) from error

    def detach_interface(self, context: Any, instance: Instance, vif: Mapping[str, Any]) -> None:
        """Remove a NIC from a partition."""
        try:
            self._servers.detach_nic(instance.uuid, vif)
        except DpmError as error:
            reason = told(error, "The port is not detached", instance)
            raise exception.InterfaceDetachFailed(
                f"Failed to detach the port: {reason}", instance_uuid=instance.uuid
            ) from error

    def plug_vifs(self, instance: Instance, network_info: NetworkInfo) -> None:
        """Do nothing: a NIC stays in its partition, also while nova-compute is away."""

    def unplug_vifs(self, instance: Instance, network_info: NetworkInfo) -> None:
        """Do nothing: a NIC goes with its partition."""

    # Inside

    def _look(self) -> dict[str, Listed]:
        """Return the partitions by uuid."""
        try:
            return self._looks.get()
        except HmcError as error:
            raise NotReadyError(reason=str(error)) from error

    @contextmanager
    def _forgetting(self) -> Iterator[None]:
        """Have no look from before or amid a change answer after it."""
        try:
            yield
        finally:
            self._looks.forget()

    def _prepare(self, instance: Instance) -> None:
        self._servers.prepare(
            instance.uuid,
            instance.flavor.vcpus,
            instance.flavor.memory_mb,
            self._boot_size(instance),
        )

    @contextmanager
    def _removed_if_unshelving_fails(self, instance: Instance) -> Iterator[None]:
        """Remove the partition where unshelving fails; of a build that fails, Nova destroys it."""
        try:
            yield
        except DpmError:
            if instance.vm_state == vm_states.SHELVED_OFFLOADED:
                self.failed_spawn_cleanup(instance)
            raise

    def _boot_size(self, instance: Instance) -> int:
        """Return the size in GiB of a server's boot volume, which a storage group is told."""
        if not self._cpc.has_storage_management:
            return 0
        for bdm in instance.get_bdms():
            if bdm.boot_index == 0:
                if bdm.volume_size:
                    return int(bdm.volume_size)
                if bdm.volume_id:
                    return int(cinder.API().get(instance._context, bdm.volume_id)["size"])
        return int(instance.flavor.root_gb or 1)


def _ports(network_info: NetworkInfo | None) -> list[Any] | None:
    """Return a server's VIFs: an empty list where it has none, None where Nova does not say."""
    return None if network_info is None else list(network_info)


def _is_deleted(instance: Instance) -> bool:
    """Return whether its user has deleted a server since Nova's request began, or is doing it."""
    try:
        instance.refresh()
    except exception.InstanceNotFound:
        return True
    return bool(instance.task_state == task_states.DELETING)
