"""Stop, start, reboot, delete, and what Nova shows of a partition's status."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.nova.machine import HOST, on

if TYPE_CHECKING:
    from tests.nova.cloud import Cloud

NOSTATE, RUNNING, PAUSED, SHUTDOWN = 0, 1, 3, 4
"""As ``nova/objects/fields.py`` numbers power states."""

SHOWN = {
    "starting": NOSTATE,
    "active": RUNNING,
    "stopping": NOSTATE,
    "degraded": RUNNING,
    "status-check": NOSTATE,
    "communications-not-active": NOSTATE,
}


@on("z13", "z16", "z17")
def test_a_server_is_stopped_started_and_deleted(cloud: Cloud) -> None:
    server = cloud.boot([cloud.port()])
    told = cloud.told(server)

    cloud.act(server, "os-stop")
    stopped = cloud.until_status(server, "SHUTOFF")

    assert cloud.partition(server)["status"] == "stopped"
    assert stopped["OS-EXT-STS:power_state"] == SHUTDOWN

    cloud.act(server, "os-start")
    started = cloud.until_status(server, "ACTIVE")

    assert cloud.partition(server)["status"] == "active"
    assert started["OS-EXT-STS:power_state"] == RUNNING
    assert cloud.told(server) == told

    cloud.delete(server)

    assert cloud.left() == []


@on("z16")
@pytest.mark.parametrize("kind", ["SOFT", "HARD"])
def test_a_reboot_stops_and_starts_so_that_the_boot_parameters_are_read_again(
    cloud: Cloud, kind: str
) -> None:
    server = cloud.boot([cloud.port()])
    told = cloud.told(server)
    cloud.control.reset_log()

    cloud.act(server, "reboot", {"type": kind})
    rebooted = cloud.until_status(server, "ACTIVE")

    assert rebooted["OS-EXT-STS:power_state"] == RUNNING
    assert cloud.partition(server)["status"] == "active"
    assert cloud.told(server) == told
    operations = [each.uri.rpartition("/")[2] for each in cloud.control.requests()]
    assert [each for each in operations if each in ("stop", "start")] == ["stop", "start"]


@on("z16")
def test_nova_stores_no_status_that_is_there_for_some_seconds_only(cloud: Cloud) -> None:
    cloud.control.set_behaviour(after_start="paused:0.3", after_stop="stale:0.3")
    server = cloud.boot([cloud.port()])
    shown = [server["OS-EXT-STS:power_state"]]

    cloud.act(server, "os-stop")
    shown.append(cloud.until_status(server, "SHUTOFF")["OS-EXT-STS:power_state"])
    cloud.act(server, "os-start")
    shown.append(cloud.until_status(server, "ACTIVE")["OS-EXT-STS:power_state"])

    assert shown == [RUNNING, SHUTDOWN, RUNNING]


@on("z16")
def test_an_audit_in_the_middle_of_a_start_does_not_hide_that_it_runs(cloud: Cloud) -> None:
    server = cloud.boot([cloud.port()])
    cloud.act(server, "os-stop")
    cloud.until_status(server, "SHUTOFF")
    cloud.control.set_duration("start", 5.0)

    cloud.act(server, "os-start")
    cloud.until_partition(server, "starting")
    cloud.audit()
    started = cloud.until_status(server, "ACTIVE")

    assert started["OS-EXT-STS:power_state"] == RUNNING


@on("z16")
def test_nova_shows_what_a_partition_became_and_leaves_it_alone(cloud: Cloud) -> None:
    server = cloud.boot([])

    for status, power_state in SHOWN.items():
        cloud.set_status(server, status)
        cloud.sync_power_states()
        cloud.until_synced()

        shown = cloud.until_power_state(server, power_state)
        assert shown["status"] == "ACTIVE"
        assert cloud.partition(server)["status"] == status

    cloud.set_status(server, "active")


@on("z16")
@pytest.mark.parametrize("status", ["stopped", "paused", "terminated", "reservation-error"])
def test_nova_stops_a_server_whose_partition_ended_by_itself(cloud: Cloud, status: str) -> None:
    server = cloud.boot([])
    cloud.set_status(server, status)

    cloud.sync_power_states()

    shown = cloud.until_status(server, "SHUTOFF")
    assert shown["OS-EXT-STS:power_state"] == SHUTDOWN
    # One that lacks its resources can be started as it is.
    stays = status if status == "reservation-error" else "stopped"
    assert cloud.partition(server)["status"] == stays


@on("z13", "z16")
def test_the_host_lists_its_own_partitions_only(cloud: Cloud) -> None:
    cloud.control.add_partitions(2, "other-{}")
    cloud.control.add_partitions(2, f"OpenStack-{HOST}-b-00000000-0000-4000-8000-00000000000{{}}")
    server = cloud.boot([])

    driver = cloud.compute.manager.driver

    assert driver.list_instances() == [f"OpenStack-{HOST}-{server['id']}"]
    assert driver.list_instance_uuids() == [server["id"]]
    assert driver.get_num_instances() == 1


@on("z16")
@pytest.mark.parametrize("status", ["stopped", "paused", "degraded", "terminated"])
def test_a_server_is_deleted_whatever_its_partition_is(cloud: Cloud, status: str) -> None:
    server = cloud.boot([cloud.port()])
    cloud.set_status(server, status)

    cloud.delete(server)

    assert cloud.left() == []


@on("z13", "z16")
def test_a_server_whose_partition_somebody_deleted_can_be_deleted(cloud: Cloud) -> None:
    server = cloud.boot([cloud.port()])
    cloud.compute.manager.driver._servers.remove(server["id"])

    cloud.delete(server)

    assert cloud.left() == []


@on("z16")
def test_a_deletion_that_the_hmc_refuses_can_be_asked_for_again(cloud: Cloud) -> None:
    from dpm_lab.hmc import Fault

    server = cloud.boot([cloud.port()])
    cloud.control.add_fault(Fault("DELETE", "/api/partitions/[^/]*", status=400, reason=1))

    cloud.api.delete_server(server["id"])
    failed = cloud.until_fault(server)

    assert "in the log of nova-compute" in failed["fault"]["message"]
    assert "ordered by the lab" not in failed["fault"]["message"]
    assert "ordered by the lab" in cloud.log
    assert cloud.left() != []

    cloud.delete(server)

    assert cloud.left() == []
