"""The imitation behaves as qeth.md says the real driver does, section by section."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from .cards import Card, Fault
from .machine import Machine

pytestmark = pytest.mark.imitation

OSA = Card("0600")
TRIPLE = "0.0.0600,0.0.0601,0.0.0602"
LINKS = "cdev0 cdev1 cdev2 driver subsystem"
ATTRIBUTES = (
    "buffer_count card_type chpid hw_trap if_name inbuf_size isolation layer2 online "
    "performance_stats portname portno priority_queueing recover state switch_attrs uevent ungroup"
)
GROUP = "bus/ccwgroup/drivers/qeth/group"


@contextmanager
def refused(number: int) -> Iterator[None]:
    with pytest.raises(OSError) as caught:
        yield
    assert errno.errorcode[caught.value.errno or 0] == errno.errorcode[number]


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
        (machine.proc / "cio_ignore").write_text("free 0.0.0600-0.0.0602")
        assert not list((machine.sys / "bus/ccw/devices").iterdir())

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


def test_regrouping_right_after_ungroup_is_refused_at_first() -> None:
    with Machine([OSA]) as machine:
        machine.group("0600")
        machine.set("0600", "ungroup", 1)
        with refused(errno.EINVAL):
            machine.group("0600")

        def grouped() -> bool:
            try:
                machine.group("0600")
            except OSError as error:
                assert error.errno == errno.EINVAL
                return False
            return True

        machine.wait(grouped)


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
        machine.wait(lambda: _try(lambda: machine.group("0600")))

        machine.set("0600", "online", 1)

        assert machine.attribute("0600", "layer2") == "1"


def test_a_change_of_layer_after_an_online_destroys_the_interface() -> None:
    with Machine([OSA]) as machine:
        _online(machine)
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
        _online(machine)
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


# uevents


def test_the_uevents_of_an_online() -> None:
    with Machine([OSA]) as machine:
        _online(machine)

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
            machine.write(GROUP, "0.0.0001,0.0.0002,0.0.0003")


# MAC


def test_the_first_mac_is_random_and_udev_overwrites_it_with_a_persistent_one() -> None:
    """The same card on the same machine gets the same address each time, so it is not the first
    one, and the kernel says that somebody set it (NET_ADDR_SET is 3)."""
    with Machine([OSA]) as machine:
        _online(machine)
        first = machine.mac("0600")
        assert machine.link("0600", "addr_assign_type") == "3"
    with Machine([OSA]) as machine:
        _online(machine)
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
        _online(machine)
        assert machine.mac("0600") == "0a:00:00:00:00:11"

        machine.set("0600", "online", 0)
        machine.set("0600", "ungroup", 1)
        machine.wait(lambda: _try(lambda: machine.group("0600")))
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
        _online(machine)

        assert machine.mac("0600") == "0a:00:00:00:00:11"


# What the tests of the agent rely on


def test_twelve_cards_come_online_each_with_its_interface() -> None:
    cards = [Card(f"{0x600 + 3 * n:04x}") for n in range(12)]
    with Machine(cards) as machine:
        for card in cards:
            machine.group(card.devno)
            machine.set(card.devno, "online", 1)
        for card in cards:
            machine.wait_for_udev(card.devno)

        assert [machine.interface(card.devno) for card in cards] == [
            card.name_path for card in cards
        ]
        assert len({machine.mac(card.devno) for card in cards}) == 12


def test_a_silent_card_never_answers_and_its_writer_can_be_ended() -> None:
    with Machine([Card("0600", start="grouped", silent=True)]) as machine:
        online = "/run/imitation/sys/devices/qeth/0.0.0600/online"
        writer = machine.spawn("sh", "-c", f"echo 1 > {online}")
        machine.wait(lambda: bool(machine.writing))
        assert machine.attribute("0600", "online") == "0"

        os.kill(_only_child(writer.pid), signal.SIGKILL)

        writer.communicate()
        machine.wait(lambda: bool(machine.writes))
        assert machine.writes[0].errno == errno.EINTR
        assert machine.interface("0600") is None


def test_a_fault_is_ordered_for_some_or_all_tries() -> None:
    faults = {"group": Fault(errno.EINVAL, times=2), "online": Fault(errno.EIO)}
    with Machine([Card("0600", fail=faults)]) as machine:  # type: ignore[arg-type]
        for _ in range(2):
            with refused(errno.EINVAL):
                machine.group("0600")
        machine.group("0600")
        for _ in range(3):
            with refused(errno.EIO):
                machine.set("0600", "online", 1)


def test_a_late_id_appears_after_the_machine_is_first_looked_at() -> None:
    with Machine([Card("0600", late_ids={1: 0.3})]) as machine:
        machine.shell("ls /run/imitation/sys/bus/ccw/devices")

        assert not (machine.sys / "bus/ccw/devices/0.0.0601").exists()
        assert (machine.sys / "bus/ccw/devices/0.0.0602").exists()
        machine.wait((machine.sys / "bus/ccw/devices/0.0.0601").exists)


def test_an_unplugged_card_takes_its_group_and_interface_along_and_comes_back_ungrouped() -> None:
    with Machine([Card("0600", start="online")]) as machine:
        machine.unplug("0600")
        assert not list((machine.sys / "bus/ccw/devices").iterdir())
        assert not list((machine.sys / "bus/ccwgroup/devices").iterdir())
        assert not (machine.sys / "class/net/enc600").exists()

        machine.plug("0600")

        machine.wait((machine.sys / "bus/ccw/devices/0.0.0602").exists)
        assert not list((machine.sys / "bus/ccwgroup/devices").iterdir())


def test_only_writes_by_programs_on_the_machine_are_in_the_journal() -> None:
    with Machine([OSA]) as machine:
        machine.group("0600")
        machine.shell("echo 1 > /run/imitation/sys/devices/qeth/0.0.0600/portno")
        machine.shell("echo 7 > /run/imitation/sys/devices/qeth/0.0.0600/portno")

        path = "/sys/devices/qeth/0.0.0600/portno"
        writes = [(write.path, write.value, write.errno) for write in machine.writes]
        assert writes == [(path, "1", 0), (path, "7", errno.EINVAL)]


def test_sysfs_refuses_new_files_and_what_an_attribute_has_no_function_for() -> None:
    with Machine([Card("0600", start="grouped")]) as machine:
        device = machine.sys / "devices/qeth/0.0.0600"
        for attempt in (
            lambda: (device / "new").write_text("1"),
            lambda: (device / "state").write_text("1"),
            (device / "ungroup").read_text,
        ):
            with refused(errno.EACCES):
                attempt()


def test_nothing_stays_when_the_machine_is_gone() -> None:
    with Machine([Card("0600", start="online")]) as machine:
        sleeper = machine.spawn("sleep", "1000")
        assert machine.sys.exists()

    assert sleeper.wait() != 0
    assert not machine.sys.exists()


def _online(machine: Machine) -> None:
    machine.group("0600")
    machine.set("0600", "online", 1)
    machine.wait_for_udev("0600")


def _try(action: object) -> bool:
    assert callable(action)
    try:
        action()
    except OSError:
        return False
    return True


def _only_child(pid: int) -> int:
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:  # noqa: PTH123
        return int(children.read())
