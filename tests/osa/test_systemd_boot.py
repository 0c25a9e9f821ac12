"""Real boots, with systemd as process 1, our unit and our rule, and all that comes with a boot.

Two boots of different releases, the second one in the long tests. The first one waits for what does
not come: a card that does not answer, and a NIC that is plugged in only later. It has a NIC, too,
that nobody names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from dpm_lab.guests import tuples
from dpm_lab.guests.hercules.base import ANY_NEWER
from dpm_lab.guests.hercules.cards import Nic
from dpm_lab.guests.hercules.guest import Configuration, Guest
from tests import notes
from tests.osa.nics import NICS, TUPLES, State, assert_as_wanted, colons, states

LATER_MAC = "0a0000000019"
SILENT = Nic.parse("0700,silent").asking(0, "0a0000000017")
LATER = Nic.parse("0900,delay=1").asking(1, LATER_MAC)
UNNAMED = Nic.parse("0a00")
LATER_UNNAMED = Nic.parse("1003")
_PLAIN = "--quiet --plain --no-legend"
_UNTIL_DONE = (
    'until [ "$(systemctl is-active dpm-guest.service)" != activating ]; do sleep 1; done;'
    "systemctl is-active network-pre.target multi-user.target"
)


def _booted(made: Configuration) -> Iterator[Guest]:
    guest = Guest(made)
    try:
        notes.add(f"a guest with qeth devices under systemd: Debian {guest.made_of}")
        guest.start()
        guest.boot()
        guest.run(_UNTIL_DONE)
        yield guest
    finally:
        guest.close()


@pytest.fixture(scope="module")
def bookworm() -> Iterator[Guest]:
    """Debian 12: a silent card among four, default names."""
    nics = (*NICS[:3], SILENT, UNNAMED)
    parameters = tuples((*NICS[:3], SILENT, LATER))
    yield from _booted(Configuration(nics, parameters, init="systemd"))


@pytest.fixture(scope="module")
def newer() -> Iterator[Guest]:
    """Debian 13, or what there is that is newer than Debian 12.

    All devices ignored, the kernel's own names, and only udev to load the driver.
    """
    parameters = f"cio_ignore=all net.ifnames=0 systemd.mask=modprobe@qeth.service {TUPLES}"
    yield from _booted(Configuration(NICS, parameters, release=ANY_NEWER, init="systemd"))


def _since_boot(guest: Guest, unit: str, what: str) -> int:
    """Microseconds at which a unit came to a state."""
    return int(guest.check(f"systemctl show --value --property={what}Monotonic {unit}"))


def test_a_silent_card_costs_only_itself(bookworm: Guest) -> None:
    assert_as_wanted(bookworm, NICS[:3])
    assert not states(bookworm)[SILENT.bus_id].online
    said = bookworm.check("journalctl -b -u dpm-guest.service --output=cat")
    assert f"{SILENT.bus_id}: bringing it online" in said


def test_the_boot_goes_on_in_spite_of_a_silent_card(bookworm: Guest) -> None:
    active = bookworm.run("systemctl is-active network-pre.target multi-user.target").output

    assert active.split() == ["active", "active"]


@pytest.mark.parametrize("release", ["bookworm", pytest.param("newer", marks=pytest.mark.long)])
def test_network_pre_is_reached_only_after_the_nics_are_up(
    release: str, request: pytest.FixtureRequest
) -> None:
    guest: Guest = request.getfixturevalue(release)

    # A unit that failed went inactive; one that succeeded remains active.
    ended = max(
        _since_boot(guest, "dpm-guest.service", "ActiveEnterTimestamp"),
        _since_boot(guest, "dpm-guest.service", "InactiveEnterTimestamp"),
    )

    assert 0 < ended <= _since_boot(guest, "network-pre.target", "ActiveEnterTimestamp")


def _wait_until(guest: Guest, condition: str, seconds: int = 60) -> None:
    """Until a command succeeds, or that long; what is expected then is for the test to see."""
    guest.run(f"for i in $(seq {seconds}); do {condition} && break; sleep 1; done")


def _wait_until_online(guest: Guest, bus_id: str) -> State:
    """Until a device is online and udev has nothing left to do."""
    path = f"/sys/bus/ccwgroup/devices/{bus_id}"
    _wait_until(guest, f"[ -e {path}/net ] && [ $(cat {path}/online) = 1 ]", seconds=240)
    guest.run("udevadm settle")
    return states(guest)[bus_id]


def test_a_nic_that_nobody_names_at_boot_is_brought_up_in_the_background(bookworm: Guest) -> None:
    state = _wait_until_online(bookworm, UNNAMED.bus_id)

    assert (state.layer2, state.port, state.online) == (1, 0, True)
    # It is said when the try is over, which the silent card keeps waiting.
    said = "journalctl -b -u dpm-guest-retry.service --output=cat"
    line = f"{UNNAMED.bus_id} enca00: port 0"
    bookworm.check(f"for i in $(seq 120); do {said} | grep '{line}' && exit; sleep 1; done; exit 1")


def test_a_nic_that_nobody_names_and_that_is_plugged_in_comes_up_by_the_rule(
    bookworm: Guest,
) -> None:
    bookworm.plug(LATER_UNNAMED)

    state = _wait_until_online(bookworm, LATER_UNNAMED.bus_id)
    assert (state.layer2, state.port, state.interface) == (1, 0, "enc1003")
    assert not {"0.0.1004", "0.0.1005"} & set(states(bookworm))
    assert "failed" not in bookworm.run("systemctl is-failed 'dpm-guest@*'").output


def test_a_nic_that_is_plugged_in_comes_up_by_the_rule(bookworm: Guest) -> None:
    assert LATER.bus_id not in states(bookworm)

    bookworm.plug(LATER)

    unit = f"dpm-guest@{LATER.bus_id}.service"
    _wait_until(bookworm, f"journalctl -b -u {unit} -o cat | grep -q configured")
    bookworm.run("udevadm settle")
    state = states(bookworm)[LATER.bus_id]
    assert (state.port, state.online, state.mac) == (1, True, "0a:00:00:00:00:19")


def test_a_nic_that_was_ungrouped_and_grouped_gets_its_mac_back(bookworm: Guest) -> None:
    path = f"/sys/bus/ccwgroup/devices/{NICS[0].bus_id}"
    bookworm.check(f"echo 0 > {path}/online; echo 1 > {path}/ungroup; udevadm settle")

    bookworm.check(
        "until echo 0.0.0600,0.0.0601,0.0.0602 > /sys/bus/ccwgroup/drivers/qeth/group;"
        " do sleep 0.1; done 2>/dev/null"
    )
    _wait_until(bookworm, f"[ -e {path}/net ] && [ $(cat {path}/portno) = 1 ]")

    assert_as_wanted(bookworm, NICS[:1])


def test_a_silent_card_is_tried_again_until_it_is_repaired(bookworm: Guest) -> None:
    """The last test of this guest: the boot's unit is active again, its network is as wanted."""
    unit = "dpm-guest-retry.service"
    assert bookworm.check(f"systemctl is-active {unit}") == "active\n"
    assert f"{SILENT.bus_id}" in bookworm.check(f"systemctl show --property=StatusText {unit}")
    assert bookworm.run("systemctl is-failed dpm-guest.service").code == 0

    for _ in range(20):
        bookworm.change(replace(SILENT, silent=False))
        bookworm.run("sleep 6")
        if states(bookworm)[SILENT.bus_id].online:
            break

    state = _wait_until_online(bookworm, SILENT.bus_id)
    assert (state.port, state.mac) == (0, colons("0a0000000017"))
    _wait_until(bookworm, f"! systemctl -q is-active {unit}")
    assert bookworm.run(f"systemctl is-active {unit}").output == "inactive\n"
    _wait_until(bookworm, "systemctl -q is-active dpm-guest")
    assert bookworm.check("systemctl is-active dpm-guest.service") == "active\n"
    assert bookworm.check(f"systemctl list-units --failed {_PLAIN} 'dpm-guest*'") == ""


@pytest.mark.long
def test_a_newer_debian_with_all_devices_ignored_and_kernel_names(newer: Guest) -> None:
    found = assert_as_wanted(newer)

    assert sorted(found[nic.bus_id].interface for nic in NICS) == ["eth0", "eth1", "eth2", "eth3"]
    kernel = newer.check("uname -r")
    assert [int(part) for part in kernel.split(".")[:2]] >= [6, 12], kernel
    _wait_until(newer, "systemctl -q is-active dpm-guest")
    assert newer.run("systemctl is-active dpm-guest.service").output.strip() == "active"
