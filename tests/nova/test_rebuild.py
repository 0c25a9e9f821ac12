"""A rebuild writes an image to the boot volume; partition and WWPNs stay what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.nova.machine import on

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.nova.cloud import Cloud


@pytest.fixture(autouse=True)
def versions(cloud: Cloud) -> Iterator[None]:
    """Leave the API as it was."""
    yield
    cloud.api.microversion = "latest"


@on("z13", "z16")
@pytest.mark.parametrize("status", ["ACTIVE", "SHUTOFF"])
def test_the_partition_stays_and_the_volume_is_written_anew(cloud: Cloud, status: str) -> None:
    server = cloud.boot([cloud.port()])
    data = "8c4e7e3c-5b5f-4d0e-8a3c-6f6c1b0a7d12"
    cloud.attach_volume(server, data)
    if status == "SHUTOFF":
        cloud.act(server, "os-stop")
        cloud.until_status(server, status)
    before, wwpns = cloud.partition(server), connector(cloud, server)["wwpns"]
    cloud.control.reset_log()
    image, said = cloud.image(), len(cloud.log)

    cloud.act(server, "rebuild", {"imageRef": image})
    cloud.until_done(server, "rebuild")
    cloud.until_status(server, status)

    assert cloud.cinder.reimaged == [(boot_volume(server), image)]
    assert cloud.partition(server) == before
    assert connector(cloud, server)["wwpns"] == wwpns
    assert cloud.cinder.connector(data)["wwpns"] == wwpns
    assert cloud.creations() == []
    operations = [each.uri.rpartition("/")[2] for each in cloud.control.requests()]
    assert operations.count("start") == 1
    assert "The partition and its WWPNs stay, as it is a rebuild" in cloud.log[said:]
    assert allocations(cloud, server) == {"VCPU": 2, "MEMORY_MB": 4096}

    cloud.delete(server)

    assert cloud.left() == []


@on("z16")
def test_with_an_older_api_the_server_is_started_anew_from_its_volume(cloud: Cloud) -> None:
    server = cloud.boot([cloud.port()])
    before = cloud.partition(server)
    image = cloud.image()
    cloud.cinder.image_of[boot_volume(server)] = image
    cloud.control.reset_log()

    cloud.api.microversion = "2.92"
    cloud.act(server, "rebuild", {"imageRef": image})
    cloud.until_done(server, "rebuild")
    cloud.until_status(server, "ACTIVE")

    assert cloud.cinder.reimaged == []
    assert cloud.partition(server) == before
    operations = [each.uri.rpartition("/")[2] for each in cloud.control.requests()]
    assert [each for each in operations if each in ("stop", "start")] == ["stop", "start"]


@on("z16")
def test_what_cinder_cannot_write_is_said_and_can_be_asked_for_again(cloud: Cloud) -> None:
    server = cloud.boot([cloud.port()])
    cloud.cinder.reimages = False

    cloud.act(server, "rebuild", {"imageRef": cloud.image()})

    cloud.until_fault(server)
    assert cloud.partition(server)["status"] == "stopped"

    cloud.cinder.reimages = True
    cloud.act(server, "rebuild", {"imageRef": cloud.image()})
    cloud.until_done(server, "rebuild")
    cloud.until_status(server, "ACTIVE")

    assert cloud.partition(server)["status"] == "active"


@on("z16")
def test_a_rebuild_that_the_hmc_refuses_leaves_the_server_what_it_was(cloud: Cloud) -> None:
    from dpm_lab.hmc import Fault

    server = cloud.boot([cloud.port()])
    before = cloud.partition(server)
    cloud.control.add_fault(Fault("POST", ".*/operations/stop", status=400, reason=1))

    cloud.act(server, "rebuild", {"imageRef": cloud.image()})

    event = cloud.until_failed(server, "rebuild")
    shown = cloud.until_status(server, "ACTIVE")
    assert f"in the log of nova-compute, at instance {server['id']}" in event["details"]
    assert shown["OS-EXT-STS:task_state"] is None
    assert cloud.partition(server) == before
    assert cloud.cinder.reimaged == []


@on("z16")
@pytest.mark.parametrize("version", ["2.92", "2.93"])
@pytest.mark.parametrize("failing", ["stop", "start"])
def test_nova_takes_the_allocation_of_a_failed_rebuild_and_its_command_gives_it_back(
    cloud: Cloud, failing: str, version: str
) -> None:
    from nova.cmd.manage import PlacementCommands

    from dpm_lab.hmc import Fault

    server = cloud.boot([cloud.port()])
    before, image = allocations(cloud, server), cloud.image()
    cloud.cinder.image_of[boot_volume(server)] = image
    cloud.control.add_fault(Fault("POST", f".*/operations/{failing}", status=400, reason=1))

    cloud.api.microversion = version
    cloud.act(server, "rebuild", {"imageRef": image})
    cloud.until_failed(server, "rebuild")
    cloud.until_status(server, "ACTIVE" if failing == "stop" else "ERROR")
    cloud.audit()

    # nova/compute/manager.py, `rebuild_instance`. A Nova that leaves it makes the paragraph about
    # heal_allocations in operators/first-server.rst wrong.
    assert allocations(cloud, server) == {}

    assert PlacementCommands().heal_allocations(instance_uuid=server["id"]) == 0
    assert allocations(cloud, server) == before == {"VCPU": 2, "MEMORY_MB": 4096}


@on("z16")
def test_a_start_that_fails_after_a_rebuild_keeps_the_partition(cloud: Cloud) -> None:
    from dpm_lab.hmc import Fault

    server = cloud.boot([cloud.port()])
    cloud.control.add_fault(Fault("POST", ".*/operations/start", status=400, reason=1))

    cloud.act(server, "rebuild", {"imageRef": cloud.image()})

    failed = cloud.until_fault(server)
    assert "in the log of nova-compute" in failed["fault"]["message"]
    assert cloud.partition(server)["status"] == "stopped"

    cloud.act(server, "reboot", {"type": "HARD"})
    cloud.until_done(server, "reboot")
    cloud.until_status(server, "ACTIVE")


@on("z16")
@pytest.mark.parametrize(("action", "why"), [("pause", "paused"), ("suspend", "suspended")])
def test_what_no_partition_can_is_said_in_the_events_and_changes_nothing(
    cloud: Cloud, action: str, why: str
) -> None:
    server = cloud.boot([])
    before = cloud.partition(server)

    cloud.act(server, action)

    event = cloud.until_failed(server, action)
    cloud.until_status(server, "ACTIVE")
    assert f"a partition cannot be {why}; stop the server" in event["details"]
    assert cloud.partition(server) == before


def boot_volume(server: dict[str, Any]) -> str:
    return str(server["os-extended-volumes:volumes_attached"][0]["id"])


def connector(cloud: Cloud, server: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = cloud.cinder.connector(boot_volume(server))
    return found


def allocations(cloud: Cloud, server: dict[str, Any]) -> dict[str, int]:
    """Return what a server has of the host in Placement."""
    body = cloud.placement.get(f"/allocations/{server['id']}").body
    resources: dict[str, int] = {}
    for each in body["allocations"].values():
        resources |= each["resources"]
    return resources
