"""Real boots, with systemd as process 1, our unit and our rule, and all that comes with a boot.

Two boots of different releases. The first one waits for what does not come: a card that never
answers, and a NIC that is plugged in only later.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from dpm_lab.osa.cards import Nic
from dpm_lab.osa.guest import Configuration, Guest
from tests.osa.nics import NICS, TUPLES, assert_as_wanted, states

pytestmark = [pytest.mark.osa, pytest.mark.slow]

SILENT = Nic(0x0700, silent=True)
LATER = Nic(0x0900, delay=1.0)
LATER_MAC = "0a0000000019"
_UNTIL_DONE = (
    'until [ "$(systemctl is-active dpm-guest.service)" != activating ]; do sleep 1; done;'
    "systemctl is-active network-pre.target multi-user.target"
)


@pytest.fixture(scope="module")
def guests() -> Iterator[dict[str, Guest]]:
    """Both guests, which boot at the same time.

    Debian 12: a silent card among four, default names. Debian 13: all devices ignored, the kernel's
    own names.
    """
    parameters = TUPLES.replace(NICS[3].tuple(0, "0a0000000014"), "")
    parameters += SILENT.tuple(0, "0a0000000017") + LATER.tuple(1, LATER_MAC)
    bookworm = Configuration((*NICS[:3], SILENT), parameters, init="systemd")
    parameters = f"cio_ignore=all net.ifnames=0 {TUPLES}"
    trixie = Configuration(NICS, parameters, release="trixie", init="systemd")
    with ExitStack() as stack:
        found = {made.release: Guest(made) for made in (bookworm, trixie)}
        for guest in found.values():
            stack.callback(guest.close)
            guest.start()
        for guest in found.values():
            guest.boot()
        for guest in found.values():
            guest.run(_UNTIL_DONE)
        yield found


@pytest.fixture
def bookworm(guests: dict[str, Guest]) -> Guest:
    """Debian 12."""
    return guests["bookworm"]


@pytest.fixture
def trixie(guests: dict[str, Guest]) -> Guest:
    """Debian 13."""
    return guests["trixie"]


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


@pytest.mark.parametrize("release", ["bookworm", "trixie"])
def test_network_pre_is_reached_only_after_the_nics_are_up(
    release: str, guests: dict[str, Guest]
) -> None:
    guest = guests[release]

    # A unit that failed went inactive; one that succeeded remains active.
    ended = max(
        _since_boot(guest, "dpm-guest.service", "ActiveEnterTimestamp"),
        _since_boot(guest, "dpm-guest.service", "InactiveEnterTimestamp"),
    )

    assert 0 < ended <= _since_boot(guest, "network-pre.target", "ActiveEnterTimestamp")


def test_a_nic_that_is_plugged_in_comes_up_by_the_rule(bookworm: Guest) -> None:
    assert LATER.bus_id not in states(bookworm)

    bookworm.plug(LATER)

    unit = f"dpm-guest@{LATER.bus_id}.service"
    bookworm.run(
        f"for i in $(seq 60); do journalctl -b -u {unit} -o cat | grep -q configured && break;"
        " sleep 1; done; udevadm settle"
    )
    state = states(bookworm)[LATER.bus_id]
    assert (state.port, state.online, state.mac) == (1, True, "0a:00:00:00:00:19")


def test_a_nic_that_was_ungrouped_and_grouped_gets_its_mac_back(bookworm: Guest) -> None:
    path = f"/sys/bus/ccwgroup/devices/{NICS[0].bus_id}"
    bookworm.check(f"echo 0 > {path}/online; echo 1 > {path}/ungroup; udevadm settle")

    bookworm.check(
        "until echo 0.0.0600,0.0.0601,0.0.0602 > /sys/bus/ccwgroup/drivers/qeth/group;"
        " do sleep 0.1; done 2>/dev/null;"
        f"for i in $(seq 60); do [ -e {path}/net ] && [ $(cat {path}/portno) = 1 ] && break;"
        " sleep 1; done;"
        "udevadm settle"
    )

    assert_as_wanted(bookworm, NICS[:1])


def test_debian_13_with_all_devices_ignored_and_kernel_names(trixie: Guest) -> None:
    found = assert_as_wanted(trixie)

    assert sorted(found[nic.bus_id].interface for nic in NICS) == ["eth0", "eth1", "eth2", "eth3"]
    assert trixie.check("uname -r").startswith("6.12.")
    assert trixie.run("systemctl is-active dpm-guest.service").output.strip() == "active"
