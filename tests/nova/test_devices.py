"""Ports and volumes that are attached to a server, and detached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.nova.machine import on
from tests.nova.test_boot import assert_is_nic_of

if TYPE_CHECKING:
    from tests.nova.cloud import Cloud


@on("z13", "z16", "z17")
def test_a_stopped_server_gets_a_port_and_loses_it(cloud: Cloud) -> None:
    first, second = cloud.port(0), cloud.port(1)
    server = cloud.boot([first])
    cloud.act(server, "os-stop")
    cloud.until_status(server, "SHUTOFF")

    cloud.attach_port(server, second)

    assert_nics_are(cloud, server, [(first, 0), (second, 1)])

    cloud.detach_port(server, first)

    assert_nics_are(cloud, server, [(second, 1)])

    cloud.act(server, "os-start")
    cloud.until_status(server, "ACTIVE")

    assert_nics_are(cloud, server, [(second, 1)])


@on("z16", "z17")
def test_a_running_server_gets_a_port_and_loses_it(cloud: Cloud) -> None:
    first, second = cloud.port(0), cloud.port(1)
    server = cloud.boot([first])

    cloud.attach_port(server, second)

    assert_nics_are(cloud, server, [(first, 0), (second, 1)])
    macs = {nic["name"]: nic["mac-address"] for nic in cloud.partition(server)["nics"]}
    assert macs[f"OpenStack_Port_{second['id']}"] == second["mac_address"]

    cloud.detach_port(server, second)

    assert_nics_are(cloud, server, [(first, 0)])


@on("z13")
def test_a_running_server_gets_no_port_where_the_hmc_cannot_set_its_mac(cloud: Cloud) -> None:
    first, second = cloud.port(0), cloud.port(1)
    server = cloud.boot([first])

    refusal = cloud.refused(lambda: cloud.attach_port(server, second))

    # Nova tells its user no more; the reason is in the log, and in the notification.
    assert "Failed to attach network adapter device" in refusal
    assert "stop the server, attach the port, start it" in cloud.log
    assert_nics_are(cloud, server, [(first, 0)])
    assert cloud.show(server)["status"] == "ACTIVE"


@on("z16")
def test_a_port_that_does_not_fit_is_not_attached(cloud: Cloud) -> None:
    port = cloud.port()
    server = cloud.boot([port])
    foreign = cloud.port(vif_type="ovs")
    unknown = "5ba6b2a6-0000-4000-8000-000000000000"
    missing = cloud.port(details={"object_id": unknown})

    cloud.refused(lambda: cloud.attach_port(server, foreign))
    cloud.refused(lambda: cloud.attach_port(server, missing))

    assert f"port {foreign['id']} has vif_type ovs" in cloud.log
    assert f"port {missing['id']} wants a virtual switch which the HMC does not show" in cloud.log
    assert unknown in cloud.log
    assert not cloud.is_bound(foreign)
    assert not cloud.is_bound(missing)
    assert_nics_are(cloud, server, [(port, 0)])


@on("z13", "z16")
@pytest.mark.parametrize("is_running", [True, False], ids=["running", "stopped"])
def test_a_server_gets_a_volume_over_its_own_wwpns_and_loses_it(
    cloud: Cloud, is_running: bool
) -> None:
    server = cloud.boot([])
    boot_volume = server["os-extended-volumes:volumes_attached"][0]["id"]
    if not is_running:
        cloud.act(server, "os-stop")
        cloud.until_status(server, "SHUTOFF")
    volume = "8c4e7e3c-5b5f-4d0e-8a3c-6f6c1b0a7d11"

    cloud.attach_volume(server, volume)

    connector = cloud.cinder.connector(volume)
    assert connector["wwpns"] == cloud.cinder.connector(boot_volume)["wwpns"]

    cloud.detach_volume(server, volume)

    assert not cloud.cinder.volume_to_attachment[volume]
    assert cloud.cinder.volume_to_attachment[boot_volume]


@on("z16")
def test_a_volume_that_is_not_fibre_channel_is_not_attached(cloud: Cloud) -> None:
    server = cloud.boot([])
    volume = "8c4e7e3c-5b5f-4d0e-8a3c-6f6c1b0a7d11"
    cloud.cinder.iscsi.add(volume)

    cloud.ask_for_volume(server, volume)

    event = cloud.until_failed(server, "attach_volume")
    assert "connected over iscsi" in event["details"]
    assert not cloud.cinder.volume_to_attachment[volume]
    assert len(cloud.show(server)["os-extended-volumes:volumes_attached"]) == 1


def assert_nics_are(
    cloud: Cloud, server: dict[str, Any], expected: list[tuple[dict[str, Any], int]]
) -> None:
    """Check that the partition has the NICs of these ports, and that the guest is told so."""
    by_name = {nic["name"]: nic for nic in cloud.partition(server)["nics"]}
    nics = [by_name.pop(f"OpenStack_Port_{port['id']}") for port, _ in expected]
    assert not by_name
    for nic, (port, _) in zip(nics, expected, strict=True):
        assert_is_nic_of(nic, port)
    assert sorted(cloud.told(server)) == sorted(
        (nic["device-number"].lower(), number, port["mac_address"])
        for nic, (port, number) in zip(nics, expected, strict=True)
    )
