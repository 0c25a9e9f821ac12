"""The imitation behaves as qeth.md says the real driver does: uevents and MAC."""

from __future__ import annotations

import errno

import pytest

from .cards import Card
from .expect import refused
from .machine import Machine

OSA = Card("0600")


# uevents


def test_the_uevents_of_an_online() -> None:
    with Machine([OSA]) as machine:
        machine.bring_online("0600")

        def sequence(source: str) -> list[tuple[str, str]]:
            events = [event for event in machine.events if event.source == source]
            return [(event.action, event.interface) for event in events]

        assert sequence("kernel") == [("add", "eth0"), ("move", "enc600")]
        assert sequence("udev") == [("add", "enc600"), ("move", "enc600")]
        add = machine.announced("0600")
        expected = {
            "INTERFACE": "enc600",
            "INTERFACE_OLD": "eth0",
            "ID_RENAMING": "1",
            "ID_PATH": "ccwgroup-0.0.0600",
            "ID_NET_DRIVER": "qeth_l2",
        }
        assert {name: add.properties.get(name) for name in expected} == expected
        assert add.properties["DEVPATH"].endswith("/net/enc600")


def test_a_virtio_nic_has_its_interface_from_the_start_with_the_mac_of_firmware() -> None:
    with Machine([Card("0001", kind="virtio", mac="52:54:00:00:00:07")]) as machine:
        assert machine.interface("0001") == "enc1"
        assert machine.mac("0001") == "52:54:00:00:00:07"
        device = machine.sys / "bus/ccw/devices/0.0.0001"
        assert (device / "cutype").read_text() == "3832/01\n"
        assert (device / "virtio0/net/enc1").samefile(machine.sys / "class/net/enc1")
        add = machine.announced("0001")
        assert add.properties["ID_PATH"] == "ccw-0.0.0001"
        with refused(errno.EINVAL):
            machine.write("bus/ccwgroup/drivers/qeth/group", "0.0.0001,0.0.0002,0.0.0003")


# MAC


def test_the_first_mac_is_random_and_udev_overwrites_it_with_a_persistent_one() -> None:
    """The same card on the same machine gets the same address each time, so it is not the first
    one, and the kernel says that somebody set it (NET_ADDR_SET is 3)."""
    with Machine([OSA]) as machine:
        machine.bring_online("0600")
        first = machine.mac("0600")
        assert machine.link("0600", "addr_assign_type") == "3"
    with Machine([OSA]) as machine:
        machine.bring_online("0600")
        assert machine.mac("0600") == first


def test_without_udev_the_mac_is_marked_as_random_and_the_name_as_the_kernels() -> None:
    """NET_ADDR_RANDOM is 1, NET_NAME_ENUM is 1: what udev's policies act on."""
    with Machine([OSA]) as machine:
        machine.shell("udevadm control --stop-exec-queue")
        machine.group("0600")
        machine.set("0600", "online", 1)

        assert machine.interface("0600") == "eth0"
        assert machine.link("0600", "addr_assign_type") == "1"
        assert machine.link("0600", "name_assign_type") == "1"


def test_a_link_file_makes_udev_set_mac_and_name_again_and_again() -> None:
    with Machine([OSA]) as machine:
        machine.path("/run/systemd/network/70-dpm-0600.link").write_text(
            "[Match]\nPath=ccwgroup-0.0.0600\n[Link]\n"
            "NamePolicy=keep kernel database onboard slot path\nMACAddress=0a:00:00:00:00:11\n"
        )
        assert machine.shell("udevadm control --reload").rc == 0
        machine.bring_online("0600")
        assert machine.mac("0600") == "0a:00:00:00:00:11"

        machine.set("0600", "online", 0)
        machine.set("0600", "ungroup", 1)
        machine.regroup("0600")
        machine.set("0600", "online", 1)
        machine.wait_for_udev("0600", times=2)

        assert machine.mac("0600") == "0a:00:00:00:00:11"
        assert machine.interface("0600") == "enc600"


@pytest.mark.parametrize("mac", ["01:00:00:00:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"])
@pytest.mark.parametrize("up", [False, True])
def test_multicast_broadcast_and_zero_are_refused(mac: str, up: bool) -> None:
    with Machine([Card("0600", start="online", up=up)]) as machine:
        before = machine.mac("0600")

        result = machine.shell(f"ip link set enc600 address {mac}")

        assert "Cannot assign requested address" in result.stderr
        assert machine.mac("0600") == before


def test_a_mac_is_set_with_the_link_up_or_down_and_twice() -> None:
    with Machine([Card("0600", start="online", up=True)]) as machine:
        for state in ("up", "down"):
            for _ in range(2):
                line = f"ip link set enc600 {state} address 0a:00:00:00:00:11"
                assert machine.shell(line).rc == 0
        assert machine.mac("0600") == "0a:00:00:00:00:11"


def test_udev_applies_the_link_file_again_when_it_processes_the_rename() -> None:
    """Seen here with udev 252: an address that is set between ``add`` and ``move`` does not last
    against a ``MACAddress=``, so only after the ``move`` has udev really finished."""
    with Machine([Card("0600", overwrite_mac="0a:00:00:00:00:99")]) as machine:
        machine.path("/run/systemd/network/70-dpm-0600.link").write_text(
            "[Match]\nPath=ccwgroup-0.0.0600\n[Link]\nNamePolicy=path\n"
            "MACAddress=0a:00:00:00:00:11\n"
        )
        machine.shell("udevadm control --reload")
        machine.bring_online("0600")

        assert machine.mac("0600") == "0a:00:00:00:00:11"
