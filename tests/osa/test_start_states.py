"""The agent and the true qeth driver: whatever a device's state is, it ends as it is wanted."""

from __future__ import annotations

import json

import pytest

from dpm_lab.guests import tuples
from dpm_lab.guests.hercules.guest import Guest
from tests.osa.nics import NICS, assert_as_wanted, states

_IDS = " ".join(nic.bus_id for nic in NICS)
_GROUP = """
for first in %s; do
    number=$(printf '%%d' "0x${first##*.}")
    echo "$first,$(printf '0.0.%%04x,0.0.%%04x' $((number + 1)) $((number + 2)))" \
        > /sys/bus/ccwgroup/drivers/qeth/group
    cd /sys/bus/ccwgroup/devices/$first
    %s
done
udevadm settle
"""


def in_state(guest: Guest, steps: str) -> None:
    """Group all NICs by hand and do something with each."""
    guest.check(_GROUP % (_IDS, steps))


STATES = {
    "grouped and offline": "true",
    "online on a port that is wrong for half of them": (
        "echo 1 > layer2; echo 0 > portno; echo 1 > online"
    ),
    "online in layer 3": "echo 0 > layer2; echo 1 > online",
    "set to layer 3, offline": "echo 0 > layer2",
    "brought up by firmware, layer not chosen": "echo 1 > online",
    "brought up and used": "echo 1 > online; udevadm settle; ip link set $(ls net) up",
    "was online once": "echo 1 > layer2; echo 1 > online; udevadm settle; echo 0 > online",
}


def test_nics_that_are_not_grouped_come_up(guest: Guest) -> None:
    result = guest.run("dpm-guest configure")

    assert result.code == 0, result.errors
    assert_as_wanted(guest)


@pytest.mark.parametrize("steps", STATES.values(), ids=STATES.keys())
def test_nics_end_as_wanted_from(guest: Guest, steps: str) -> None:
    in_state(guest, steps)

    result = guest.run("dpm-guest configure")

    assert result.code == 0, result.errors
    assert_as_wanted(guest)
    assert json.loads(guest.check("dpm-guest status --json"))["ok"]


def test_nics_that_are_right_are_not_touched(guest: Guest) -> None:
    guest.check("dpm-guest configure")
    before = assert_as_wanted(guest)
    uevents = guest.check("cat /sys/kernel/uevent_seqnum")

    result = guest.run("dpm-guest configure")

    assert result.code == 0
    assert result.errors.count("already right") == len(NICS)
    assert states(guest) == before
    assert guest.check("cat /sys/kernel/uevent_seqnum") == uevents


def test_a_nic_with_the_right_port_keeps_its_interface_while_its_mac_is_mended(
    guest: Guest,
) -> None:
    in_state(guest, "echo 1 > layer2; echo 1 > online")
    before = states(guest)
    assert not before[NICS[1].bus_id].mac.startswith("0a:00:00")

    guest.check("dpm-guest configure")

    after = assert_as_wanted(guest)
    assert after[NICS[1].bus_id].ifindex == before[NICS[1].bus_id].ifindex


def test_nics_that_are_ignored_are_freed(guest: Guest) -> None:
    last = NICS[-1].bus_id.triple[-1]
    guest.check(
        f"echo add {NICS[0].bus_id}-{last} > /proc/cio_ignore;"
        " echo purge > /proc/cio_ignore; udevadm settle"
    )
    assert guest.run(f"ls -d /sys/bus/ccw/devices/{NICS[0].bus_id}").code != 0

    result = guest.run("dpm-guest configure")

    assert result.code == 0, result.errors
    assert_as_wanted(guest)


def test_a_port_that_the_card_does_not_have_is_said_and_costs_only_its_nic(guest: Guest) -> None:
    asked = (NICS[0].asking(7, "0a0000000011"), NICS[1].asking(0, "0a0000000012"))
    guest.put("/run/cmdline", tuples(asked))

    result = guest.run("dpm-guest --cmdline /run/cmdline configure")

    assert result.code == 1
    assert "setting port 7 failed: Invalid argument (EINVAL)" in result.errors
    assert_as_wanted(guest, NICS[1:2])


def test_a_mac_that_no_card_takes_is_said_and_the_nic_is_up_all_the_same(guest: Guest) -> None:
    guest.put("/run/cmdline", tuples([NICS[1].asking(0, "001122334455")]))

    result = guest.run("dpm-guest --cmdline /run/cmdline configure")

    assert result.code == 1
    assert "no card takes it" in result.errors
    assert states(guest)[NICS[1].bus_id].online
