"""HBAs and storage groups, on the lab's HMC."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from dpm_hmc.client import Hmc
from dpm_hmc.errors import StateError
from dpm_lab.hmc import Fault
from nova_dpm.check import start
from nova_dpm.conf import Settings
from nova_dpm.errors import RefusedError
from nova_dpm.partition import Partition, Partitions
from nova_dpm.servers import Servers
from nova_dpm.storage import Ends, FcVolume, Storage, storage_of
from nova_dpm.storage.groups import StorageGroups
from nova_dpm.storage.hbas import Hbas
from tests.driver.lab import HOST, Lab

UUID_1 = "6e3c1c62-6d5b-4f63-9c5c-5d4ea7d5bd2a"
NAME = f"OpenStack-{HOST}-{UUID_1}"
A, B = "5005076800000001", "5005076800000002"
I1 = "c05076d08001a700"


class World:
    """A machine, its storage as the driver sees it, and one prepared partition."""

    def __init__(self, lab: Lab, settings: Settings) -> None:
        self.lab = lab
        self.settings = settings
        self.hmc = Hmc(settings.hmc, lab.clock)
        self.cpc = start.usable_cpc(self.hmc, settings)
        self.partitions = Partitions(self.hmc, self.cpc.uri, HOST)
        self.storage = self.new_storage()
        self.made = self.partitions.create(UUID_1, 2, 4096)
        self.uri = self.made.uri
        self.storage.prepare(self.made, 10)

    def new_storage(self) -> Storage:
        """Return what a new nova-compute has."""
        return storage_of(self.hmc, self.settings, self.cpc)

    @property
    def partition(self) -> Partition:
        found = self.partitions.find(UUID_1)
        assert found is not None
        return found

    def volume(self, initiators: list[str], target: str = B) -> FcVolume:
        return FcVolume.parse(
            {
                "driver_volume_type": "fibre_channel",
                "data": {
                    "target_wwn": [A, B],
                    "target_lun": 7,
                    "initiator_target_map": {each: [target] for each in initiators},
                },
            }
        )


@pytest.fixture(scope="module", params=["z13", "z16"])
def _machine(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with Lab(request.param) as lab:
        yield lab


@pytest.fixture
def world(_machine: Lab) -> Iterator[World]:
    yield from _world(_machine)


@pytest.fixture(scope="module")
def _z16() -> Iterator[Lab]:
    with Lab("z16") as lab:
        yield lab


@pytest.fixture
def groups(_z16: Lab) -> Iterator[World]:
    yield from _world(_z16)


def _world(lab: Lab, settings: Settings | None = None) -> Iterator[World]:
    settings = settings or lab.settings()
    # The other way round than the HMC lists them.
    world = World(lab, replace(settings, storage_ports=settings.storage_ports[::-1]))
    yield world
    world.hmc.close()
    lab.control.reset()


def boot_properties(
    world: World, volume: FcVolume, storage: Storage | None = None
) -> dict[str, Any]:
    """Return by which properties the partition boots from a volume."""
    storage = storage or world.storage
    return storage.boot(storage.ends(world.partition), volume).properties


def test_a_machine_has_the_storage_that_its_firmware_has(world: World) -> None:
    kind = Hbas if world.lab.machine == "z13" else StorageGroups

    assert isinstance(world.storage, kind)


def ends(world: World) -> list[dict[str, Any]]:
    """Return the partition's ends of its ways to a LUN, when discovery has named their ports."""
    while True:
        inventory = world.lab.control.inventory()
        if world.lab.machine == "z13":
            found = inventory["partitions"][NAME]["hbas"]
        else:
            found = inventory["storage-groups"][NAME]["virtual-storage-resources"]
        if all(end["adapter-port-uri"] for end in found):
            return list(found)
        time.sleep(0.005)


def test_wwpns_are_in_the_order_of_the_options(world: World) -> None:
    known = ends(world)

    wwpns = world.storage.ends(world.partition).wwpns

    by_port = {
        end["adapter-port-uri"]: end.get("wwpn") or end["world-wide-port-name"] for end in known
    }
    assert wwpns == [by_port[port.uri].lower() for port in world.settings.storage_ports]
    assert len(set(wwpns)) == 2


def test_a_new_nova_compute_sees_the_same(world: World) -> None:
    wwpns = world.storage.ends(world.partition).wwpns
    new = world.new_storage()

    # Their order means nothing until discovery has named the ports.
    assert sorted(new.ends(world.partition).wwpns) == sorted(wwpns)
    assert boot_properties(world, world.volume(wwpns), new) == boot_properties(
        world, world.volume(wwpns)
    )


def test_what_is_set_is_known_to_be_set(world: World) -> None:
    volume = world.volume(world.storage.ends(world.partition).wwpns)
    before = world.storage.boots_from(world.partition, volume)

    world.partitions.update(world.uri, boot_properties(world, volume))

    assert not before
    assert world.storage.boots_from(world.partition, volume)


def test_a_volume_that_no_port_reaches_is_refused(world: World) -> None:
    with pytest.raises(RefusedError, match="check the zoning"):
        boot_properties(world, world.volume(["c05076d08001a7ff"]))


def test_only_one_initiator_s_zone_is_enough(world: World) -> None:
    known = ends(world)
    found = world.storage.ends(world.partition)
    second = found.wwpns[1]
    world.lab.control.reset_log()

    properties = world.storage.boot(found, world.volume([second], A)).properties

    if world.lab.machine == "z13":
        assert properties == {
            "boot-device": "storage-adapter",
            "boot-storage-device": found.uris[second],
            "boot-world-wide-port-name": A,
            "boot-logical-unit-number": "0007000000000000",
        }
    else:
        [group] = world.lab.control.inventory()["storage-groups"].values()
        [volume] = group["storage-volumes"]
        assert properties == {
            "boot-device": "storage-volume",
            "boot-storage-volume": volume["element-uri"],
        }
        [fulfilled] = [
            json.loads(each.body)
            for each in world.lab.control.requests()
            if each.uri.endswith("/fulfill-fcp-storage-volume")
        ]
        [end] = [each for each in known if each["world-wide-port-name"].lower() == second]
        assert fulfilled == {
            "world-wide-port-name": A,
            "logical-unit-number": "0007000000000000",
            "adapter-port-uri": end["adapter-port-uri"],
        }


def test_removing_twice_is_as_good(world: World) -> None:
    world.storage.remove(world.partition)
    world.storage.remove(world.partition)
    world.storage.remove(Partition.gone(NAME))

    assert not world.lab.control.inventory()["storage-groups"]


def test_another_target_or_lun_is_another_volume_for_an_hba() -> None:
    with Lab("z13") as lab:
        [world] = _world(lab)
        volume = world.volume([])
        partition = Partition.of(
            {
                "object-uri": "/api/partitions/p",
                "name": NAME,
                "status": "stopped",
                "hba-uris": ["/api/partitions/p/hbas/1"],
                "boot-device": "storage-adapter",
                "boot-storage-device": "/api/partitions/p/hbas/1",
                "boot-world-wide-port-name": A.upper(),
                "boot-logical-unit-number": "0007000000000000",
            }
        )

        def but(**changed: str) -> Partition:
            hyphens = {name.replace("_", "-"): value for name, value in changed.items()}
            return Partition.of({**partition.properties, **hyphens})

        assert world.storage.boots_from(partition, volume)
        assert not world.storage.boots_from(but(boot_device="none"), volume)
        assert not world.storage.boots_from(
            but(boot_storage_device="/api/partitions/p/hbas/2"), volume
        )
        assert not world.storage.boots_from(but(boot_world_wide_port_name="5" * 16), volume)
        assert not world.storage.boots_from(but(boot_logical_unit_number="0" * 16), volume)


def test_no_hba_boots_from_a_target_that_is_to_be_ignored() -> None:
    with Lab("z13") as lab:
        settings = lab.settings()
        [world] = _world(lab, replace(settings, ignored_wwpns=frozenset({A})))
        volume = world.volume([])
        found = Ends(world.uri, {I1: "/api/partitions/p/hbas/1"})

        properties = world.storage.boot(found, volume).properties
        from_a = {
            **world.made.properties,
            **properties,
            "hba-uris": list(found.uris.values()),
            "boot-world-wide-port-name": A,
        }
        from_b = {**from_a, "boot-world-wide-port-name": B}

        assert properties["boot-world-wide-port-name"] == B
        assert not world.storage.boots_from(Partition.of(from_a), volume)
        assert world.storage.boots_from(Partition.of(from_b), volume)


def test_another_partition_s_end_in_the_group_is_not_ours(groups: World) -> None:
    known = ends(groups)
    first, second = (each["world-wide-port-name"].lower() for each in known)
    [other] = groups.lab.control.add_partitions(1, "other")
    groups.lab.control.set_properties(known[0]["element-uri"], {"partition-uri": other})

    found = groups.storage.ends(groups.partition)

    assert found.wwpns == [second] != [first]
    with pytest.raises(RefusedError, match="check the zoning"):
        groups.storage.boot(found, groups.volume([first]))


@pytest.mark.parametrize(("cpc_uri", "is_ours"), [(None, True), ("/api/cpcs/other", False)])
def test_a_group_of_our_name_is_ours_unless_it_is_another_cpc_s(
    groups: World, monkeypatch: pytest.MonkeyPatch, cpc_uri: str | None, is_ours: bool
) -> None:
    get = groups.hmc.get

    def changed(uri: str) -> dict[str, Any]:
        answer = get(uri)
        for each in answer["storage-groups"] if "storage-groups?" in uri else ():
            del each["cpc-uri"]
            each.update({"cpc-uri": cpc_uri} if cpc_uri else {})
        return answer

    monkeypatch.setattr(groups.hmc, "get", changed)
    groups.storage.remove(groups.partition)

    assert (NAME not in groups.lab.control.inventory()["storage-groups"]) is is_ours


def test_the_boot_volume_of_a_group_of_another_name_is_not_ours(groups: World) -> None:
    volume = groups.volume(groups.storage.ends(groups.partition).wwpns)
    groups.partitions.update(groups.uri, boot_properties(groups, volume))

    assert groups.storage.boots_from(groups.partition, volume)
    assert not groups.storage.boots_from(replace(groups.partition, name="another"), volume)


@pytest.mark.parametrize(("status", "reason"), [(409, 8), (404, 1), (404, 2)])
def test_a_group_that_cannot_be_detached_goes_after_its_partition(
    groups: World, status: int, reason: int
) -> None:
    servers = Servers(groups.hmc, groups.settings, groups.cpc)
    fault = Fault("POST", ".*/detach-storage-group", status=status, reason=reason)
    groups.lab.control.add_fault(fault)

    servers.remove(UUID_1)

    inventory = groups.lab.control.inventory()
    assert (inventory["partitions"], inventory["storage-groups"]) == ({}, {})


def test_a_group_is_made_as_the_hmc_wants_it(groups: World) -> None:
    [group] = groups.lab.control.inventory()["storage-groups"].values()

    assert (group["name"], group["shared"], group["type"]) == (NAME, False, "fcp")
    assert group["description"] == f"OpenStack CPCSubset={HOST}"
    assert group["candidate-adapter-port-uris"] == [
        port.uri for port in groups.settings.storage_ports
    ]
    [volume] = group["storage-volumes"]
    assert (volume["usage"], volume["size"]) == ("boot", 10)


def test_fulfilling_is_waited_for(groups: World) -> None:
    volume = groups.volume(groups.storage.ends(groups.partition).wwpns)
    groups.lab.control.set_duration("fulfil", 0.05)

    properties = boot_properties(groups, volume)

    [group] = groups.lab.control.inventory()["storage-groups"].values()
    assert group["fulfillment-state"] == "complete"
    assert properties["boot-storage-volume"] == group["storage-volumes"][0]["element-uri"]


def test_a_volume_that_is_never_fulfilled_is_given_up(groups: World) -> None:
    volume = groups.volume(groups.storage.ends(groups.partition).wwpns)
    groups.lab.control.set_duration("fulfil", 3600)

    with pytest.raises(StateError, match=r"fulfilled: not so after 3.*it is pending"):
        boot_properties(groups, volume)


def test_a_volume_in_error_is_said(groups: World) -> None:
    volume = groups.volume(groups.storage.ends(groups.partition).wwpns)
    [group] = groups.lab.control.inventory()["storage-groups"].values()
    groups.lab.control.set_duration("fulfil", 3600)
    groups.lab.control.set_properties(
        group["storage-volumes"][0]["element-uri"], {"fulfillment-state": "configuration-error"}
    )

    with pytest.raises(StateError, match="configuration-error; the connection report"):
        boot_properties(groups, volume)


def test_an_operator_s_data_volume_beside_the_boot_volume_is_left_alone(groups: World) -> None:
    wwpns = groups.storage.ends(groups.partition).wwpns
    [group] = groups.lab.control.inventory()["storage-groups"].values()
    boot = group["storage-volumes"][0]["element-uri"]
    groups.hmc.update(
        f"{group['object-uri']}/operations/modify",
        {"storage-volumes": [{"operation": "create", "size": 5, "usage": "data"}]},
    )

    properties = boot_properties(groups, groups.volume(wwpns), groups.new_storage())

    assert properties["boot-storage-volume"] == boot


@pytest.mark.parametrize(
    "operation", ["add-candidate-adapter-ports", "attach-storage-group", "detach-storage-group"]
)
def test_an_operation_whose_answer_was_lost_is_done_once(groups: World, operation: str) -> None:
    groups.storage.remove(groups.partition)
    groups.lab.control.add_fault(Fault("POST", f".*/{operation}", "drop-after"))

    groups.storage.prepare(groups.partition, 10)
    wwpns = groups.storage.ends(groups.partition).wwpns
    groups.storage.remove(groups.partition)

    assert len(wwpns) == 2
    assert not groups.lab.control.inventory()["storage-groups"]
