"""A user of the cloud, who makes servers and looks at all that they leave behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import openstack
import zhmcclient

from dpm_lab.cloud import processes
from dpm_lab.cloud.place import Place
from dpm_lab.cloud.services import here
from dpm_lab.cloud.start import Start
from dpm_lab.network import Segment
from dpm_lab.progress import Progress
from dpm_lab.storage import Storage

#: Seconds that anything may take on a machine that does a lot besides.
LIMIT = 300.0
Found = TypeVar("Found")


def until(what: str, look: Callable[[], Found | None], limit: float = LIMIT) -> Found:
    """Return what `look` finds, as soon as it does."""
    end = time.monotonic() + limit
    while not (found := look()):
        assert time.monotonic() < end, f"not within {limit:.0f} s: {what}"
        time.sleep(0.5)
    return found


class User:
    """Works with a cloud that is up."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.sdk: Any = openstack.connection.Connection(
            auth={
                "auth_url": f"{place.url('keystone')}/v3",
                "username": "admin",
                "password": place.secrets.admin,
                "project_name": "admin",
                "user_domain_name": "Default",
                "project_domain_name": "Default",
            },
            region_name="RegionOne",
            compute_default_microversion="2.96",
            block_storage_default_microversion="3.71",
        )
        self.storage = Storage(place.storage)
        self.image: Any = self.sdk.image.find_image("debian-dpm")
        self.flavor: Any = self.sdk.compute.find_flavor("dpm.small")
        self._began: dict[str, int] = {}

    # -- services

    def stop(self, service: str) -> None:
        """End a service in order."""
        processes.stop(self.place, [service])

    def kill(self, service: str) -> None:
        """End a service as a crash does."""
        processes.kill(self.place, service)

    def start(self) -> None:
        """Start what does not run, and wait until it answers."""
        if all(processes.runs(self.place, each.name) for each in here(self.place)):
            return
        Start(self.place, Progress(quiet=True)).run()

    def said(self, service: str, since: int = 0) -> str:
        """Return what a service has logged since a place in its log."""
        with self.place.log(service).open("rb") as log:
            log.seek(since)
            return log.read().decode(errors="replace")

    def mark(self, service: str) -> int:
        """Return how long a log is."""
        return self.place.log(service).stat().st_size

    def begin(self) -> None:
        """Let `said_since_begin` give what the services say from now on."""
        self._began = {each.name: self.mark(each.name) for each in here(self.place)}

    def said_since_begin(self) -> dict[str, str]:
        """Return what each service has said, of those that did."""
        said = {name: self.said(name, since) for name, since in self._began.items()}
        return {name: text for name, text in said.items() if text.strip()}

    # -- what a user makes

    def network(self, name: str) -> str:
        """Return the id of a network."""
        return str(self.sdk.network.find_network(name, ignore_missing=False).id)

    def volume(self, *, bootable: bool = True) -> str:
        """Make a volume, and wait until it is there."""
        image = {"image_id": self.image.id} if bootable else {}
        made = self.sdk.block_storage.create_volume(size=1, name="test", **image)

        def look() -> bool:
            status = self.volume_status(made.id)
            assert not status.startswith("error"), f"volume in {status}"
            return status == "available"

        until("volume available", look)
        return str(made.id)

    def volume_status(self, volume: str) -> str:
        """Return the status of a volume."""
        return str(self.sdk.block_storage.get_volume(volume).status)

    def create(self, *networks: str, volume: str | None = None) -> str:
        """Have a server made; it is not there yet."""
        root = volume or self.volume()
        made = self.sdk.compute.create_server(
            name="test",
            flavor_id=self.flavor.id,
            networks=[{"uuid": self.network(each)} for each in networks] or "none",
            key_name="dpm",
            block_device_mapping_v2=[
                {
                    "uuid": root,
                    "source_type": "volume",
                    "destination_type": "volume",
                    "boot_index": 0,
                    "delete_on_termination": volume is None,
                }
            ],
        )
        return str(made.id)

    def server(self, *networks: str, volume: str | None = None) -> str:
        """Make a server, and wait until it is active."""
        made = self.create(*networks, volume=volume)
        self.becomes(made, "ACTIVE")
        return made

    def becomes(self, server: str, status: str) -> Any:
        """Wait until a server has a status and nothing is being done to it."""

        def look() -> Any:
            found = self.sdk.compute.get_server(server)
            if found.status == "ERROR" and status != "ERROR":
                raise AssertionError(f"server in ERROR: {found.fault}")
            is_it = found.status == status and found.task_state is None
            return found if is_it else None

        return until(f"server {status}", look)

    def delete(self, server: str) -> None:
        """Delete a server, and wait until it is gone."""
        self.sdk.compute.delete_server(server)
        until("server gone", lambda: self.sdk.compute.find_server(server) is None or None)

    def ports(self, server: str) -> list[Any]:
        """Return the ports of a server."""
        return list(self.sdk.network.ports(device_id=server))

    # -- what there is

    @contextmanager
    def hmc(self) -> Iterator[Any]:
        """Give the CPC, as an administrator sees it on the HMC."""
        session = zhmcclient.Session(
            self.place.host,
            "labuser",
            self.place.hmc_password.read_text(encoding="ascii").strip(),
            port=self.place.ports["hmc"],
            verify_cert=str(self.place.of("hmc", "ca.pem")),
        )
        try:
            yield zhmcclient.Client(session).cpcs.list()[0]
        finally:
            session.logoff()

    def partition(self, server: str) -> dict[str, Any] | None:
        """Return the partition of a server and its NICs, as the HMC has them."""
        gone = 0
        while True:
            try:
                return self._partition(server)
            except zhmcclient.CeasedExistence:
                # Something of it went between two requests.
                gone += 1
                if gone == 5:
                    raise

    def _partition(self, server: str) -> dict[str, Any] | None:
        with self.hmc() as cpc:
            for each in cpc.partitions.list():
                if server in each.name:
                    each.pull_full_properties()
                    nics = each.nics.list(full_properties=True)
                    return {**each.properties, "nics": [dict(nic.properties) for nic in nics]}
        return None

    def segments(self, server: str) -> dict[str, Segment]:
        """Return where the NICs of a server lead to, by MAC, as the HMC has them."""
        partition = self.partition(server)
        assert partition is not None
        found = {}
        with self.hmc() as cpc:
            for nic in partition["nics"]:
                uri = nic["virtual-switch-uri"]
                (switch,) = cpc.virtual_switches.list(filter_args={"object-uri": uri})
                switch.pull_full_properties()
                by_uri = {each.uri: each.name for each in cpc.adapters.list()}
                adapter = by_uri[switch.get_property("backing-adapter-uri")]
                port = switch.get_property("port")
                found[nic["mac-address"]] = Segment(cpc.name, adapter, port, nic["vlan-id"])
        return found

    def seen_by(self, volume: str) -> list[str]:
        """Return the WWPNs to which the storage shows a volume."""
        return list(self.storage.lun(f"volume-{volume}").masked)

    def left_behind(self) -> dict[str, list[str]]:
        """Return what the servers of the cloud occupy on HMC, storage, Placement and Neutron."""
        with self.hmc() as cpc:
            partitions = [each.name for each in cpc.partitions.list()]
            console = cpc.manager.client.consoles.console
            groups = [each.name for each in console.storage_groups.list()]
        found = {
            "partitions": partitions,
            "storage groups": groups,
            "volumes shown": [each.name for each in self.storage.luns() if each.masked],
            "attachments": [each["id"] for each in self._attachments()],
            "ports": [each.id for each in self._ports() if each.device_id],
            "allocations": self._allocations(),
        }
        return {kind: each for kind, each in found.items() if each}

    def _ports(self) -> list[Any]:
        """Return all ports but DHCP's, which are not a server's."""
        ports = self.sdk.network.ports()
        return [each for each in ports if not each.device_owner.startswith("network:")]

    def _attachments(self) -> list[dict[str, Any]]:
        answer = self.sdk.block_storage.get("/attachments", microversion="3.71")
        return list(answer.json()["attachments"])

    def _allocations(self) -> list[str]:
        api = self.sdk.placement
        found: list[str] = []
        for provider in api.get("/resource_providers").json()["resource_providers"]:
            answer = api.get(f"/resource_providers/{provider['uuid']}/allocations").json()
            found += answer["allocations"]
        return found

    def allocations(self, server: str) -> dict[str, int]:
        """Return what a server has of its host in Placement."""
        found = self.sdk.placement.get(f"/allocations/{server}").json()["allocations"]
        return {name: size for each in found.values() for name, size in each["resources"].items()}

    def nothing_is_left(self) -> None:
        """Wait until nothing is left; Nova and Neutron tidy up after they have answered."""
        left: dict[str, list[str]] = {}
        for _ in range(60):
            left = self.left_behind()
            if not left:
                return
            time.sleep(1)
        raise AssertionError(f"left behind: {left}")

    def clean(self) -> None:
        """Remove what a test left, whatever it is."""
        for server in self.sdk.compute.servers():
            with suppress(openstack.exceptions.SDKException):
                self.sdk.compute.delete_server(server.id, force=True)
        until("no servers", lambda: not list(self.sdk.compute.servers()) or None, 120)
        for port in self._ports():
            self.sdk.network.delete_port(port.id)
        for volume in self.sdk.block_storage.volumes():
            with suppress(openstack.exceptions.SDKException):
                self.sdk.block_storage.delete_volume(volume.id)
