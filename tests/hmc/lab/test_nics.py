"""NICs: what they hang on, their device numbers, MACs and VLANs."""

from __future__ import annotations

import re
from typing import Any

import pytest

from dpm_lab.hmc import HmcServer
from tests.hmc.lab.client import Lab, refused


def nic(lab: Lab, partition: Any, name: Any = "eth", **properties: Any) -> dict[str, Any]:
    body = {"name": name, "virtual-switch-uri": lab.switch(), **properties}
    return lab.properties(partition.nics.create(body))


def test_a_nic_gets_a_device_number_and_a_mac_that_no_other_has(z16: Lab) -> None:
    one, two = z16.partition("one"), z16.partition("two")

    made = [nic(z16, one, "a"), nic(z16, one, "b"), nic(z16, two, "a")]

    assert [item["device-number"] for item in made] == ["8000", "8003", "8000"]
    macs = {item["mac-address"] for item in made}
    assert len(macs) == 3
    assert all(re.fullmatch(r"02(:[0-9a-f]{2}){5}", mac) for mac in macs)


def test_the_partition_and_the_switch_know_their_nics(z16: Lab) -> None:
    partition = z16.partition()
    switch = z16.cpc.virtual_switches.list()[1]

    made = partition.nics.create({"name": "eth", "virtual-switch-uri": switch.uri})

    assert z16.properties(partition)["nic-uris"] == [made.uri]
    assert [item.uri for item in switch.get_connected_nics()] == [made.uri]
    assert z16.properties(switch)["port"] == 1
    made.delete()
    assert z16.properties(partition)["nic-uris"] == []
    assert switch.get_connected_nics() == []


def test_nics_of_a_partition_that_is_deleted_leave_their_switch(z16: Lab) -> None:
    partition = z16.partition()
    nic(z16, partition)

    partition.delete()

    assert z16.cpc.virtual_switches.list()[0].get_connected_nics() == []


@pytest.mark.parametrize("wanted", ["0001", "fffd", "7ffd"])
def test_a_device_number_that_is_free_can_be_had(z16: Lab, wanted: str) -> None:
    partition = z16.partition()
    nic(z16, partition, "first", **{"device-number": "8000"})

    assert nic(z16, partition, **{"device-number": wanted})["device-number"] == wanted


@pytest.mark.parametrize("wanted", ["8000", "7ffe", "7fff", "8001", "8002"])
def test_three_numbers_of_a_nic_must_be_free(z16: Lab, wanted: str) -> None:
    partition = z16.partition()
    nic(z16, partition, "first", **{"device-number": "8000"})

    with refused(409, 113, "800"):
        nic(z16, partition, "second", **{"device-number": wanted})


@pytest.mark.parametrize("wanted", ["0000", "fffe", "ffff", "12", "xyzw", 5])
def test_what_is_no_device_number_is_refused(z16: Lab, wanted: object) -> None:
    with refused(400, 7, "device-number"):
        nic(z16, z16.partition(), **{"device-number": wanted})


def test_a_device_number_can_change_and_its_old_one_is_free(z16: Lab) -> None:
    partition = z16.partition()
    made = partition.nics.create(
        {"name": "a", "virtual-switch-uri": z16.switch(), "device-number": "0001"}
    )
    nic(z16, partition, "b", **{"device-number": "0010"})

    made.update_properties({"device-number": "0002"})
    with refused(409, 113):
        made.update_properties({"device-number": "000f"})
    made.update_properties({"device-number": "0020"})

    assert nic(z16, partition, "c", **{"device-number": "0001"})["device-number"] == "0001"


def test_a_mac_can_be_given_and_changed(z16: Lab) -> None:
    partition = z16.partition()

    made = partition.nics.create(
        {"name": "a", "virtual-switch-uri": z16.switch(), "mac-address": "0a:00:00:00:00:11"}
    )
    made.update_properties({"mac-address": "0a:00:00:00:00:12"})

    assert z16.properties(made)["mac-address"] == "0a:00:00:00:00:12"


@pytest.mark.parametrize(
    ("mac", "reason"),
    [
        ("0a:00:00:00:00:11", 8),
        ("00:00:00:00:00:11", 7),
        ("0b:00:00:00:00:11", 7),
        ("0A:00:00:00:00:12", 7),
        ("0a0000000012", 7),
    ],
)
def test_a_mac_that_is_taken_or_cannot_be_is_refused(z16: Lab, mac: str, reason: int) -> None:
    one = z16.partition("one")
    nic(z16, one, **{"mac-address": "0a:00:00:00:00:11"})
    two = z16.partition("two")

    with refused(400, reason, "mac-address"):
        nic(z16, two, **{"mac-address": mac})


@pytest.mark.parametrize(
    ("among", "here", "elsewhere"),
    [("machines", False, False), ("partition", False, True), ("no", True, True)],
)
def test_where_a_mac_must_be_unique_can_be_set(
    z16: Lab, among: str, here: bool, elsewhere: bool
) -> None:
    z16.control.set_behaviour(unique_macs=among)
    mac = {"mac-address": "0a:00:00:00:00:11"}
    one, two = z16.partition("one"), z16.partition("two")
    nic(z16, one, "first", **mac)

    for partition, taken in ((one, here), (two, elsewhere)):
        if taken:
            nic(z16, partition, "second", **mac)
        else:
            with refused(400, 8, among):
                nic(z16, partition, "second", **mac)


def test_macs_came_with_api_2_20_and_vlans_with_2_2(z13: Lab, z14: Lab) -> None:
    partition = z13.partition()

    made = partition.nics.create({"name": "a", "virtual-switch-uri": z13.switch()})
    for name, value in (("mac-address", "0a:00:00:00:00:11"), ("vlan-id", 7)):
        with refused(400, 6, name):
            nic(z13, partition, "b", **{name: value})
        with refused(400, 6, name):
            made.update_properties({name: value})

    assert nic(z14, z14.partition(), **{"vlan-id": 7})["vlan-id"] == 7


@pytest.mark.parametrize("vlan", [0, 4095])
def test_a_vlan_is_1_to_4094(z16: Lab, vlan: int) -> None:
    with refused(400, 7, "vlan-id"):
        nic(z16, z16.partition(), **{"vlan-id": vlan})


def test_names_of_nics_are_unique_in_a_partition(z16: Lab) -> None:
    one = z16.partition("one")
    nic(z16, one, "eth")

    nic(z16, z16.partition("two"), "eth")
    with refused(400, 8, "'eth' is taken"):
        nic(z16, one, "eth")


def test_up_to_z16_an_osa_port_has_a_virtual_switch(z16: Lab) -> None:
    partition = z16.partition()

    with refused(400, 5, "virtual-switch-uri"):
        partition.nics.create({"name": "a"})
    with refused(400, 5, "virtual-switch-uri"):
        partition.nics.create({"name": "a", "network-adapter-port-uri": z16.port("OSA-A").uri})
    with refused(404, 2):
        nic(z16, partition, **{"virtual-switch-uri": "/api/virtual-switches/none"})


@pytest.mark.parametrize(
    ("adapter", "kind", "second"),
    [("OSA-A", "osd", "8003"), ("HIPER-A", "iqd", "8003"), ("NETX-01", "neth", "8001")],
)
def test_a_z17_wants_an_adapter_port(z17: Lab, adapter: str, kind: str, second: str) -> None:
    z17.control.set_behaviour(hipersockets_nic="made")
    partition = z17.partition()
    port = z17.port(adapter).uri

    given = {"network-adapter-port-uri": port, "type": kind}
    made = [partition.nics.create({"name": name, **given}) for name in "ab"]

    assert z17.properties(made[0])["type"] == kind
    assert z17.properties(made[1])["device-number"] == second


def test_a_z17_has_no_virtual_switches(z16: Lab, z17: Lab) -> None:
    partition = z17.partition()

    assert z17.cpc.virtual_switches.list() == []
    with refused(400, 5, "network-adapter-port-uri"):
        partition.nics.create({"name": "a"})
    with refused(400, 6, "virtual-switch-uri"):
        partition.nics.create({"name": "a", "virtual-switch-uri": z16.switch()})
    with refused(400, 7, "network adapter"):
        partition.nics.create({"name": "a", "network-adapter-port-uri": z17.port("FCP-A").uri})
    with refused(400, 15, "type"):
        port = z17.port("OSA-A").uri
        partition.nics.create({"name": "a", "network-adapter-port-uri": port, "type": "neth"})


def test_a_z17_has_26_network_express_adapters_of_one_port_each(z17: Lab) -> None:
    hybrid = [
        each
        for each in z17.cpc.adapters.list(full_properties=True)
        if each.prop("adapter-family") == "network-express"
    ]

    assert len(hybrid) == 26
    assert {each.prop("type") for each in hybrid} == {"network-express-hybrid"}
    assert len({each.prop("adapter-id") for each in hybrid}) == 26
    assert {len(each.ports.list()) for each in hybrid} == {1}


def test_a_nic_on_network_express_needs_a_type(z17: Lab) -> None:
    partition = z17.partition()
    given = {"network-adapter-port-uri": z17.port("NETX-26").uri}

    with refused(400, 15, "The field type is required when the backing adapter is of type"):
        partition.nics.create({"name": "a", **given})
    with refused(400, 15, "osd"):
        partition.nics.create({"name": "a", **given, "type": "osd"})
    made = partition.nics.create({"name": "a", **given, "type": "neth", "promiscuous-mode": False})

    assert z17.properties(made)["type"] == "neth"
    with refused(400, 6, "type"):
        made.update_properties({"type": "osh"})
    z17.control.set_behaviour(network_express_wants_type=False)
    assert z17.properties(partition.nics.create({"name": "b", **given}))["type"] == "neth"


def test_the_type_of_a_nic_came_with_the_z17(z16: Lab) -> None:
    with refused(400, 6, "type"):
        nic(z16, z16.partition(), type="osd")


def test_pci_functions_have_device_numbers_of_their_own(z17: Lab) -> None:
    partition = z17.partition()
    express, osa = z17.port("NETX-01").uri, z17.port("OSA-A").uri
    number = {"device-number": "0001"}

    pci = {"network-adapter-port-uri": express, "type": "neth", **number}
    partition.nics.create({"name": "pci", **pci})
    partition.nics.create({"name": "osa", "network-adapter-port-uri": osa, **number})

    with refused(409, 113):
        partition.nics.create({"name": "again", **pci})


def test_with_partition_links_a_z16_fails_and_makes_a_hipersockets_nic_of_another_name() -> None:
    with HmcServer("z16") as hmc:
        lab = Lab(hmc)
        lab.control.set_duration("nic", 60)
        switches = lab.cpc.virtual_switches.list(full_properties=True)
        given = {each.prop("type"): {"virtual-switch-uri": each.uri} for each in switches}
        partition = lab.partition()
        mac = {"mac-address": "0a:00:00:00:00:11", "device-number": "0001"}

        with refused(500, 12):
            partition.nics.create({"name": "eth", **given["hipersockets"], **mac})
        assert lab.properties(partition)["nic-uris"] == []
        lab.control.set_duration("nic", 0)
        with refused(500, 12):
            partition.nics.create({"name": "eth", **given["hipersockets"], **mac})
        partition.nics.create({"name": "other", **given["osd"]})

        partition.pull_full_properties()  # zhmcclient keeps `nic-uris`
        made, other = partition.nics.list(full_properties=True)
        assert other.name == "other"
        assert made.name != "eth"
        assert (made.prop("mac-address"), made.prop("device-number")) == (
            "0a:00:00:00:00:11",
            "0001",
        )
        made.update_properties({"name": "eth", "description": "mine"})
        assert lab.properties(made)["name"] == "eth"
        lab.control.set_behaviour(hipersockets_nic="made")
        partition.nics.create({"name": "last", **given["hipersockets"]})


def test_with_partition_links_a_z17_ignores_the_name_until_nothing_else_is_updated(
    z17: Lab,
) -> None:
    z17.control.set_duration("nic", 0)
    partition = z17.partition()

    with refused(500, 0) as caught:
        port = z17.port("HIPER-A").uri
        partition.nics.create({"name": "eth", "network-adapter-port-uri": port})
    (made,) = partition.nics.list()

    assert "Invalid UUID string:" in caught.value.stack
    for change in ({"name": "eth", "description": "mine"}, {"name": "eth"}):
        made.update_properties(change)
        assert z17.properties(made)["name"] != "eth"
    made.update_properties({"name": "eth"})
    assert z17.properties(made)["name"] == "eth"
    assert z17.properties(made)["description"] == "mine"


def test_nics_do_not_change_while_the_partition_starts(z16: Lab) -> None:
    z16.control.set_duration("start", 60)
    partition = z16.partition()
    made = partition.nics.create({"name": "a", "virtual-switch-uri": z16.switch()})
    partition.start(wait_for_completion=False)

    for change in (
        made.delete,
        lambda: made.update_properties({"description": "new"}),
        lambda: nic(z16, partition, "b"),
    ):
        with refused(409, 1, "starting"):
            change()


def test_a_running_partition_gets_and_loses_nics(z16: Lab) -> None:
    partition = z16.partition()
    z16.start(partition)

    made = partition.nics.create({"name": "a", "virtual-switch-uri": z16.switch()})
    made.update_properties({"virtual-switch-uri": z16.switch(1), "description": "moved"})

    assert z16.cpc.virtual_switches.list()[0].get_connected_nics() == []
    assert len(z16.cpc.virtual_switches.list()[1].get_connected_nics()) == 1
    made.delete()


def test_a_mac_takes_a_z14_whatever_the_hmc_is() -> None:
    """An HMC of a z16 that manages a z13, too; VLANs take the HMC alone."""
    with HmcServer("z16", "z13") as hmc:
        newer, older = (Lab(hmc, name) for name in ("Z16", "Z13"))
        wanted = {"mac-address": "02:00:00:00:00:01"}

        assert nic(newer, newer.partition(), **wanted)["mac-address"] == wanted["mac-address"]
        assert nic(older, older.partition(), "tagged", **{"vlan-id": 7})["vlan-id"] == 7
        with refused(400, 6):
            nic(older, older.partition("other"), **wanted)
