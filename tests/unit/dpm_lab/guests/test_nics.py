"""NICs as options name them and as the machine gets them."""

from __future__ import annotations

import pytest

from dpm_lab.guests.qemu.nics import NicError, machine_nics, read_nic, read_tuples


def test_a_nic_is_read_with_and_without_its_semicolon() -> None:
    assert read_nic("0001,1,0a0000000011") == read_nic("0001,1,0A0000000011;")


def test_tuples_are_read_as_the_guest_reads_them() -> None:
    assert [str(nic) for nic in read_tuples("0001,1,0a0000000011;0004,0;")] == [
        "0001,1,0a0000000011;",
        "0004,0;",
    ]


@pytest.mark.parametrize("text", ["", "0001", "0001,99", "0001,0,0a00", "eth0", "0001,0;0004,0"])
def test_what_is_no_nic_is_refused(text: str) -> None:
    with pytest.raises(NicError):
        read_nic(text)


def test_the_firmware_mac_is_never_the_wanted_one_unless_asked_for() -> None:
    params = read_tuples("0001,0,0a0000000011;0a00,0;")

    wrong = machine_nics(params)
    right = machine_nics(params, "right")

    assert [nic.firmware_mac for nic in wrong] == ["52:54:00:dd:00:01", "52:54:00:dd:0a:00"]
    assert [nic.firmware_mac for nic in right] == ["0a:00:00:00:00:11", "52:54:00:dd:0a:00"]


def test_a_nic_without_a_mac_wants_the_firmwares() -> None:
    (nic,) = machine_nics(read_tuples("0004,0;"))

    assert nic.wanted_mac == nic.firmware_mac


def test_each_nic_has_a_network_of_its_own() -> None:
    nics = machine_nics(read_tuples("0001,0;0004,0;0007,0;"))

    assert len({nic.network for nic in nics}) == 3
    assert [nic.address for nic in nics] == ["198.18.1.15", "198.18.2.15", "198.18.3.15"]


def test_an_absent_device_is_in_the_parameters_and_not_in_the_machine() -> None:
    nics = machine_nics(read_tuples("0001,0;0A04,0;"), absent=["0A04"])

    assert [nic.present for nic in nics] == [True, False]


def test_an_absent_device_that_no_tuple_names_is_a_mistake() -> None:
    with pytest.raises(NicError, match="0009"):
        machine_nics(read_tuples("0001,0;"), absent=["0009"])
