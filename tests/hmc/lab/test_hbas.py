"""HBAs of a machine without storage management."""

from __future__ import annotations

from typing import Any

import pytest

from tests.hmc.lab.client import Lab, refused


def hba(lab: Lab, partition: Any, name: Any = "a", **properties: Any) -> Any:
    body = {"name": name, "adapter-port-uri": lab.port("FCP-A").uri, **properties}
    return partition.hbas.create(body)


def test_no_two_hbas_of_a_machine_have_the_same_wwpn(z13: Lab) -> None:
    partitions = [z13.partition("one"), z13.partition("two")]

    made = [hba(z13, partition, name) for partition in partitions for name in "ab"]

    wwpns = [z13.properties(item)["wwpn"] for item in made]
    assert len(set(wwpns)) == 4
    assert all(len(wwpn) == 16 and wwpn.startswith("c05076") for wwpn in wwpns)
    assert z13.properties(partitions[0])["hba-uris"] == [made[0].uri, made[1].uri]


def test_a_wwpn_is_not_used_again(z13: Lab) -> None:
    partition = z13.partition()
    first = hba(z13, partition)
    before = z13.properties(first)["wwpn"]
    first.delete()

    assert z13.properties(hba(z13, partition))["wwpn"] != before


def test_hbas_and_nics_share_the_device_numbers(z13: Lab) -> None:
    partition = z13.partition()
    body = {"name": "n", "virtual-switch-uri": z13.switch(), "device-number": "8000"}
    partition.nics.create(body)

    made = hba(z13, partition)

    assert z13.properties(made)["device-number"] == "8003"
    for taken in ("8002", "8003"):
        with refused(409, 113):
            hba(z13, partition, "b", **{"device-number": taken})
    with refused(409, 113):
        made.update_properties({"device-number": "8001"})
    made.update_properties({"device-number": "8004"})


@pytest.mark.parametrize(
    ("properties", "status", "reason"),
    [
        ({"name": "taken"}, 400, 8),
        ({"wwpn": "c050760000000001"}, 400, 6),
        ({"adapter-port-uri": "/api/adapters/none/storage-ports/0"}, 404, 2),
    ],
)
def test_what_cannot_be_is_refused(
    z13: Lab, properties: dict[str, Any], status: int, reason: int
) -> None:
    partition = z13.partition()
    hba(z13, partition, "taken")

    with refused(status, reason):
        hba(z13, partition, **properties)


def test_an_hba_wants_the_port_of_an_fcp_adapter(z13: Lab) -> None:
    with refused(400, 7, "FCP"):
        hba(z13, z13.partition(), **{"adapter-port-uri": z13.port("OSA-A").uri})


def test_an_hba_can_move_to_another_port(z13: Lab) -> None:
    made = hba(z13, z13.partition())

    made.reassign_port(z13.port("FCP-B"))

    assert z13.properties(made)["adapter-port-uri"] == z13.port("FCP-B").uri


def test_a_partition_boots_from_its_hba(z13: Lab) -> None:
    partition = z13.partition()
    made = hba(z13, partition)
    boot = {
        "boot-device": "storage-adapter",
        "boot-storage-device": made.uri,
        "boot-world-wide-port-name": "5005076800000001",
        "boot-logical-unit-number": "0001000000000000",
    }

    with refused(400, 15, "boot-world-wide-port-name"):
        partition.update_properties(
            {"boot-device": "storage-adapter", **dict([[*boot.items()][1]])}
        )
    with refused(404, 2):
        partition.update_properties({**boot, "boot-storage-device": f"{made.uri}x"})
    partition.update_properties(boot)

    assert boot.items() <= z13.properties(partition).items()
    made.delete()
    assert z13.properties(partition)["boot-device"] == "none"


def test_a_machine_with_storage_management_has_no_hbas(z16: Lab) -> None:
    with refused(409, 1, "dpm-storage-management"):
        hba(z16, z16.partition())


def test_a_machine_without_it_has_no_storage_groups(z13: Lab) -> None:
    partition = z13.partition()

    assert "storage-group-uris" not in z13.properties(partition)
    with refused(404, 1):
        z13.console.storage_groups.list()
    with refused(404, 1):
        z13.group()
    with refused(400, 6):
        partition.update_properties({"boot-storage-volume": None})
