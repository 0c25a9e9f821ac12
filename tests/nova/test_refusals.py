"""What a partition cannot be is refused before it is made, and the user reads the reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.nova.machine import on

if TYPE_CHECKING:
    from tests.nova.cloud import Cloud

Asked = dict[str, Any]
"""Ports and request of a server."""

NO_DISK = {"resources:DISK_GB": "0"}
"""Extra specs by which Placement does not look for a host that has the flavor's disks."""


def boots_from_an_image(cloud: Cloud) -> Asked:
    return {"ports": [], "imageRef": cloud.image(), "block_device_mapping_v2": None}


def has_an_ephemeral_disk(cloud: Cloud) -> Asked:
    flavor = cloud.flavor({"OS-FLV-EXT-DATA:ephemeral": 1}, NO_DISK)
    return {"ports": [], "flavorRef": flavor}


def has_a_swap_disk(cloud: Cloud) -> Asked:
    return {"ports": [], "flavorRef": cloud.flavor({"swap": 512}, NO_DISK)}


def has_little_memory(cloud: Cloud) -> Asked:
    return {"ports": [], "flavorRef": cloud.flavor({"ram": 256}, {"resources:MEMORY_MB": "512"})}


def has_a_configuration_drive(cloud: Cloud) -> Asked:
    return {"ports": [], "config_drive": True}


def has_a_port_of_another_kind(cloud: Cloud) -> Asked:
    return {"ports": [cloud.port(), cloud.port(vif_type="ovs")]}


def has_a_port_without_a_switch(cloud: Cloud) -> Asked:
    return {"ports": [cloud.port(details={})]}


def has_thirteen_ports(cloud: Cloud) -> Asked:
    return {"ports": [cloud.port(number % 2) for number in range(13)]}


def has_a_multicast_mac(cloud: Cloud) -> Asked:
    return {"ports": [cloud.port(mac_address="0b:00:00:00:00:11")]}


def has_a_global_mac(cloud: Cloud) -> Asked:
    return {"ports": [cloud.port(mac_address="00:00:5e:00:53:01")]}


def has_a_mac_twice(cloud: Cloud) -> Asked:
    mac = "0a:00:00:00:00:11"
    return {"ports": [cloud.port(0, mac_address=mac), cloud.port(1, mac_address=mac)]}


@on("z16")
@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (boots_from_an_image, "boot from an image"),
        (has_an_ephemeral_disk, "ephemeral or swap"),
        (has_a_swap_disk, "ephemeral or swap"),
        (has_little_memory, "256 MiB of memory"),
        (has_a_configuration_drive, "configuration drive"),
        (has_a_port_of_another_kind, "vif_type ovs"),
        (has_a_port_without_a_switch, "no object_id in its vif_details"),
        (has_thirteen_ports, "do not fit into the boot parameters"),
        (has_a_multicast_mac, "0b:00:00:00:00:11"),
        (has_a_global_mac, "00:00:5e:00:53:01"),
        (has_a_mac_twice, "have the same MAC 0a:00:00:00:00:11"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_server_is_refused_before_anything_is_made(
    cloud: Cloud, asked: Callable[[Cloud], Asked], reason: str
) -> None:
    request = asked(cloud)

    server = cloud.boot_in_vain(request.pop("ports"), **request)

    assert reason in server["fault"]["message"]
    assert cloud.creations() == []
    assert_was_tried_once(cloud, server)


@on("z13", "z16")
def test_a_volume_that_is_not_fibre_channel_is_refused_and_nothing_stays(cloud: Cloud) -> None:
    volume = "8c4e7e3c-5b5f-4d0e-8a3c-6f6c1b0a7d11"
    cloud.cinder.iscsi.add(volume)

    server = cloud.boot_in_vain([cloud.port()], volume=volume)

    assert "connected over iscsi" in server["fault"]["message"]
    assert cloud.left() == []
    assert_was_tried_once(cloud, server)


@on("z13", "z16", "z17")
def test_a_port_on_a_switch_or_adapter_that_is_not_there_is_refused_and_nothing_stays(
    cloud: Cloud,
) -> None:
    missing = {"object_id": "5ba6b2a6-0000-4000-8000-000000000000"}

    server = cloud.boot_in_vain([cloud.port(details=missing)])

    assert "which the HMC does not show" in server["fault"]["message"]
    assert missing["object_id"] in cloud.log
    assert cloud.left() == []
    assert_was_tried_once(cloud, server)


@on("z16")
@pytest.mark.parametrize(
    "properties",
    [{"OS-FLV-EXT-DATA:ephemeral": 1}, {"swap": 512}, {"ram": 40960}, {"vcpus": 9}],
    ids=["ephemeral", "swap", "memory", "processors"],
)
def test_placement_finds_no_host_for_what_no_partition_of_this_host_has(
    cloud: Cloud, properties: dict[str, int]
) -> None:
    server = cloud.boot_in_vain([], flavorRef=cloud.flavor(properties))

    assert "No valid host was found" in server["fault"]["message"]
    assert cloud.creations() == []


@on("z16")
def test_the_disk_of_a_flavor_does_not_matter_for_a_server_that_boots_from_a_volume(
    cloud: Cloud,
) -> None:
    server = cloud.boot([], flavorRef=cloud.flavor({"disk": 20}))

    assert cloud.partition(server)["status"] == "active"


def assert_was_tried_once(cloud: Cloud, server: dict[str, Any]) -> None:
    """Check that Nova did not give the server to a host again."""
    assert "retries" not in server["fault"]["message"]
    actions = cloud.api.get_instance_actions(server["id"])
    [create] = [each for each in actions if each["action"] == "create"]
    details = cloud.api.get_instance_action_details(server["id"], create["request_id"])
    builds = [each for each in details["events"] if "build_and_run" in each["event"]]
    assert len(builds) == 1
    assert server["OS-EXT-STS:vm_state"] == "error"
