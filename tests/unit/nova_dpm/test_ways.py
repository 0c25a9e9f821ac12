"""Ways to a boot volume, without an HMC."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dpm_hmc.errors import AnswerError
from nova_dpm.errors import RefusedError
from nova_dpm.partition import Partition
from nova_dpm.storage.bootvolume import group_of, luns_of, new_boot_volume
from nova_dpm.storage.volume import FcVolume, Path
from nova_dpm.storage.ways import Ends, Resource, Way, ways

A, B = "50050768000000aa", "50050768000000ab"
I1, I2 = "c05076d08001a700", "c05076d08001a701"
PORT_1, PORT_2, PORT_3 = (f"/api/adapters/a/storage-ports/{number}" for number in range(3))
LUN = "00ab000000000000"
NONE: frozenset[str] = frozenset()
BOTH = FcVolume(((A, LUN), (B, LUN)), {})


def found(
    volume: FcVolume, *resources: Resource, ignored: frozenset[str] = NONE
) -> list[tuple[str, str, str]]:
    candidates = [PORT_1, PORT_2]
    return [
        (way.path.initiator, way.path.target, way.port_uri)
        for way in ways(resources, candidates, volume, ignored)
    ]


def test_a_resource_that_knows_its_port_is_booted_over_that_one() -> None:
    first, second = Resource("/1", I1, PORT_2), Resource("/2", I2, PORT_3)

    assert found(BOTH, first, second) == [
        (I1, A, PORT_2),
        (I1, B, PORT_2),
        (I2, A, PORT_3),
        (I2, B, PORT_3),
    ]


def test_a_resource_without_port_may_be_at_each_that_the_group_may_use() -> None:
    assert found(BOTH, Resource("/1", I1, ""), ignored=frozenset({A})) == [
        (I1, B, PORT_1),
        (I1, B, PORT_2),
    ]


def test_a_way_ends_at_the_lun_of_its_target() -> None:
    volume = FcVolume(((A, "1" * 16), (B, "2" * 16)), {I1: frozenset({B})})

    [way] = ways([Resource("/1", I1, PORT_1)], [], volume, NONE)

    assert way == Way(Path(I1, B, "2" * 16), PORT_1)


def test_where_there_is_no_way_it_is_refused() -> None:
    with pytest.raises(RefusedError, match="no way to the volume"):
        found(BOTH, ignored=NONE)


def test_ends_are_told_by_their_wwpns_in_their_order() -> None:
    assert Ends("/p", {I2: "/2", I1: "/1"}).wwpns == [I2, I1]


def path(**changed: Any) -> dict[str, Any]:
    return {
        "partition-uri": "/p",
        "target-world-wide-port-name": A.upper(),
        "logical-unit-number": LUN,
        **{name.replace("_", "-"): value for name, value in changed.items()},
    }


@pytest.mark.parametrize(
    ("paths", "luns"),
    [
        (None, set()),
        ([], set()),
        ([path()], {(A, LUN)}),
        ([path(), path(target_world_wide_port_name=B)], {(A, LUN), (B, LUN)}),
        ([path(partition_uri="/other")], set()),
        ([path(target_world_wide_port_name=None)], set()),
        ([{key: value for key, value in path().items() if key != "partition-uri"}], {(A, LUN)}),
    ],
)
def test_the_luns_of_a_volume_are_those_of_our_partition_s_ways(
    paths: Any, luns: set[tuple[str, str]]
) -> None:
    assert luns_of({"paths": paths}, "/p") == luns


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"logical_unit_number": "7"}, "'7', and not a LUN"),
        ({"target_world_wide_port_name": "7"}, "'7', and not a WWPN"),
    ],
)
def test_a_way_that_cannot_be_one_is_no_answer(changed: dict[str, Any], why: str) -> None:
    with pytest.raises(AnswerError, match=why):
        luns_of({"paths": [path(**changed)]}, "/p")


def test_a_volume_s_group_is_the_first_part_of_its_uri() -> None:
    assert group_of("/api/storage-groups/g/storage-volumes/v") == "/api/storage-groups/g"


def test_a_boot_volume_is_described_as_the_hmc_wants_it() -> None:
    assert new_boot_volume(10) == {
        "operation": "create",
        "name": "boot",
        "size": 10,
        "usage": "boot",
    }


def test_what_stands_for_a_partition_that_is_gone_has_a_name_and_nothing_else() -> None:
    gone = Partition.gone("p")

    assert not gone.is_there
    assert gone.status.is_stopped
    assert replace(gone, name="") == Partition("", "", gone.status, (), (), (), "", {})
