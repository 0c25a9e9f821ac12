"""``dpm-guest setmac`` gives one interface its MAC, by whichever name it is called."""

from __future__ import annotations

import pytest

from .cards import Card
from .machine import Machine

MAC = "0a:00:00:00:00:11"
TUPLES = "0600,1,0a0000000011;0001,0,0a0000000012;0700,0;"
OSA = Card("0600", start="online", portno=1)
VIRTIO = Card("0001", kind="virtio")


@pytest.mark.parametrize(
    ("name", "devno", "mac"),
    [
        ("0.0.0600", "0600", MAC),
        ("0600", "0600", MAC),
        ("enc600", "0600", MAC),
        ("0.0.0001", "0001", "0a:00:00:00:00:12"),
        ("0001", "0001", "0a:00:00:00:00:12"),
        ("enc1", "0001", "0a:00:00:00:00:12"),
    ],
)
def test_a_nic_is_known_by_bus_id_device_number_and_interface(
    name: str, devno: str, mac: str
) -> None:
    with Machine([OSA, VIRTIO]) as machine:
        other = {"0600": "0001", "0001": "0600"}[devno]
        before = machine.mac(other)

        result = machine.run("setmac", name, tuples=TUPLES)

        assert result.rc == 0, result.output
        assert machine.mac(devno) == mac
        assert mac in result.output
        assert machine.mac(other) == before
        assert machine.writes == []


def test_an_interface_that_has_another_name_is_found_by_it() -> None:
    with Machine([OSA]) as machine:
        assert machine.shell("ip link set enc600 name lan0").rc == 0
        machine.wait(lambda: machine.interface("0600") == "lan0")

        result = machine.run("setmac", "lan0", tuples=TUPLES)

        assert result.rc == 0, result.output
        assert machine.mac("0600") == MAC


def test_it_works_with_the_link_up_and_keeps_it_up() -> None:
    with Machine([Card("0600", start="online", portno=1, up=True)]) as machine:
        result = machine.run("setmac", "0600", tuples=TUPLES)

        assert result.rc == 0, result.output
        assert machine.mac("0600") == MAC
        assert int(machine.link("0600", "flags"), 16) & 1


def test_a_second_time_changes_nothing_and_is_right() -> None:
    with Machine([OSA]) as machine:
        for _ in range(2):
            assert machine.run("setmac", "0600", tuples=TUPLES).rc == 0

        assert machine.mac("0600") == MAC


def test_a_tuple_without_mac_leaves_the_interface_as_it_is() -> None:
    with Machine([Card("0700", start="online")]) as machine:
        before = machine.mac("0700")

        result = machine.run("setmac", "0700", tuples=TUPLES)

        assert result.rc == 0, result.output
        assert machine.mac("0700") == before


@pytest.mark.parametrize("name", ["0.0.0900", "0900", "enc900", "lo"])
def test_what_is_no_nic_of_the_command_line_is_refused_by_name(name: str) -> None:
    with Machine([OSA, Card("0900", start="absent")]) as machine:
        result = machine.run("setmac", name, tuples=TUPLES)

        assert result.rc == 1
        assert name in result.output


def test_a_nic_without_an_interface_is_refused() -> None:
    with Machine([Card("0600", start="grouped")]) as machine:
        result = machine.run("setmac", "0600", tuples=TUPLES)

        assert result.rc == 1
        assert "0.0.0600" in result.output
        assert machine.writes == []


@pytest.mark.parametrize("mac", ["010000000011", "ffffffffffff", "000000000000", "020000000000"])
def test_only_a_locally_administered_unicast_mac_is_set(mac: str) -> None:
    with Machine([OSA]) as machine:
        before = machine.mac("0600")

        result = machine.run("setmac", "0600", tuples=f"0600,1,{mac};")

        good = mac == "020000000000"
        assert result.rc == (0 if good else 1), result.output
        assert machine.mac("0600") == ("02:00:00:00:00:00" if good else before)


def test_a_dry_run_says_it_and_does_nothing() -> None:
    with Machine([OSA]) as machine:
        before = machine.mac("0600")

        result = machine.run("setmac", "0600", "--dry-run", tuples=TUPLES)

        assert result.rc == 1
        assert MAC in result.output
        assert machine.mac("0600") == before


def test_a_nic_must_be_named() -> None:
    with Machine([OSA]) as machine:
        assert machine.run("setmac", tuples=TUPLES).rc == 2
