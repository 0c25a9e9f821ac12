"""The card itself behaves as observed on hardware and by the driver's source."""

from __future__ import annotations

import pytest

from dpm_lab.guests.hercules.guest import Guest

_UP = """
echo 0.0.0600,0.0.0601,0.0.0602 > /sys/bus/ccwgroup/drivers/qeth/group
cd /sys/bus/ccwgroup/devices/0.0.0600
%s
"""


def test_a_card_has_two_ports(guest: Guest) -> None:
    result = guest.run(_UP % 'for p in 0 1 2 15; do bash -c "echo $p > portno" || echo no $p; done')

    assert result.output.split("\n")[:-1] == ["no 2", "no 15"]
    assert result.errors.count("Invalid argument") == 2


def test_a_card_refuses_a_mac_that_is_not_locally_administered(guest: Guest) -> None:
    guest.check(_UP % "echo 1 > online; udevadm settle")

    universal = guest.run("ip link set enc600 address 00:11:22:33:44:55")
    multicast = guest.run("ip link set enc600 address 03:11:22:33:44:55")
    local = guest.run("ip link set enc600 address 02:11:22:33:44:55")

    assert (universal.code, multicast.code, local.code) == (2, 2, 0)
    assert "Cannot assign requested address" in universal.errors
    assert "00:11:22:33:44:55 is not authorized" in guest.check("dmesg")


@pytest.mark.parametrize("value", ["0", "1"])
def test_attributes_of_an_online_device_cannot_be_written_not_even_the_same(
    guest: Guest, value: str
) -> None:
    guest.check(_UP % "echo 1 > layer2; echo 1 > portno; echo 1 > online")

    for attribute in ("layer2", "portno"):
        refused = guest.run(
            f"bash -c 'echo {value} > /sys/bus/ccwgroup/devices/0.0.0600/{attribute}'"
        )
        assert "Operation not permitted" in refused.errors, attribute


def test_online_twice_is_refused(guest: Guest) -> None:
    guest.check(_UP % "echo 1 > online")

    refused = guest.run("bash -c 'echo 1 > /sys/bus/ccwgroup/devices/0.0.0600/online'")

    assert "Invalid argument" in refused.errors
