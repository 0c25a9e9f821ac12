"""What ``nova/compute/manager.py`` (34.0.0) does with a driver, as far as a server's life goes."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from nova import objects
from nova.context import RequestContext
from nova.virt.virtapi import VirtAPI

from dpm_guest import bootparams
from nova_dpm.driver import DPMDriver
from tests.driver.lab import HOST, Lab

TARGETS = ("5005076800000001", "5005076800000002")


@dataclass(frozen=True)
class Server:
    """A server as its user asked for it: its ports are VIFs of ``nova.network.model``."""

    uuid: str
    ports: tuple[dict[str, Any], ...]
    lun: int = 5

    @property
    def partition(self) -> str:
        """Name of its partition, by the contract."""
        return f"OpenStack-{HOST}-{self.uuid}"

    @property
    def instance(self) -> objects.Instance:
        """Nova's own object."""
        return _Instance(
            RequestContext(is_admin=True),
            uuid=self.uuid,
            flavor=objects.Flavor(
                name="dpm", vcpus=2, memory_mb=4096, root_gb=0, ephemeral_gb=0, swap=0
            ),
            image_ref="",
            config_drive="",
            system_metadata={},
            display_name="server",
            vm_state="building",
            task_state="block_device_mapping",
            id=1,
        )


class _Instance(objects.Instance):  # type: ignore[misc]
    def get_bdms(self) -> list[objects.BlockDeviceMapping]:
        """Return the boot volume; Nova would ask its database."""
        return [objects.BlockDeviceMapping(boot_index=0, volume_size=10, volume_id=None)]

    def refresh(self) -> None:
        """Stay as it is; Nova would ask its database."""


def server(lab: Lab, ports: int = 1, first: int = 0) -> Server:
    """Return a server with so many ports, on the OSA's ports in turn."""
    return Server(str(uuid.uuid4()), tuple(port(lab, first + number) for number in range(ports)))


def express_port(lab: Lab, number: int) -> dict[str, Any]:
    """Return a VIF on a Network Express adapter, of which a z17 has many with a port each."""
    details = {"object_id": lab.adapters[f"NETX-{number:02d}"], "port": 0}
    return {**port(lab), "type": "dpm_adapter", "details": details}


def hipersockets_port(lab: Lab) -> dict[str, Any]:
    """Return a VIF on HiperSockets, of which NICs are made by partition links since the z16."""
    if lab.has_switches:
        return {**port(lab), "type": "dpm_vswitch", "details": {"object_id": lab.hipersockets}}
    details = {"object_id": lab.adapters["HIPER-A"], "port": 0}
    return {**port(lab), "type": "dpm_adapter", "details": details}


def port(lab: Lab, number: int = 0) -> dict[str, Any]:
    """Return a VIF as Neutron's mechanism driver for DPM binds it."""
    port_id = str(uuid.uuid4())
    vif: dict[str, Any] = {
        "id": port_id,
        "address": f"0a:00:00:{port_id[:2]}:{port_id[2:4]}:{port_id[4:6]}",
        "active": False,
    }
    if lab.switches:
        return {
            **vif,
            "type": "dpm_vswitch",
            "details": {"object_id": lab.switches[number % len(lab.switches)]},
        }
    return {
        **vif,
        "type": "dpm_adapter",
        "details": {"object_id": lab.adapters["OSA-A"], "port": number % 2},
    }


class Events(VirtAPI):  # type: ignore[misc]
    """Neutron says at once that a port is plugged."""

    def __init__(self) -> None:
        self.waited_for: list[str] = []

    @contextmanager
    def wait_for_instance_event(
        self,
        instance: Any,
        event_names: Sequence[tuple[str, str]],
        deadline: int = 300,
        error_callback: Any = None,
        **options: Any,
    ) -> Iterator[None]:
        """Wait for nothing."""
        self.waited_for += [tag for _, tag in event_names]
        yield

    def update_compute_provider_status(self, *arguments: Any, **options: Any) -> None:
        """Tell Placement nothing."""


class Compute:
    """A nova-compute, as far as it calls its driver.

    Args:
        lab: the machine that it runs servers on
        read_timeout: see `Lab.driver`
    """

    def __init__(self, lab: Lab, read_timeout: float | None = None) -> None:
        self.lab = lab
        self.context = RequestContext(is_admin=True)
        self._read_timeout = read_timeout
        self.driver = self._new()

    def _new(self) -> DPMDriver:
        return self.lab.driver(Events(), self._read_timeout)

    def restart(self) -> None:
        """Go on with nothing but what Nova's database and the HMC know."""
        self.driver = self._new()

    def build(self, server: Server) -> None:
        """Do as ``_build_and_run_instance`` and ``_build_resources``; raise what the driver did."""
        instance = server.instance
        try:
            self.driver.prepare_for_spawn(instance)
            self.driver.prepare_networks_before_block_device_mapping(instance, server.ports)
            block_device_info = self.connect(server)
        except Exception:
            self.driver.clean_networks_preparation(instance, server.ports)
            self.driver.failed_spawn_cleanup(instance)
            raise
        try:
            self.driver.spawn(
                self.context,
                instance,
                None,
                [],
                None,
                {},
                network_info=server.ports,
                block_device_info=block_device_info,
                accel_info=[],
            )
        except Exception as error:
            try:
                self.delete(server)
            except Exception as cleanup_error:
                # BuildAbortException with the first error's text.
                raise error from cleanup_error
            raise

    def connect(self, server: Server) -> dict[str, Any]:
        """Have Cinder connect the boot volume; return a ``block_device_info``."""
        connector = self.driver.get_volume_connector(server.instance)
        return block_device_info(server, connector["wwpns"])

    def delete(self, server: Server) -> None:
        """Do as ``_shutdown_instance``."""
        self.driver.destroy(self.context, server.instance, server.ports, None)
        self.driver.unplug_vifs(server.instance, server.ports)

    def power_on(self, server: Server) -> None:
        """Start a server, as ``start_instance`` does."""
        self.driver.power_on(
            self.context, server.instance, server.ports, block_device_info=self.connect(server)
        )

    def reboot(self, server: Server) -> None:
        """Reboot a server, as ``reboot_instance`` does."""
        self.driver.reboot(
            self.context,
            server.instance,
            server.ports,
            "HARD",
            block_device_info=self.connect(server),
        )


def block_device_info(server: Server, wwpns: Sequence[str]) -> dict[str, Any]:
    """Return what Nova tells of a server's volumes, where all initiators see the second target."""
    connection = {
        "driver_volume_type": "fibre_channel",
        "data": {
            "target_wwn": list(TARGETS),
            "target_lun": server.lun,
            "initiator_target_map": {wwpn: [TARGETS[1]] for wwpn in wwpns},
        },
    }
    volume = {"connection_info": connection, "mount_device": "/dev/sda", "boot_index": 0}
    return {"root_device_name": "/dev/sda", "block_device_mapping": [volume]}


def wrongs(lab: Lab, server: Server, *, alone: bool = True, status: str = "active") -> list[str]:
    """Return what is not right with a server; empty where all is.

    Args:
        lab: the machine that it is on
        server: as it should be
        alone: whether there shall be no other
        status: of its partition
    """
    inventory = lab.control.inventory()
    partition = inventory["partitions"].get(server.partition)
    if partition is None:
        return [f"there is no partition {server.partition}"]
    found = {
        "status": partition["status"],
        "description": partition["description"],
        "processors": partition["ifl-processors"],
        "memory": partition["initial-memory"],
        "partitions": len(inventory["partitions"]) if alone else 1,
        "nics": sorted((nic["name"], nic["description"]) for nic in partition["nics"]),
        "told": sorted(
            (nic.bus_id.devno, nic.port, str(nic.mac))
            for nic in bootparams.parse(partition["boot-os-specific-parameters"]).nics
        ),
        "boot": _boot(inventory, partition),
        "hbas": len(partition["hbas"]),
        "groups": [
            (name, len(group["virtual-storage-resources"]))
            for name, group in inventory["storage-groups"].items()
            if alone or name == server.partition
        ],
    }
    ports = {nic["name"].removeprefix("OpenStack_Port_"): nic for nic in partition["nics"]}
    expected = {
        "status": status,
        "description": f"OpenStack CPCSubset={HOST}",
        "processors": 2,
        "memory": 4096,
        "partitions": 1,
        "nics": sorted(
            (
                f"OpenStack_Port_{vif['id']}",
                f"OpenStack mac={vif['address']}, CPCSubset={HOST}",
            )
            for vif in server.ports
        ),
        "told": sorted(
            (ports[vif["id"]]["device-number"].lower(), _port_number(lab, vif), vif["address"])
            for vif in server.ports
            if vif["id"] in ports and not _is_express(lab, vif)
        ),
        "boot": (TARGETS[1], f"{server.lun:04x}000000000000"),
        "hbas": 0 if lab.has_groups else lab.storage_ports,
        "groups": [(server.partition, lab.storage_ports)] if lab.has_groups else [],
    }
    return [
        f"{name} is {found[name]!r} instead of {value!r}"
        for name, value in expected.items()
        if found[name] != value
    ]


def _is_express(lab: Lab, vif: dict[str, Any]) -> bool:
    express = {uuid for name, uuid in lab.adapters.items() if name.startswith("NETX-")}
    return vif["details"]["object_id"] in express


def _port_number(lab: Lab, vif: dict[str, Any]) -> int:
    by_id = {object_id: number for number, object_id in lab.switches.items()}
    by_id[lab.hipersockets] = 0
    details = vif["details"]
    return int(details["port"]) if "port" in details else by_id[details["object_id"]]


def _boot(inventory: dict[str, Any], partition: dict[str, Any]) -> tuple[str, str] | None:
    if partition["boot-device"] == "storage-adapter":
        return partition["boot-world-wide-port-name"], partition["boot-logical-unit-number"]
    for group in inventory["storage-groups"].values():
        for volume in group["storage-volumes"]:
            if volume["element-uri"] == partition.get("boot-storage-volume"):
                for path in volume["paths"]:
                    if path["partition-uri"] == partition["object-uri"]:
                        return path["target-world-wide-port-name"], path["logical-unit-number"]
    return None
