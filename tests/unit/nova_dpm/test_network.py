"""Ports of Neutron, NICs, and what the guest is told."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpm_guest import bootparams
from dpm_guest.ids import Devno, Mac
from nova_dpm.errors import RefusedError
from nova_dpm.network import Nic, wanted_nics
from nova_dpm.network.guest import boot_parameters, says_the_same
from nova_dpm.network.ports import mac_of, port_id_of, wanted_nic

PORT = "0f0f1b2c-0d8c-4a4e-9d1f-0f5f7b1f4a11"
NO_PORTS: list[Any] = [-1, 16, 99, "1_0", "\u0663", 1.0, True, [], 2**70]
NO_VLANS: list[Any] = [-1, 4095, 5000, 2**70, "\u0663", True, {}]
SWITCH = "9a1f5c5e-6c5b-11ee-8c99-0242ac120002"


def vif(number: int = 0, **changed: Any) -> dict[str, Any]:
    """Return a VIF as ``nova.network.model`` has it."""
    return {
        "id": str(uuid.UUID(int=number + 1)),
        "address": f"0a:00:00:00:00:{number:02x}",
        "type": "dpm_vswitch",
        "details": {"object_id": SWITCH},
        **changed,
    }


def nic(number: int, **changed: Any) -> Nic:
    """Return a NIC of the driver's."""
    fields = {
        "uri": f"/nics/{number}",
        "name": f"OpenStack_Port_{number}",
        "mac": Mac.parse(f"0a:00:00:00:00:{number:02x}"),
        "devno": Devno.of(0x1000 + 3 * number),
        "port": 0,
    }
    return Nic(**{**fields, **changed})


def test_a_port_at_a_virtual_switch_is_read() -> None:
    assert wanted_nic(vif(5, details={"object_id": SWITCH, "vlan": 0})).vlan is None

    wanted = wanted_nic(vif(5, details={"object_id": SWITCH, "vlan": "12"}))

    assert (wanted.kind, wanted.object_id, wanted.vlan) == ("dpm_vswitch", SWITCH, 12)
    assert str(wanted.mac) == "0a:00:00:00:00:05"


def test_a_port_at_an_adapter_is_read() -> None:
    wanted = wanted_nic(vif(type="dpm_adapter", details={"object_id": SWITCH, "port": 1}))

    assert (wanted.kind, wanted.port, wanted.vlan) == ("dpm_adapter", 1, None)
    assert (wanted.port_id, wanted.object_id) == (str(uuid.UUID(int=1)), SWITCH)


@pytest.mark.parametrize("nothing", [None, ""])
def test_a_port_without_number_is_the_first_of_its_adapter(nothing: str | None) -> None:
    details = {"object_id": SWITCH, "port": nothing, "vlan": nothing}

    assert wanted_nic(vif(type="dpm_adapter", details=details)).port == 0


@pytest.mark.parametrize("bad", [None, 5, "", "a" * 37, "a/b", "a b", "../x", "\u0663"])
def test_a_port_whose_id_can_be_in_no_name_is_refused(bad: Any) -> None:
    with pytest.raises(RefusedError, match=r"^one of its ports has no id; create"):
        wanted_nic(vif(id=bad))


def test_what_is_no_vif_has_no_id() -> None:
    with pytest.raises(RefusedError, match=r"^one of its ports has no id; create"):
        port_id_of("text")


def test_a_port_s_id_may_be_in_upper_case() -> None:
    assert port_id_of(vif(id=PORT.upper())) == PORT.upper()


def test_a_port_of_another_type_is_refused_with_what_to_do() -> None:
    with pytest.raises(RefusedError) as caught:
        wanted_nic(vif(id=PORT, type="ovs"))

    assert str(caught.value) == (
        f"port {PORT} has vif_type ovs, which no partition can have; an operator checks Neutron's "
        "mechanism driver and agent for the host (it can have dpm_vswitch and dpm_adapter)"
    )


@pytest.mark.parametrize("address", ["0a:00:00:00:00:0g", "", None, 5])
def test_a_port_may_have_no_mac_where_it_is_not_needed(address: Any) -> None:
    assert mac_of(vif(address=address)) is None
    assert mac_of(vif(3)) == "0a:00:00:00:00:03"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"type": "ovs"}, "has vif_type ovs"),
        ({"type": "binding_failed"}, "has vif_type binding_failed"),
        ({"type": None}, "has vif_type None"),
        ({"details": {}}, "no object_id"),
        ({"details": None}, "no object_id"),
        ({"details": {"object_id": ""}}, "no object_id"),
        ({"address": "fa:16:3e:00:00:0g"}, "fa:16:3e:00:00:0g"),
        ({"address": "01:00:5e:00:00:01"}, "multicast"),
        ({"address": "00:16:3e:00:00:01"}, "not locally administered"),
        ({"details": {"object_id": SWITCH, "vlan": "blue"}}, "blue"),
        ({"details": {"object_id": SWITCH, "port": "left"}}, "left"),
        *(
            ({"details": {"object_id": bad}}, "no NIC can have")
            for bad in ("../cpcs", "x?y=z", "a\r\nb", 5, ["x"], SWITCH + "/x")
        ),
        *(({"details": {"object_id": SWITCH, "port": bad}}, "is not 0 to 15") for bad in NO_PORTS),
        *(
            ({"details": {"object_id": SWITCH, "vlan": bad}}, "is not 0 to 4094")
            for bad in NO_VLANS
        ),
        ({"address": None}, "'' is no MAC"),
        ({"address": 5}, "'' is no MAC"),
        ({"details": "text"}, "no object_id"),
    ],
)
def test_a_port_that_can_be_no_nic_is_refused_with_its_id(
    changed: dict[str, Any], why: str
) -> None:
    with pytest.raises(RefusedError, match=why) as caught:
        wanted_nic(vif(**{"id": PORT, **changed}))

    assert PORT in str(caught.value)


def test_two_ports_with_one_mac_are_refused() -> None:
    first, second = (str(uuid.UUID(int=number)) for number in (1, 2))

    with pytest.raises(
        RefusedError, match=f"ports {first} and {second} have the same MAC 0a:00:00:00:00:00"
    ):
        wanted_nics([vif(0), vif(1, address="0A:00:00:00:00:00")])


def test_twelve_nics_fit_and_thirteen_do_not() -> None:
    assert len(wanted_nics([vif(number) for number in range(12)])) == 12
    with pytest.raises(RefusedError, match="do not fit"):
        wanted_nics([vif(number) for number in range(13)])


def test_twelve_nics_fit_on_ports_of_two_digits_too() -> None:
    twelve = [vif(number, details={"object_id": SWITCH, "port": 15}) for number in range(12)]

    assert len(wanted_nics(twelve)) == 12


def test_no_ports_are_no_nics() -> None:
    assert wanted_nics([]) == []
    assert boot_parameters("", []) == ""


def test_what_an_operator_wrote_is_kept() -> None:
    text = boot_parameters("quiet loglevel=3", [nic(0), nic(1, port=1)])

    assert text == "quiet loglevel=3 1000,0,0a0000000000;1003,1,0a0000000001;"


def test_the_form_of_the_old_driver_is_replaced() -> None:
    text = boot_parameters("0001,0,0a0000000000; 0004,0,0a0000000001; quiet", [nic(0)])

    assert text == "quiet 1000,0,0a0000000000;"


def test_nics_of_others_and_those_without_device_number_are_not_told() -> None:
    others = [nic(0, name="operator"), nic(1, devno=None), nic(2)]

    assert boot_parameters("", others) == "1006,0,0a0000000002;"


def test_text_that_leaves_no_room_is_refused() -> None:
    with pytest.raises(RefusedError, match="do not fit"):
        boot_parameters("x" * 240, [nic(0)])


WORDS = st.lists(st.text("abcdefghijklmnopqrstuvwxyz=.", min_size=1, max_size=8), max_size=6)


@given(WORDS, st.lists(st.integers(0, 255), max_size=10, unique=True))
def test_what_is_told_is_what_is_read_and_nothing_else_is_lost(
    words: list[str], numbers: list[int]
) -> None:
    nics = [nic(number) for number in numbers]

    first = boot_parameters(" ".join(words), nics)
    again = boot_parameters(first, nics)
    none = boot_parameters(first, [])

    assert again == first
    assert none.split() == words
    told = {(each.bus_id.devno, each.mac) for each in bootparams.parse(first).nics}
    assert told == {(each.devno, each.mac) for each in nics}


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("1000,0,0a0000000000;1003,0,0a0000000001;", True),
        ("1000,0,0a0000000000; 1003,0,0a0000000001;", True),
        ("1000,0,0a0000000000;1003,1,0a0000000001;", False),
        ("1000,0,0a0000000000;1006,0,0a0000000001;", False),
        ("1000,0,0a0000000000;", False),
        ("1000,0,0a0000000000;1003,0,0a0000000001;1006,0,;", False),
    ],
)
def test_what_says_the_same_in_another_form_is_not_written_anew(other: str, same: bool) -> None:
    assert says_the_same(boot_parameters("", [nic(0), nic(1)]), other) is same
