"""Storage groups: from an empty group to a partition that boots from its volume."""

from __future__ import annotations

from typing import Any

import pytest

from dpm_lab.hmc.api.behaviour import Behaviour
from tests.hmc.lab.client import Lab, refused, until

BOOT = {"operation": "create", "size": 10, "usage": "boot"}
DATA = {"operation": "create", "size": 20, "usage": "data", "name": "data"}
TARGET = "500507680000aaaa"


def ports(lab: Lab) -> list[Any]:
    return [lab.port("FCP-A"), lab.port("FCP-B")]


def attached(lab: Lab, *volumes: dict[str, Any]) -> tuple[Any, Any, list[Any]]:
    """A partition with a group at two ports."""
    partition = lab.partition()
    group = lab.group(**{"storage-volumes": list(volumes or [BOOT])})
    group.add_candidate_adapter_ports(ports(lab))
    partition.attach_storage_group(group)
    return partition, group, group.storage_volumes.list()


def test_the_whole_way_to_a_boot_from_a_volume(z16: Lab) -> None:
    partition, group, (volume,) = attached(z16)

    wwpns = [
        z16.properties(item)["world-wide-port-name"]
        for item in group.virtual_storage_resources.list()
    ]
    volume.indicate_fulfillment_fcp(TARGET, "1", ports(z16)[0])
    partition.update_properties(
        {"boot-device": "storage-volume", "boot-storage-volume": volume.uri}
    )
    z16.start(partition)

    assert len(set(wwpns)) == 2
    assert z16.status(partition) == "active"
    assert z16.properties(group)["fulfillment-state"] == "complete"
    paths = z16.properties(volume)["paths"]
    assert [
        (path["target-world-wide-port-name"], path["logical-unit-number"]) for path in paths
    ] == [(TARGET, "0000000000000001")] * 2


def test_a_start_fails_while_the_boot_volume_is_not_fulfilled(z16: Lab) -> None:
    partition, _, (volume,) = attached(z16)
    partition.update_properties(
        {"boot-device": "storage-volume", "boot-storage-volume": volume.uri}
    )

    with refused(500, 263, "pending"):
        z16.start(partition)

    assert z16.status(partition) == "stopped"


def test_fulfilment_can_take_its_time(z16: Lab) -> None:
    _, group, (slow, quick) = attached(z16, BOOT, DATA)

    z16.control.set_duration("fulfil", 60)
    slow.indicate_fulfillment_fcp(TARGET, "1", ports(z16)[0])
    z16.control.set_duration("fulfil", 0.02)
    quick.indicate_fulfillment_fcp(TARGET, "2", ports(z16)[0])

    until(lambda: bool(z16.properties(quick)["fulfillment-state"] == "complete"))
    assert z16.properties(slow)["fulfillment-state"] == "pending"
    assert z16.properties(group)["fulfillment-state"] == "pending"


def test_a_group_has_wwpns_before_it_is_attached_and_gets_them_back(z16: Lab) -> None:
    group = z16.group(connectivity=2)
    group.add_candidate_adapter_ports(ports(z16))
    before = z16.properties(group)["unassigned-world-wide-port-names"]
    partition = z16.partition()

    partition.attach_storage_group(group)

    assert len(before) == 2
    assert z16.properties(group)["unassigned-world-wide-port-names"] == []
    assert [
        z16.properties(item)["world-wide-port-name-info"]
        for item in group.virtual_storage_resources.list()
    ] == before
    partition.detach_storage_group(group)
    assert z16.properties(group)["unassigned-world-wide-port-names"] == before
    assert group.virtual_storage_resources.list() == []
    assert z16.properties(partition)["storage-group-uris"] == []


def test_a_resource_has_no_port_where_nothing_else_is_said(z16: Lab) -> None:
    _, group, _ = attached(z16)

    assert resources(z16, group) == [(None, "not-validated")] * 2
    assert Behaviour().storage_ports == "by-discovery"


def test_where_attaching_names_ports_they_are_the_candidates_that_come(z16: Lab) -> None:
    z16.control.set_behaviour(storage_ports="at-attach")
    partition = z16.partition()
    group = z16.group(connectivity=2)

    partition.attach_storage_group(group)
    assert resources(z16, group) == [(None, "not-validated")] * 2

    group.add_candidate_adapter_ports(ports(z16))
    assert resources(z16, group) == [(port.uri, "not-validated") for port in ports(z16)]


def test_candidate_ports_are_not_named_when_a_group_is_created(z16: Lab) -> None:
    with refused(400, 6, "add-candidate-adapter-ports"):
        z16.group(**{"candidate-adapter-port-uris": [port.uri for port in ports(z16)]})


def test_candidate_ports_come_and_go(z16: Lab) -> None:
    z16.control.set_behaviour(storage_ports="at-attach")
    group = z16.group()
    group.add_candidate_adapter_ports(ports(z16))

    with refused(409, 483):
        group.add_candidate_adapter_ports(ports(z16)[:1])
    with refused(400, 7, "FCP"):
        group.add_candidate_adapter_ports([z16.port("OSA-A")])
    group.remove_candidate_adapter_ports(ports(z16)[1:])
    with refused(409, 479):
        group.remove_candidate_adapter_ports(ports(z16)[1:])
    z16.partition().attach_storage_group(group)
    with refused(409, 480):
        group.remove_candidate_adapter_ports(ports(z16)[:1])

    assert [port.uri for port in group.list_candidate_adapter_ports()] == [ports(z16)[0].uri]


def test_virtual_storage_resources_share_the_device_numbers_of_the_partition(z16: Lab) -> None:
    partition, group, _ = attached(z16)
    resource = group.virtual_storage_resources.list()[0]

    made = partition.nics.create({"name": "a", "virtual-switch-uri": z16.switch()})

    assert z16.properties(resource)["device-number"] == "8000"
    assert z16.properties(made)["device-number"] == "8002"
    with refused(409, 113):
        resource.update_properties({"device-number": "8003"})
    resource.update_properties({"device-number": "0001", "name": "disk"})
    with refused(409, 113):
        made.update_properties({"device-number": "0001"})


def test_discovery_finds_data_volumes_and_no_boot_volumes(z16: Lab) -> None:
    _, group, (boot, data) = attached(z16, BOOT, DATA)

    z16.finish(group.discover_fcp(wait_for_completion=False))

    assert z16.properties(boot)["fulfillment-state"] == "pending"
    assert z16.properties(data)["fulfillment-state"] == "complete"
    report = group.get_connection_report()
    (subsystem,) = report["fcp-storage-subsystems"]
    assert len(subsystem["storage-configurations"]) == 2


def test_one_discovery_at_a_time(z16: Lab) -> None:
    z16.control.set_duration("discovery", 60)
    _, group, _ = attached(z16)
    group.discover_fcp(wait_for_completion=False)

    with refused(409, 2, "in progress"):
        group.discover_fcp(wait_for_completion=False)
    group.discover_fcp(force_restart=True, wait_for_completion=False)


@pytest.mark.parametrize(
    ("properties", "status", "reason"),
    [
        ({"name": "taken"}, 400, 8),
        ({"type": "fc"}, 400, 7),
        ({"cpc-uri": "/api/cpcs/none"}, 404, 2),
        ({"connectivity": 0}, 400, 7),
        ({"made-up": 1}, 400, 6),
        ({"storage-volumes": [{"size": 1}]}, 400, 5),
        ({"storage-volumes": [{"operation": "create"}]}, 400, 5),
        ({"storage-volumes": [{"operation": "create", "size": 0}]}, 400, 7),
        ({"storage-volumes": [{"operation": "modify", "size": 1}]}, 400, 7),
        ({"storage-volumes": [{"operation": "create", "size": 1, "usage": "swap"}]}, 400, 7),
    ],
)
def test_a_group_that_cannot_be_is_not_made_at_all(
    z16: Lab, properties: dict[str, Any], status: int, reason: int
) -> None:
    z16.group("taken")

    with refused(status, reason):
        z16.group(**properties)

    assert list(z16.control.inventory()["storage-groups"]) == ["taken"]


def test_volumes_are_made_changed_and_deleted_through_their_group(z16: Lab) -> None:
    group = z16.group()

    volume = group.storage_volumes.create({"name": "a", "size": 5})
    volume.update_properties({"size": 6, "description": "grown"})

    assert z16.properties(volume)["size"] == 6
    assert z16.properties(volume)["usage"] == "data"
    assert z16.properties(group)["storage-volume-uris"] == [volume.uri]
    volume.delete()
    assert group.storage_volumes.list() == []
    assert z16.properties(group)["storage-volume-uris"] == []


def test_a_volume_is_fulfilled_once_and_with_a_port_of_an_fcp_adapter(z16: Lab) -> None:
    _, _, (volume,) = attached(z16)

    with refused(400, 7, "FCP"):
        volume.indicate_fulfillment_fcp(TARGET, "1", z16.port("OSA-A"))
    volume.indicate_fulfillment_fcp(TARGET, "1", ports(z16)[0])
    with refused(409, 481):
        volume.indicate_fulfillment_fcp(TARGET, "1", ports(z16)[0])


def resources(lab: Lab, group: Any) -> list[tuple[Any, str]]:
    """The port of each virtual storage resource, and the status of its WWPN."""
    found = [lab.properties(each) for each in group.virtual_storage_resources.list()]
    return [(r["adapter-port-uri"], r["world-wide-port-name-info"]["status"]) for r in found]


@pytest.mark.parametrize("otherwise", [False, True])
def test_ports_may_be_unknown_until_discovery_finds_them(z16: Lab, otherwise: bool) -> None:
    way = "by-discovery-otherwise" if otherwise else "by-discovery"
    z16.control.set_behaviour(storage_ports=way)
    _, group, (volume,) = attached(z16)

    assert resources(z16, group) == [(None, "not-validated")] * 2
    with refused(404, 2):
        z16.session.post(
            f"{volume.uri}/operations/fulfill-fcp-storage-volume",
            body={
                "world-wide-port-name": TARGET,
                "logical-unit-number": "0001000000000000",
                "adapter-port-uri": None,
            },
        )
    z16.finish(group.discover_fcp(wait_for_completion=False))

    found = [(port.uri, "validated") for port in ports(z16)]
    assert resources(z16, group) == (found[::-1] if otherwise else found)
    with refused(409, 1, "discovery"):
        group.add_candidate_adapter_ports(ports(z16)[:1])


def test_discovery_comes_by_itself_and_finds_ports_that_were_not_named(z16: Lab) -> None:
    z16.control.set_duration("ports", 0.02)
    group = z16.group(connectivity=2)
    z16.partition().attach_storage_group(group)

    until(lambda: resources(z16, group)[1][1] == "validated")

    assert {uri for uri, _ in resources(z16, group)} == {port.uri for port in ports(z16)}


@pytest.mark.parametrize(
    ("state", "starts"),
    [
        ("overprovisioned", True),
        ("pending-with-mismatches", False),
        ("incomplete", False),
        ("configuration-error", False),
    ],
)
def test_a_volume_can_be_fulfilled_otherwise_than_asked(z16: Lab, state: str, starts: bool) -> None:
    partition, group, (volume,) = attached(z16)
    boot = {"boot-device": "storage-volume", "boot-storage-volume": volume.uri}
    partition.update_properties(boot)
    z16.control.set_behaviour(fulfilled_as=state)

    volume.indicate_fulfillment_fcp(TARGET, "1", ports(z16)[0])

    assert z16.properties(volume)["fulfillment-state"] == state
    assert z16.properties(group)["fulfillment-state"] == state
    if starts:
        z16.start(partition)
    else:
        with refused(500, 263, state):
            z16.start(partition)


@pytest.mark.parametrize(("operation", "becomes"), [("accept", "complete"), ("reject", "pending")])
def test_volumes_that_do_not_match_are_accepted_or_rejected(
    z16: Lab, operation: str, becomes: str
) -> None:
    _, group, (boot, data) = attached(z16, BOOT, DATA)
    z16.control.set_behaviour(fulfilled_as="pending-with-mismatches")
    boot.indicate_fulfillment_fcp(TARGET, "1", ports(z16)[0])
    uri = f"{group.uri}/operations/{operation}-mismatched-storage-volumes"

    with refused(409, 1, "pending"):
        z16.session.post(uri, body={"storage-volume-uris": [boot.uri, data.uri]})
    with refused(404, 2):
        z16.session.post(uri, body={"storage-volume-uris": [group.uri]})
    z16.session.post(uri, body={"storage-volume-uris": [boot.uri]})

    assert z16.properties(boot)["fulfillment-state"] == becomes
    with refused(409, 1, becomes):
        z16.session.post(uri, body={"storage-volume-uris": [boot.uri]})


def test_a_path_to_a_lun_can_be_tried(z16: Lab) -> None:
    one, two = ports(z16)

    def validate(port: Any, lun: str) -> None:
        z16.cpc.validate_lun_path("c05076ff00000001", port, TARGET, lun)

    z16.control.add_barrier("masking", lun="0002.*")
    z16.control.add_barrier("zoning", port=two.uri)

    validate(one, "0001000000000000")
    with refused(409, 485, "0002000000000000"):
        validate(one, "0002000000000000")
    with refused(409, 484, TARGET):
        validate(two, "0002000000000000")
    z16.control.clear_barriers()
    validate(two, "0002000000000000")
    with refused(400, 7, "FCP"):
        validate(z16.port("OSA-A"), "0001000000000000")


def test_a_group_that_is_attached_cannot_be_deleted(z16: Lab) -> None:
    partition, group, _ = attached(z16)

    with refused(409, 491, "web"):
        group.delete()
    with refused(409, 487):
        partition.attach_storage_group(group)
    partition.detach_storage_group(group)
    with refused(409, 490):
        partition.detach_storage_group(group)
    group.delete()

    assert z16.control.inventory()["storage-groups"] == {}


def test_only_a_shared_group_has_two_partitions(z16: Lab) -> None:
    one, two, three = (z16.partition(name) for name in ("one", "two", "three"))
    own, shared = z16.group("own"), z16.group("shared", shared=True, **{"max-partitions": 2})

    one.attach_storage_group(own)
    with refused(409, 489, "not shared"):
        two.attach_storage_group(own)
    one.attach_storage_group(shared)
    two.attach_storage_group(shared)
    with refused(409, 489, "maximum"):
        three.attach_storage_group(shared)

    assert {item.name for item in shared.list_attached_partitions()} == {"one", "two"}
    assert [item.name for item in shared.list_attached_partitions(name="t.*")] == ["two"]


def test_groups_come_and_go_on_a_running_partition_but_not_on_one_that_starts(z16: Lab) -> None:
    partition = z16.partition()
    group = z16.group()
    z16.start(partition)
    partition.attach_storage_group(group)
    partition.detach_storage_group(group)
    z16.stop(partition)
    z16.control.set_duration("start", 60)

    partition.start(wait_for_completion=False)

    with refused(409, 1, "starting"):
        partition.attach_storage_group(group)


def test_the_boot_volume_is_one_of_an_attached_group_and_meant_for_it(z16: Lab) -> None:
    partition, group, (_, data) = attached(z16, BOOT, DATA)
    stranger = z16.group("other", **{"storage-volumes": [BOOT]}).storage_volumes.list()[0]

    for uri, status, reason in (
        (stranger.uri, 400, 15),
        (data.uri, 400, 15),
        (f"{group.uri}/storage-volumes/none", 404, 2),
    ):
        with refused(status, reason):
            partition.update_properties({"boot-storage-volume": uri})
    with refused(400, 15, "boot-storage-volume"):
        partition.update_properties({"boot-device": "storage-volume"})


def test_the_volume_that_a_partition_runs_from_stays(z16: Lab) -> None:
    partition, _, (volume,) = attached(z16)
    volume.indicate_fulfillment_fcp(TARGET, "1", ports(z16)[0])
    partition.update_properties(
        {"boot-device": "storage-volume", "boot-storage-volume": volume.uri}
    )
    z16.start(partition)

    with refused(409, 1, "web"):
        volume.delete()


def test_a_partition_that_is_deleted_leaves_its_groups(z16: Lab) -> None:
    partition, group, _ = attached(z16)

    partition.delete()

    assert group.list_attached_partitions() == []
    assert group.virtual_storage_resources.list() == []
    group.delete()
