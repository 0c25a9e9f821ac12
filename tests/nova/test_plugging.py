"""A server waits until Neutron says that its ports are plugged, whenever it says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.nova.machine import on

if TYPE_CHECKING:
    from tests.nova.cloud import Cloud

LONG, SHORT = 300, 1
"""Seconds of ``vif_plugging_timeout``."""


@pytest.fixture(autouse=True)
def waiting(cloud: Cloud) -> Iterator[None]:
    """Have Nova wait, which its own fixture of Neutron switches off."""
    cloud.flags(vif_plugging_timeout=LONG, vif_plugging_is_fatal=True)
    yield
    cloud.flags(vif_plugging_timeout=0)


@on("z13", "z17")
def test_a_server_starts_when_neutron_has_plugged_all_its_ports(cloud: Cloud) -> None:
    first, second = cloud.port(0, status="DOWN"), cloud.port(1, status="DOWN")
    server = cloud.create([first, second])
    cloud.until_nics(server, 2)

    cloud.tell(server, first, "completed")

    assert cloud.partition(server)["status"] == "stopped"
    assert cloud.show(server)["status"] == "BUILD"

    cloud.tell(server, second, "completed")

    cloud.until_status(server, "ACTIVE")
    assert cloud.partition(server)["status"] == "active"
    assert len(cloud.told(server)) == 2


@on("z13")
def test_a_port_that_is_active_already_is_not_waited_for(cloud: Cloud) -> None:
    server = cloud.boot([cloud.port(status="ACTIVE")])

    assert cloud.partition(server)["status"] == "active"


@on("z13", "z17")
def test_what_neutron_says_while_cinder_connects_the_volume_is_not_lost(cloud: Cloud) -> None:
    from tests.nova.cloud import until

    early, late = cloud.port(0, status="DOWN"), cloud.port(1, status="DOWN")

    def plug() -> None:
        cloud.neutron.activate(early)
        [server] = cloud.api.get_servers()
        cloud.tell(server, early, "completed")
        too_early = f"Received unexpected event network-vif-plugged-{early['id']}"
        until(lambda: too_early in cloud.log[before:] or None, lambda: too_early)

    cloud.cinder.meanwhile = plug
    before = len(cloud.log)
    server = cloud.create([early, late])
    cloud.until_nics(server, 2)
    assert cloud.partition(server)["status"] == "stopped"

    cloud.tell(server, late, "completed")

    cloud.until_status(server, "ACTIVE")
    said = cloud.log[before:]
    assert f"to say that ports {late['id']} are plugged" in said
    assert "Timeout waiting" not in said


@on("z13")
def test_a_port_that_is_plugged_though_nobody_said_so_does_not_fail_the_build(cloud: Cloud) -> None:
    cloud.flags(vif_plugging_timeout=5)
    port = cloud.port(status="DOWN")
    before = len(cloud.log)
    server = cloud.create([port])
    cloud.until_nics(server, 1)

    cloud.neutron.activate(port)

    cloud.until_status(server, "ACTIVE")
    assert "All ports are plugged, and Nova has not been told" in cloud.log[before:]


@on("z13", "z17")
def test_a_server_is_not_started_when_neutron_could_not_plug_a_port(cloud: Cloud) -> None:
    port = cloud.port(status="DOWN")
    server = cloud.create([port])
    cloud.until_nics(server, 1)

    cloud.tell(server, port, "failed")

    failed = cloud.until_fault(server)
    assert "Neutron could not plug a port" in failed["fault"]["message"]
    assert port["id"] in cloud.log
    assert cloud.left() == []


@on("z13", "z17")
def test_a_server_is_not_started_when_neutron_says_nothing(cloud: Cloud) -> None:
    cloud.flags(vif_plugging_timeout=SHORT)
    port = cloud.port(status="DOWN")

    failed = cloud.boot_in_vain([port])

    assert "does its agent for this host run" in failed["fault"]["message"]
    assert port["id"] in failed["fault"]["message"]
    assert "retries" not in failed["fault"]["message"]
    assert cloud.left() == []


@on("z13")
def test_a_server_starts_without_neutron_where_the_operator_wants_it_so(cloud: Cloud) -> None:
    cloud.flags(vif_plugging_timeout=SHORT, vif_plugging_is_fatal=False)
    silent = cloud.port(status="DOWN")

    server = cloud.boot([silent])

    assert cloud.partition(server)["status"] == "active"
    assert len(cloud.told(server)) == 1
    assert "does its agent for this host run" in cloud.log


@on("z13")
def test_a_server_starts_without_a_port_where_the_operator_wants_it_so(cloud: Cloud) -> None:
    cloud.flags(vif_plugging_is_fatal=False)
    failing, other = cloud.port(status="DOWN"), cloud.port(status="DOWN")
    server = cloud.create([failing, other])
    cloud.until_nics(server, 2)

    cloud.tell(server, failing, "failed")
    cloud.tell(server, other, "completed")

    cloud.until_status(server, "ACTIVE")
    assert cloud.partition(server)["status"] == "active"
