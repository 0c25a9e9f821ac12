"""NICs as the HMC shows them, beside the ports that they are for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dpm_guest.bootparams import NicParams
from dpm_guest.ids import CcwId, Devno, Mac
from dpm_hmc.answers import Properties
from dpm_hmc.cpc import Cpc
from dpm_hmc.errors import AnswerError
from dpm_hmc.statuses import Status
from nova_dpm.errors import RefusedError
from nova_dpm.network import Nic, WantedNic
from nova_dpm.network.backings import Backing
from nova_dpm.network.compare import Abilities, compare, strays_of
from nova_dpm.network.guest import news, nics_told
from nova_dpm.network.making import nic_body
from nova_dpm.network.nics import devnos_of, with_nic
from nova_dpm.partition import Partition

ALL = Abilities(macs=True, vlans=True)
SWITCH = "9a1f5c5e-6c5b-11ee-8c99-0242ac120002"
OTHER = "9a1f5c5e-6c5b-11ee-8c99-0242ac120003"
HOST = "compute-1"


def mac(number: int) -> Mac:
    return Mac.parse(f"0a:00:00:00:00:{number:02x}")


def port(number: int = 0, **changed: Any) -> WantedNic:
    return replace(WantedNic(f"port-{number}", mac(number), "dpm_vswitch", SWITCH), **changed)


def nic(number: int = 0, **changed: Any) -> Nic:
    """Return the NIC of a port of this number."""
    return replace(
        Nic(
            f"/api/partitions/p/nics/{number}",
            f"OpenStack_Port_port-{number}",
            mac(number),
            Devno.of(0x1000 + 3 * number),
            backing_uri=f"/api/virtual-switches/{SWITCH}",
            hmc_mac=mac(number),
        ),
        **changed,
    )


def operators(number: int, **changed: Any) -> Nic:
    return nic(number, **{"name": "operator", "mac": None, "backing_uri": "", **changed})


def test_nics_that_are_what_their_ports_are_stay_in_their_order() -> None:
    present = [nic(1), operators(7), nic(0)]

    found = compare(present, [port(0), port(1)], ALL)

    assert found.right == tuple(present)
    assert (found.strays, found.stale, found.missing) == ((), (), ())


@pytest.mark.parametrize(
    "changed",
    [
        {"object_id": OTHER},
        {"kind": "dpm_adapter"},
        {"vlan": 7},
        {"mac": mac(9)},
    ],
)
def test_a_nic_that_is_not_what_its_port_is_now_is_made_anew(changed: dict[str, Any]) -> None:
    wanted = port(0, **changed)

    found = compare([nic(0), nic(1)], [port(1), wanted], ALL)

    assert (found.right, found.stale, found.missing) == ((nic(1),), (nic(0),), (wanted,))


def test_a_nic_whose_port_is_gone_goes_and_nothing_comes() -> None:
    found = compare([nic(0), nic(1)], [port(1)], ALL)

    assert (found.right, found.stale, found.missing) == ((nic(1),), (nic(0),), ())


@pytest.mark.parametrize(
    ("changed", "can"),
    [
        ({"hmc_mac": mac(9)}, Abilities(macs=False, vlans=True)),
        ({"hmc_mac": None}, ALL),
        ({"vlan": 7}, Abilities(macs=True, vlans=False)),
        ({"backing_uri": ""}, ALL),
    ],
)
def test_what_the_hmc_cannot_be_told_or_does_not_say_is_not_compared(
    changed: dict[str, Any], can: Abilities
) -> None:
    present = nic(0, **changed)

    assert compare([present], [port(0)], can).right == (present,)


def test_the_guest_is_told_the_mac_of_the_port_whatever_was_promised() -> None:
    [right] = compare([nic(0, mac=mac(9))], [port(0)], ALL).right

    assert right.mac == mac(0)


@pytest.mark.parametrize(
    ("changed", "is_stray"),
    [
        ({}, True),
        ({"is_hipersockets": False}, False),
        ({"hmc_mac": mac(8)}, False),
        ({"hmc_mac": None}, False),
        ({"name": "OpenStack_Port_port-0"}, False),
    ],
)
def test_a_stray_is_on_hipersockets_has_a_port_s_mac_and_no_name_of_ours(
    changed: dict[str, Any], is_stray: bool
) -> None:
    present = operators(0, **{"is_hipersockets": True, **changed})

    found = compare([present], [port(0), port(1)], ALL)

    stays = [each.uri for each in found.right]
    assert (list(found.strays), stays) == (([present], []) if is_stray else ([], [present.uri]))
    assert strays_of([present], [port(1)]) == ()


def test_what_comes_after_a_stray_is_compared_too() -> None:
    stray = operators(0, is_hipersockets=True)

    found = compare([stray, nic(1)], [port(0), port(1)], ALL)

    assert (found.strays, found.right, found.missing) == ((stray,), (nic(1),), (port(0),))


def test_a_port_without_mac_has_no_strays() -> None:
    assert not replace(operators(0), is_hipersockets=True, hmc_mac=None).is_stray_of(None)


@pytest.mark.parametrize(
    ("api_version", "se_version", "macs", "vlans"),
    [
        ((1, 9), "2.13.1", False, False),
        ((2, 1), "2.13.1", False, False),
        ((2, 2), "2.13.1", False, True),
        ((2, 19), "2.14.0", False, True),
        ((2, 20), "2.14.0", True, True),
        ((4, 1), "2.16.0", True, True),
        ((4, 1), "", True, True),
        ((4, 1), "2.13.1", False, True),
    ],
)
def test_a_nic_can_be_told_what_both_hmc_and_se_know(
    api_version: tuple[int, int], se_version: str, macs: bool, vlans: bool
) -> None:
    cpc = Cpc("", "", se_version, 1, 1, None, True, True, api_version)

    assert Abilities.of(cpc) == Abilities(macs, vlans)


def shown(**changed: Any) -> Properties:
    """Return what the HMC shows of a NIC."""
    return {
        "name": "OpenStack_Port_port-0",
        "description": f"OpenStack mac={mac(0)}, CPCSubset={HOST}",
        "device-number": "1A00",
        "mac-address": str(mac(5)).upper(),
        "vlan-id": 12,
        "type": "osd",
        **{name.replace("_", "-"): value for name, value in changed.items()},
    }


ON_SWITCH = Backing("/api/virtual-switches/s", {"virtual-switch-uri": "s"}, 1, is_ccw=True)
TOLD = {"1a00": NicParams(CcwId.parse("1a00"), 1, mac(3))}


def test_a_nic_of_ours_is_read() -> None:
    found = Nic.of("/api/nic", shown(), ON_SWITCH, TOLD)

    name = "OpenStack_Port_port-0"
    wanted = Nic("/api/nic", name, mac(0), Devno("1a00"), 1, ON_SWITCH.uri, 12, mac(5))
    assert found == wanted
    assert found.is_ours
    assert found.is_of("port-0")
    assert not found.is_of("port-")


def test_a_nic_of_ours_without_usable_description_keeps_the_mac_that_was_told() -> None:
    unnamed = shown(description="by hand")

    assert Nic.of("/api/nic", unnamed, ON_SWITCH, TOLD).mac == mac(3)
    assert Nic.of("/api/nic", unnamed, ON_SWITCH, {}).mac is None


@pytest.mark.parametrize(
    ("changed", "backing"),
    [
        ({}, replace(ON_SWITCH, is_ccw=False)),
        ({"device_number": None}, ON_SWITCH),
        ({"device_number": ""}, ON_SWITCH),
    ],
)
def test_a_nic_that_has_no_number_for_the_guest_has_none(
    changed: dict[str, Any], backing: Backing
) -> None:
    found = Nic.of("/api/nic", shown(description="", **changed), backing, TOLD)

    assert (found.devno, found.mac) == (None, None)
    assert devnos_of([found, nic(1)]) == ["1003"]


@pytest.mark.parametrize("vlan", [None, 0])
def test_no_vlan_is_none(vlan: int | None) -> None:
    assert Nic.of("/api/nic", shown(vlan_id=vlan), ON_SWITCH, {}).vlan is None


def test_a_device_number_that_is_none_is_no_answer() -> None:
    with pytest.raises(AnswerError, match="device-number is 'x', and not 4 hex digits"):
        Nic.of("/api/nic", shown(device_number="x"), ON_SWITCH, {})


def test_an_operator_s_nic_is_read_as_far_as_it_matters() -> None:
    found = Nic.foreign("/api/nic", shown(name="operator", type="iqd"))
    nameless = shown(name="x", device_number="none", mac_address=None, description=5)

    assert found == Nic(
        "/api/nic", "operator", None, Devno("1a00"), hmc_mac=mac(5), is_hipersockets=True
    )
    assert not found.is_ours
    assert Nic.foreign("/api/nic", nameless) == Nic("/api/nic", "x", None, None)


def test_a_nic_is_known_by_its_uri() -> None:
    better = nic(0, devno=Devno("2000"))

    assert with_nic([nic(0), nic(1)], better) == [better, nic(1)]
    assert with_nic([nic(1)], better) == [nic(1), better]


def partition(boot_parameters: str) -> Partition:
    return replace(Partition.gone("p"), status=Status.STOPPED, boot_parameters=boot_parameters)


def test_a_guest_is_told_only_what_it_does_not_know() -> None:
    knows = partition("quiet 1000,0,0a0000000000;")

    assert nics_told(knows) == {"1000": NicParams(CcwId.parse("1000"), 0, mac(0))}
    assert news(knows, [nic(0)]) == {}
    assert news(knows, [nic(0), operators(1)]) == {}
    assert news(knows, [nic(1)]) == {"boot-os-specific-parameters": "quiet 1003,0,0a0000000001;"}


def test_boot_parameters_with_damage_are_written_anew() -> None:
    damaged = partition("1000,0,0a0000000000; 1003,99;")

    assert news(damaged, [nic(0)])["boot-os-specific-parameters"].endswith("1000,0,0a0000000000;")


def test_a_new_nic_is_described_as_the_contract_wants_it() -> None:
    assert nic_body(HOST, port(3, vlan=7), ON_SWITCH, ALL) == {
        "name": "OpenStack_Port_port-3",
        "description": f"OpenStack mac={mac(3)}, CPCSubset={HOST}",
        "virtual-switch-uri": "s",
        "mac-address": mac(3),
        "vlan-id": 7,
    }


def test_a_new_nic_is_told_only_what_the_hmc_knows_of_nics() -> None:
    old = Abilities(macs=False, vlans=False)

    assert nic_body(HOST, port(3), ON_SWITCH, old).keys() == {
        "name",
        "description",
        "virtual-switch-uri",
    }
    with pytest.raises(RefusedError, match="port port-3 has VLAN 7, and this HMC knows no VLANs"):
        nic_body(HOST, port(3, vlan=7), ON_SWITCH, old)
