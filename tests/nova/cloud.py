"""A Nova of one compute host, whose servers are partitions of a machine of the lab."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

from tests.nova import mode  # isort: skip - before anything of Nova
import futurist
import nova.conf
import os_vif
from nova import context, objects, test
from nova.tests import fixtures as nova_fixtures
from nova.tests.functional import fixtures as functional_fixtures
from nova.tests.functional.api.client import (
    OpenStackApiException,
    OpenStackApiNotFoundException,
)
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool

from dpm_guest import bootparams
from dpm_lab.hmc import Control, HmcProcess, Machine
from tests.nova.database import WaitingWriters
from tests.nova.machine import HOST, binding, options, write_conf
from tests.nova.network import DpmNeutron
from tests.nova.storage import FcCinder

assert mode
CONF = nova.conf.CONF
FLAVOR = {"vcpus": 2, "ram": 4096, "disk": 0, "OS-FLV-EXT-DATA:ephemeral": 0, "swap": 0}
PATIENCE = 300.0
"""Seconds after which a server does not become what it should."""

Result = TypeVar("Result")


class Cloud(test.TestCase):  # type: ignore[misc]
    """Nova's services and a user of them. Enter it to start, leave it to stop.

    Nova's own base class of tests brings the databases, the message bus and the configuration; this
    is no test itself.

    Args:
        hmc: manages the machine
        conf: file to write nova.conf to
        dpm: options of section ``[dpm]`` that differ
    """

    def __init__(self, hmc: HmcProcess, conf: Path, dpm: dict[str, Any] | None = None) -> None:
        super().__init__("runTest")
        self._hmc = hmc
        self._conf = conf
        self._dpm = dpm or {}

    def runTest(self) -> None:
        """Be what `unittest` wants of a test; never called."""

    def __enter__(self) -> Cloud:
        try:
            self.setUp()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._end()

    def _end(self) -> None:
        # As testtools' runner does.
        while self._cleanups:
            function, arguments, named = self._cleanups.pop()
            function(*arguments, **named)

    def setUp(self) -> None:
        """Start everything, nova-compute last."""
        CONF.reset()
        super().setUp()
        self.useFixture(WaitingWriters())
        # Nova's base class has idle threads look for work every 10 ms, to end sooner.
        futurist._thread.ThreadWorker.MAX_IDLE_FOR = 0.1  # type: ignore[assignment]
        os_vif.initialize()  # as nova/cmd/compute.py does: it loads our plug-in
        sections: dict[str, dict[str, Any]] = {
            "DEFAULT": {
                "compute_driver": "dpm.DPMDriver",
                "host": HOST,
                "my_ip": "192.0.2.1",
                "debug": True,
            },
            "wsgi": {"api_paste_config": Path(sys.prefix, "etc/nova/api-paste.ini")},
            "dpm": {**options(self._hmc, self.machine), **self._dpm},
        }
        write_conf(self._conf, sections)
        CONF([], project="nova", default_config_files=[str(self._conf)])
        CONF.clear_default("compute_driver")
        CONF.clear_default("host")
        self.useFixture(nova_fixtures.RealPolicyFixture())
        self.neutron = self.useFixture(DpmNeutron(self))
        self.glance = self.useFixture(nova_fixtures.GlanceFixture(self))
        self.cinder = self.useFixture(FcCinder(self))
        self.placement = self.useFixture(functional_fixtures.PlacementFixture()).api
        self.useFixture(nova_fixtures.AllServicesCurrent())
        self.api = self.useFixture(nova_fixtures.OSAPIFixture(api_version="v2.1")).admin_api
        self.api.microversion = "latest"
        # The API and Placement are intercepted at http addresses; wsgi_intercept takes https too,
        # and its class cannot talk to a true server.
        HTTPSConnectionPool.ConnectionCls = HTTPSConnection
        self.start_service("conductor")
        self.start_service("scheduler")
        self.compute = self.start_service("compute", host=HOST)
        self._flavor = self.flavor()

    def restart_compute(self) -> None:
        """End nova-compute and start another one, which knows what HMC and database know."""
        self.compute.stop()
        self.compute = self.start_service("compute", host=HOST)

    def clear(self) -> None:
        """Delete all servers and ports, and put the HMC back to its start."""
        self.control.clear_faults()
        servers = self.api.get_servers()
        for server in servers:
            self.api.delete_server(server["id"])
        for server in servers:
            self.until_gone(server)
        self.neutron.clear()
        self.cinder.clear()
        self.control.reset()
        for operation in ("start", "stop", "fulfil"):
            self.control.set_duration(operation, 0)
        # Here the driver's pauses are true ones; `tests.driver` has a status that comes late.
        self.control.set_behaviour(after_start="none", after_stop="none")

    @property
    def machine(self) -> Machine:
        """The machine that the servers run on."""
        return self._hmc.machines[0]

    @property
    def control(self) -> Control:
        """Orders to the HMC."""
        return self._hmc.control

    @property
    def password(self) -> str:
        """The driver's password on the HMC."""
        return self._hmc.password

    @property
    def log(self) -> str:
        """What the services have logged."""
        return str(self.stdlog.logger.output)

    # What a user does

    def port(
        self,
        number: int = 0,
        *,
        vif_type: str | None = None,
        details: dict[str, Any] | None = None,
        **properties: Any,
    ) -> dict[str, Any]:
        """Make a Neutron port on a port of the machine's OSA adapter, or bound as it is said."""
        bound = binding(self.machine, number)
        if vif_type is not None:
            bound["binding:vif_type"] = vif_type
        if details is not None:
            bound["binding:vif_details"] = details
        made: dict[str, Any] = self.neutron.add_port(bound, **properties)
        return made

    def image(self) -> str:
        """Make an image for s390x; return its id."""
        image = {
            "name": "image",
            "status": "active",
            "disk_format": "qcow2",
            "container_format": "bare",
            "properties": {"hw_architecture": "s390x"},
        }
        return str(self.glance.create(None, image)["id"])

    def flavor(
        self, properties: dict[str, int] | None = None, extra_specs: dict[str, str] | None = None
    ) -> str:
        """Make a flavor that a partition can have, but for `properties`; return its id."""
        name = f"dpm-{time.monotonic_ns()}"
        body = {"flavor": {**FLAVOR, **(properties or {}), "id": name, "name": name}}
        self.api.post_flavor(body)
        if extra_specs:
            self.api.post_extra_spec(name, {"extra_specs": extra_specs})
        return name

    def create(
        self, ports: Sequence[dict[str, Any]], volume: str = "", **body: Any
    ) -> dict[str, Any]:
        """Ask for a server that boots from a volume, a new one where none is named."""
        boot = {
            "boot_index": 0,
            "uuid": volume or str(uuid.uuid4()),
            "source_type": "volume",
            "destination_type": "volume",
        }
        request = {
            "name": "server",
            "imageRef": "",
            "networks": [{"port": port["id"]} for port in ports] or "none",
            "block_device_mapping_v2": [boot],
            **body,
        }
        request.setdefault("flavorRef", self._flavor)
        given = {name: value for name, value in request.items() if value is not None}
        made: dict[str, Any] = self.api.post_server({"server": given})
        return made

    def boot(self, ports: Sequence[dict[str, Any]], **body: Any) -> dict[str, Any]:
        """Ask for a server and wait until it runs."""
        return self.until_status(self.create(ports, **body), "ACTIVE")

    def boot_in_vain(self, ports: Sequence[dict[str, Any]], **body: Any) -> dict[str, Any]:
        """Ask for a server and wait until it has failed."""
        return self.until_fault(self.create(ports, **body))

    def act(self, server: dict[str, Any], action: str, argument: Any = None) -> None:
        """Ask for an action on a server (``os-stop``, ``reboot``...)."""
        self.api.post_server_action(server["id"], {action: argument})

    def delete(self, server: dict[str, Any]) -> None:
        """Delete a server and wait until it is gone."""
        self.api.delete_server(server["id"])
        self.until_gone(server)

    def attach_port(self, server: dict[str, Any], port: dict[str, Any]) -> None:
        """Attach a port; Nova answers when it is done."""
        body = {"interfaceAttachment": {"port_id": port["id"]}}
        self.api.attach_interface(server["id"], body)

    def detach_port(self, server: dict[str, Any], port: dict[str, Any]) -> None:
        """Detach a port and wait until Nova has done it."""
        self.api.detach_interface(server["id"], port["id"])

        def detached() -> bool | None:
            attached = self.api.get_port_interfaces(server["id"])
            return port["id"] not in [each["port_id"] for each in attached] or None

        until(detached, lambda: f"port {port['id']} detached")

    def ask_for_volume(self, server: dict[str, Any], volume: str) -> None:
        """Ask for a volume to be attached."""
        self.api.post_server_volume(server["id"], {"volumeAttachment": {"volumeId": volume}})

    def attach_volume(self, server: dict[str, Any], volume: str) -> None:
        """Attach a volume and wait until Cinder has connected it."""
        self.ask_for_volume(server, volume)

        def attached() -> bool | None:
            attachments = self.cinder.volume_to_attachment[volume].values()
            return any(each["connector"] for each in attachments) or None

        until(attached, lambda: f"volume {volume} attached")
        self.until_status(server, self.show(server)["status"])

    def detach_volume(self, server: dict[str, Any], volume: str) -> None:
        """Detach a volume and wait until Cinder has disconnected it."""
        self.api.delete_server_volume(server["id"], volume)

        def detached() -> bool | None:
            return not self.cinder.volume_to_attachment[volume] or None

        until(detached, lambda: f"volume {volume} detached")

    def refused(self, request: Callable[[], None]) -> str:
        """Make a request of the API that is to fail, and return what its user reads."""
        try:
            request()
        except OpenStackApiException as error:
            return str(error)
        raise AssertionError("the request was not refused")

    def tell(self, server: dict[str, Any], port: dict[str, Any], status: str) -> None:
        """Do as Neutron when its agent has plugged a port (``completed``) or could not."""
        event = {
            "name": "network-vif-plugged",
            "server_uuid": server["id"],
            "tag": port["id"],
            "status": status,
        }
        self.api.api_post("/os-server-external-events", {"events": [event]})

    def show(self, server: dict[str, Any]) -> dict[str, Any]:
        """Return a server as its user sees it."""
        shown: dict[str, Any] = self.api.get_server(server["id"])
        return shown

    # Waiting

    def until_status(self, server: dict[str, Any], status: str) -> dict[str, Any]:
        """Wait until a server has a status and no task; return it."""

        def reached() -> dict[str, Any] | None:
            shown = self.show(server)
            if shown["status"] == status and not shown["OS-EXT-STS:task_state"]:
                return shown
            assert shown["status"] != "ERROR", shown.get("fault")
            return None

        return until(reached, lambda: f"{status} instead of {self.show(server)}")

    def until_fault(self, server: dict[str, Any]) -> dict[str, Any]:
        """Wait until a server has failed and says why.

        Nova writes that after the status, and last of all that there is no task any more.
        """

        def failed() -> dict[str, Any] | None:
            shown = self.show(server)
            is_over = "fault" in shown and not shown["OS-EXT-STS:task_state"]
            return shown if shown["status"] == "ERROR" and is_over else None

        return until(failed, lambda: f"a fault instead of {self.show(server)}")

    def until_called(self, function: mock.Mock) -> None:
        """Wait until a function that was replaced is called."""
        until(lambda: function.called or None, lambda: f"{function} called")

    def until_synced(self) -> None:
        """Wait until the look at the power states is done."""
        waiting = self.compute.manager._syncs_in_progress
        until(lambda: not waiting or None, lambda: f"{waiting} looked at")

    def until_power_state(self, server: dict[str, Any], power_state: int) -> dict[str, Any]:
        """Wait until Nova's database has a power state of a server; return the server."""

        def reached() -> dict[str, Any] | None:
            shown = self.show(server)
            return shown if shown["OS-EXT-STS:power_state"] == power_state else None

        return until(reached, lambda: f"{power_state} instead of {self.show(server)}")

    def until_partition(self, server: dict[str, Any], status: str) -> None:
        """Wait until a server's partition has a status."""

        def reached() -> bool | None:
            return self.partition(server)["status"] == status or None

        until(reached, lambda: f"{status} instead of {self.partition(server)}")

    def until_failed(self, server: dict[str, Any], action: str) -> dict[str, Any]:
        """Wait until an action on a server has failed; return the event that says why."""

        def failed() -> dict[str, Any] | None:
            if self.show(server)["OS-EXT-STS:task_state"]:
                return None
            for each in self.api.get_instance_actions(server["id"]):
                if each["action"] != action:
                    continue
                details = self.api.get_instance_action_details(server["id"], each["request_id"])
                for event in details["events"]:
                    if event["result"] == "Error":
                        found: dict[str, Any] = event
                        return found
            return None

        return until(failed, lambda: f"{action} failed")

    def until_done(self, server: dict[str, Any], action: str) -> None:
        """Wait until an action on a server is finished, well or not."""

        def done() -> bool | None:
            for each in self.api.get_instance_actions(server["id"]):
                if each["action"] == action:
                    details = self.api.get_instance_action_details(server["id"], each["request_id"])
                    events = details["events"]
                    return (bool(events) and all(event["result"] for event in events)) or None
            return None

        until(done, lambda: f"{action} done")

    def until_nics(self, server: dict[str, Any], count: int) -> None:
        """Wait until a server's partition has NICs."""

        def made() -> bool | None:
            name = f"OpenStack-{HOST}-{server['id']}"
            partition = self.control.inventory()["partitions"].get(name)
            return (partition is not None and len(partition["nics"]) == count) or None

        until(made, lambda: f"{count} NICs")

    def until_gone(self, server: dict[str, Any]) -> None:
        """Wait until a server is not there any more."""

        def gone() -> bool | None:
            try:
                self.show(server)
            except OpenStackApiNotFoundException:
                return True
            return None

        until(gone, lambda: f"gone, instead of {self.show(server)}")

    # What became of it

    def partition(self, server: dict[str, Any]) -> dict[str, Any]:
        """Return a server's partition as it is on the HMC."""
        partitions = self.control.inventory()["partitions"]
        found: dict[str, Any] = partitions[f"OpenStack-{HOST}-{server['id']}"]
        return found

    def set_status(self, server: dict[str, Any], status: str) -> None:
        """Change a partition's status behind Nova's back."""
        self.control.set_properties(self.partition(server)["object-uri"], {"status": status})

    def told(self, server: dict[str, Any]) -> list[tuple[str, int, str]]:
        """Return what the guest reads of its NICs: device number, port and MAC."""
        text = self.partition(server)["boot-os-specific-parameters"]
        parsed = bootparams.parse(text)
        assert not parsed.damaged
        return [(nic.bus_id.devno, nic.port, str(nic.mac)) for nic in parsed.nics]

    def is_bound(self, port: dict[str, Any]) -> bool:
        """Return whether Neutron has a port bound to this host."""
        return bool(self.neutron.show_port(port["id"])["port"].get("binding:host_id"))

    def creations(self) -> list[str]:
        """Return the requests of the HMC's log by which something was made."""
        return [
            f"{each.method} {each.uri}"
            for each in self.control.requests()
            if each.method == "POST"
            and each.uri.partition("?")[0].endswith(("/partitions", "/storage-groups", "/nics"))
        ]

    def left(self) -> list[str]:
        """Return the names of partitions and storage groups on the HMC."""
        inventory = self.control.inventory()
        return [*inventory["partitions"], *inventory["storage-groups"]]

    def audit(self) -> None:
        """Do nova-compute's periodic audit (``update_available_resource``)."""
        self.compute.manager.update_available_resource(self._compute_context())

    def sync_power_states(self) -> None:
        """Do nova-compute's periodic look at its servers' power states."""
        self.compute.manager._sync_power_states(self._compute_context())

    def _compute_context(self) -> Any:
        admin = context.get_admin_context()
        mapping = objects.HostMapping.get_by_host(admin, HOST).cell_mapping
        context.set_target_cell(admin, mapping)
        return admin


def until(condition: Callable[[], Result | None], otherwise: Callable[[], str]) -> Result:
    """Wait until `condition` returns something, and return it; fail with what `otherwise` says."""
    deadline = time.monotonic() + PATIENCE
    while True:
        result = condition()
        if result is not None:
            return result
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.1)
