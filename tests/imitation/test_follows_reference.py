"""The imitation behaves as qeth.md says the real driver does.

Here the sections before grouping, group, and layer2, portno, online; uevents and MAC are in
``test_follows_reference_links``.
"""

from __future__ import annotations

import errno
import time

import pytest

from .cards import Card
from .channel import APPEARS_AFTER
from .expect import refused
from .machine import Machine

OSA = Card("0600")
TRIPLE = "0.0.0600,0.0.0601,0.0.0602"
LINKS = "cdev0 cdev1 cdev2 driver subsystem"
ATTRIBUTES = (
    "buffer_count card_type chpid hw_trap if_name inbuf_size isolation layer2 online "
    "performance_stats portname portno priority_queueing recover state switch_attrs uevent ungroup"
)
GROUP = "bus/ccwgroup/drivers/qeth/group"


# Before grouping


def test_there_is_no_ccwgroup_bus_until_a_module_brings_it() -> None:
    with Machine([OSA], modules_loaded=()) as machine:
        assert not (machine.sys / "bus/ccwgroup").exists()
        with refused(errno.ENOENT):
            machine.write(GROUP, TRIPLE)

        assert machine.shell("modprobe ccwgroup").rc == 0

        assert not list((machine.sys / "bus/ccwgroup/drivers").iterdir())
        with refused(errno.ENOENT):
            machine.write(GROUP, TRIPLE)


def test_modprobe_qeth_brings_the_driver_and_no_device() -> None:
    with Machine([OSA], modules_loaded=()) as machine:
        assert machine.shell("modprobe qeth").rc == 0

        driver = machine.sys / "bus/ccwgroup/drivers/qeth"
        assert {entry.name for entry in driver.iterdir()} == {
            "bind",
            "group",
            "module",
            "uevent",
            "unbind",
        }
        assert not list((machine.sys / "bus/ccwgroup/devices").iterdir())
        assert machine.modules == ["ccwgroup", "qdio", "qeth"]


def test_a_missing_module_is_reported_in_the_words_of_modprobe() -> None:
    with Machine([OSA], modules_loaded=(), modules_missing=("qdio",)) as machine:
        result = machine.shell("modprobe qeth")

        assert result.rc == 1
        assert "FATAL: Module qeth not found" in result.stderr
        assert not (machine.sys / "bus/ccwgroup").exists()


@pytest.mark.parametrize(("attribute", "value"), [("layer2", 1), ("online", 1)])
def test_qeth_l2_loads_on_the_layer2_or_online_write(attribute: str, value: int) -> None:
    with Machine([OSA]) as machine:
        machine.group("0600")
        assert "qeth_l2" not in machine.modules

        machine.set("0600", attribute, value)

        assert "qeth_l2" in machine.modules


def test_ignored_devices_are_missing_and_cannot_be_grouped() -> None:
    with Machine([OSA, Card("0700")], cio_ignore_all=True) as machine:
        assert not list((machine.sys / "bus/ccw/devices").iterdir())
        assert (machine.proc / "cio_ignore").read_text() == "0.0.0000-0.0.ffff\n"
        with refused(errno.EINVAL):
            machine.write(GROUP, TRIPLE)


def test_freed_devices_are_there_once_cio_settle_returns() -> None:
    with Machine([OSA, Card("0700")], cio_ignore_all=True) as machine:
        begin = time.monotonic()
        (machine.proc / "cio_ignore").write_text("free 0.0.0600-0.0.0602")
        before = list((machine.sys / "bus/ccw/devices").iterdir())
        if time.monotonic() - begin < APPEARS_AFTER:  # not on a machine that is busy
            assert not before

        (machine.proc / "cio_settle").write_text("1")

        devices = {entry.name for entry in (machine.sys / "bus/ccw/devices").iterdir()}
        assert devices == set(TRIPLE.split(","))
        assert "0.0.0603-0.0.ffff" in (machine.proc / "cio_ignore").read_text()
        machine.write(GROUP, TRIPLE)


def test_freed_devices_appear_by_themselves_too() -> None:
    with Machine([OSA], cio_ignore_all=True) as machine:
        (machine.proc / "cio_ignore").write_text("free all")

        machine.wait((machine.sys / "bus/ccw/devices/0.0.0602").exists)


@pytest.mark.parametrize("text", ["free", "free 0600", "free 0.0.0600-0.0.0601-0.0.0602", "junk"])
def test_cio_ignore_refuses_what_it_does_not_understand(text: str) -> None:
    with Machine([OSA], cio_ignore_all=True) as machine, refused(errno.EINVAL):
        (machine.proc / "cio_ignore").write_text(text)


# group


def test_group_creates_the_device_with_its_links_attributes_and_defaults() -> None:
    with Machine([OSA]) as machine:
        machine.write(GROUP, TRIPLE)

        device = machine.sys / "devices/qeth/0.0.0600"
        assert sorted(entry.name for entry in device.iterdir()) == sorted(
            f"{LINKS} {ATTRIBUTES}".split()
        )
        for link in ("bus/ccwgroup/devices", "bus/ccwgroup/drivers/qeth"):
            assert (machine.sys / link / "0.0.0600").samefile(device)
        assert (device / "driver").samefile(machine.sys / "bus/ccwgroup/drivers/qeth")
        assert (device / "subsystem").samefile(machine.sys / "bus/ccwgroup")
        for n, bus_id in enumerate(TRIPLE.split(",")):
            member = machine.sys / "bus/ccw/devices" / bus_id
            assert (device / f"cdev{n}").samefile(member)
            assert (member / "group_device").samefile(device)
        defaults = {
            "layer2": "-1",
            "portno": "0",
            "online": "0",
            "card_type": "OSD_Express",
            "if_name": "(unnamed net_device)",
            "state": "DOWN",
        }
        assert {name: machine.attribute("0600", name) for name in defaults} == defaults


@pytest.mark.parametrize(
    "ids",
    [
        pytest.param("0.0.0900,0.0.0901,0.0.0902", id="unknown device"),
        pytest.param("0.0.0700,0.0.0701,0.0.0702", id="already grouped"),
        pytest.param("0.0.0600,0.0.0601", id="two ids"),
        pytest.param("0.0.0600,0.0.0601,0.0.0602,0.0.0603", id="four ids"),
        pytest.param("0.0.0600 0.0.0601 0.0.0602", id="space-separated"),
        pytest.param("0600,0601,0602", id="without 0.0."),
        pytest.param("0.0.0600,0.0.0600,0.0.0602", id="duplicates"),
        pytest.param("junk", id="junk"),
        pytest.param("\n", id="nothing"),
    ],
)
def test_group_refuses(ids: str) -> None:
    with Machine([OSA, Card("0603"), Card("0700", start="grouped")]) as machine:
        with refused(errno.EINVAL):
            machine.write(GROUP, ids)

        devices = machine.sys / "bus/ccwgroup/devices"
        assert [entry.name for entry in devices.iterdir()] == ["0.0.0700"]


def test_group_takes_any_order_and_upper_case_and_is_named_by_the_first_id() -> None:
    with Machine([Card("0a00")]) as machine:
        machine.write(GROUP, "0.0.0A02,0.0.0A00,0.0.0A01\n")

        assert machine.attribute("0a02", "online") == "0"
        assert (machine.sys / "devices/qeth/0.0.0a02/cdev1").readlink().name == "0.0.0a00"


def test_group_takes_any_three_devices_and_short_device_numbers() -> None:
    """Seen on the true driver, Linux 6.1."""
    with Machine([OSA, Card("0604")]) as machine:
        machine.write(GROUP, "0.0.600,0.0.0601,0.0.0605\n")

        assert machine.attribute("0600", "online") == "0"


def test_regrouping_right_after_ungroup_is_refused_at_first() -> None:
    with Machine([OSA]) as machine:
        machine.group("0600")
        machine.set("0600", "ungroup", 1)
        with refused(errno.EINVAL):
            machine.group("0600")

        machine.regroup("0600")


# layer2, portno, online


@pytest.mark.parametrize("value", ["2", "9", "f"])
def test_layer2_is_0_or_1(value: str) -> None:
    with Machine([OSA]) as machine:
        machine.group("0600")

        with refused(errno.EINVAL):
            machine.set("0600", "layer2", value)

        assert machine.attribute("0600", "layer2") == "-1"


def test_layer2_is_free_to_change_while_offline_and_comes_up_as_1_when_unset() -> None:
    with Machine([OSA]) as machine:
        machine.group("0600")
        for value in ("0", "1", "1", "0"):
            machine.set("0600", "layer2", value)
            assert machine.attribute("0600", "layer2") == value
        machine.set("0600", "ungroup", 1)
        machine.regroup("0600")

        machine.set("0600", "online", 1)

        assert machine.attribute("0600", "layer2") == "1"


def test_a_change_of_layer_after_an_online_destroys_the_interface() -> None:
    with Machine([OSA]) as machine:
        machine.bring_online("0600")
        machine.set("0600", "online", 0)
        machine.set("0600", "layer2", 1)
        assert machine.interface("0600") == "enc600"

        machine.set("0600", "layer2", 0)

        assert machine.interface("0600") is None
        assert machine.attribute("0600", "if_name") == "(unnamed net_device)"


@pytest.mark.parametrize(
    ("attribute", "value", "number"),
    [
        ("layer2", 1, errno.EPERM),
        ("layer2", 0, errno.EPERM),
        ("portno", 0, errno.EPERM),
        ("portno", 1, errno.EPERM),
        ("ungroup", 1, errno.EINVAL),
        ("online", 1, errno.EINVAL),
        ("online", 2, errno.EINVAL),
    ],
)
def test_while_online_a_write_is_refused(attribute: str, value: int, number: int) -> None:
    with Machine([Card("0600", start="online")]) as machine:
        with refused(number):
            machine.set("0600", attribute, value)

        assert machine.attribute("0600", "online") == "1"


def test_offline_while_offline_is_refused() -> None:
    with Machine([Card("0600", start="grouped")]) as machine, refused(errno.EINVAL):
        machine.set("0600", "online", 0)


def test_a_port_beyond_those_of_the_card_is_refused() -> None:
    cards = [Card("0600", start="grouped"), Card("0700", start="grouped", ports=1)]
    with Machine(cards) as machine:
        machine.set("0600", "portno", 1)
        for devno, port in (("0600", 2), ("0600", 16), ("0700", 1)):
            with refused(errno.EINVAL):
                machine.set(devno, "portno", port)

        assert machine.attribute("0600", "portno") == "1"
        assert machine.attribute("0700", "portno") == "0"


def test_the_interface_is_found_by_its_device_and_is_there_only_after_online() -> None:
    with Machine([OSA]) as machine:
        machine.group("0600")
        device = machine.sys / "devices/qeth/0.0.0600"
        assert not (device / "net").exists()

        machine.set("0600", "online", 1)
        machine.wait_for_udev("0600")

        assert [entry.name for entry in (device / "net").iterdir()] == ["enc600"]
        interface = machine.sys / "class/net/enc600"
        assert interface.samefile(device / "net/enc600")
        assert (interface / "device").samefile(device)
        assert (interface / "subsystem").samefile(machine.sys / "class/net")
        assert machine.attribute("0600", "if_name") == "enc600"
        assert machine.attribute("0600", "state") == "SOFTSETUP"


def test_offline_keeps_interface_name_and_mac_and_ungroup_removes_them() -> None:
    with Machine([OSA]) as machine:
        machine.bring_online("0600")
        machine.set_mac("0600", "0a:00:00:00:00:11")
        before = len(machine.events)

        machine.set("0600", "online", 0)
        assert machine.mac("0600") == "0a:00:00:00:00:11"
        machine.set("0600", "online", 1)
        assert machine.mac("0600") == "0a:00:00:00:00:11"
        assert machine.interface("0600") == "enc600"
        # "No net event on offline or re-online."
        assert len(machine.events) == before

        machine.set("0600", "online", 0)
        machine.set("0600", "ungroup", 1)
        assert machine.interface("0600") is None
        assert not (machine.sys / "class/net/enc600").exists()
        machine.wait(lambda: machine.events[-1].action == "remove")
