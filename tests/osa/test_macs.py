"""MACs stay what they were set to, whatever udev does with new interfaces."""

from __future__ import annotations

import pytest

from dpm_lab.guests import tuples
from dpm_lab.guests.hercules.guest import Guest
from tests.osa.nics import MACS, NICS, assert_as_wanted, colons, states

#: A race is lost now and then: the more rounds, the surer.
ROUNDS = (8, pytest.param(60, marks=pytest.mark.long))
#: Half of the rounds begin like a boot, without the .link file of the round before.
_ROUND = """
for round in $(seq {rounds}); do
    [ $((round % 2)) = 0 ] || {{ rm -f /run/systemd/network/*; udevadm control --reload; }}
    dpm-guest configure {nic} >/dev/null 2>&1 || echo "round $round: exit code $?"
    udevadm settle
    cat /sys/bus/ccwgroup/devices/{nic}/net/*/address
    echo 0 > /sys/bus/ccwgroup/devices/{nic}/online
    echo 1 > /sys/bus/ccwgroup/devices/{nic}/ungroup
done
"""


@pytest.mark.parametrize("rounds", ROUNDS)
def test_no_mac_is_lost_when_a_device_is_grouped_anew(guest: Guest, rounds: int) -> None:
    macs = guest.check(_ROUND.format(rounds=rounds, nic=NICS[0].bus_id)).split()

    assert macs == [colons(MACS[0])] * rounds


def test_udev_has_a_mac_of_its_own_for_an_interface_that_nobody_told_it_about(
    guest: Guest,
) -> None:
    """What the agent is up against: without this the other tests would show nothing."""
    guest.check(
        "echo 0.0.0603,0.0.0604,0.0.0605 > /sys/bus/ccwgroup/drivers/qeth/group;"
        "echo 1 > /sys/bus/ccwgroup/devices/0.0.0603/online; udevadm settle"
    )

    first = guest.check("dmesg | sed -n 's/.*0603: MAC address \\(.*\\) succ.*/\\1/p' | tail -n 2")

    kernels, udevs = first.split()
    assert kernels != udevs == states(guest)["0.0.0603"].mac


def test_interfaces_keep_the_names_that_the_distribution_gives(guest: Guest) -> None:
    guest.check("dpm-guest configure")

    found = assert_as_wanted(guest)

    assert [found[nic.bus_id].interface for nic in NICS] == ["enc600", "enc603", "enc606", "enc609"]


def test_macs_survive_offline_online_and_recover(guest: Guest) -> None:
    guest.check("dpm-guest configure")

    guest.check(
        "cd /sys/bus/ccwgroup/devices/0.0.0600; echo 0 > online; echo 1 > online;"
        "cd ../0.0.0603; echo 1 > recover; sleep 2; udevadm settle"
    )

    assert_as_wanted(guest)


def test_setmac_mends_a_mac_by_bus_id_and_by_interface(guest: Guest) -> None:
    guest.check("dpm-guest configure")
    guest.check("ip link set enc600 address 0a:ff:ff:ff:ff:01")
    guest.check("ip link set enc603 address 0a:ff:ff:ff:ff:02")

    guest.check("dpm-guest setmac 0600; dpm-guest setmac enc603")

    assert_as_wanted(guest)


def test_the_mac_of_a_bonds_port_is_the_bonds_and_stays(guest: Guest) -> None:
    guest.check("dpm-guest configure")
    guest.check(
        "modprobe bonding && ip link add bond9 type bond mode active-backup && udevadm settle;"
        "ip link set enc603 down master bond9"
    )
    before = states(guest)
    assert before["0.0.0603"].mac != colons(MACS[1])

    status, configured = guest.run("dpm-guest status"), guest.run("dpm-guest configure")
    set_by_hand = guest.run("dpm-guest setmac enc603")
    after = states(guest)
    guest.check("ip link del bond9")

    assert (status.code, configured.code, set_by_hand.code) == (0, 0, 0), status.output
    assert "port of bond9" in status.output
    assert "port of bond9" in configured.errors
    assert after == before
    assert_as_wanted(guest)


def test_a_mac_that_another_nic_of_the_card_has_is_said_with_its_cure(guest: Guest) -> None:
    """Two partitions with one MAC, such as a server that was evacuated and is still there."""
    guest.check("dpm-guest configure 0600")
    guest.put("/run/cmdline", tuples([NICS[1].asking(0, MACS[0])]))

    result = guest.run("dpm-guest --cmdline /run/cmdline configure")

    assert result.code == 1
    assert "Address already in use (EADDRINUSE); another partition" in result.errors
    assert states(guest)[NICS[1].bus_id].online
