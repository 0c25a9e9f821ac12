"""``dpm-guest configure`` brings NICs to what the kernel command line asks for, from any state."""

from __future__ import annotations

import pytest

from .cards import Card, Start, Write
from .machine import Machine

MAC = "0a:00:00:00:00:11"
NIC = "0600,1,0a0000000011;"
DEVICE = "/sys/devices/qeth/0.0.0600"
GROUPED = Write("/sys/bus/ccwgroup/drivers/qeth/group", "0.0.0600,0.0.0601,0.0.0602", errno=0)


def set_to(attribute: str, value: int) -> Write:
    return Write(f"{DEVICE}/{attribute}", str(value), errno=0)


OFFLINE, LAYER2, PORT, ONLINE = (
    set_to("online", 0),
    set_to("layer2", 1),
    set_to("portno", 1),
    set_to("online", 1),
)


def is_up(machine: Machine, devno: str, port: int = 0) -> bool:
    """Online in layer 2, by what the machine shows and not by what the agent says."""
    wanted = {"online": "1", "layer2": "1", "portno": str(port)}
    return {name: machine.attribute(devno, name) for name in wanted} == wanted


def is_right(machine: Machine, devno: str = "0600", port: int = 1, mac: str = MAC) -> bool:
    """Up as asked for, with its MAC."""
    return is_up(machine, devno, port) and machine.mac(devno) == mac


@pytest.mark.parametrize(
    ("card", "writes"),
    [
        pytest.param(Card("0600"), [GROUPED, LAYER2, PORT, ONLINE], id="nothing grouped"),
        pytest.param(
            Card("0600", start="grouped"), [LAYER2, PORT, ONLINE], id="grouped and offline"
        ),
        pytest.param(
            Card("0600", start="grouped", layer2=1), [PORT, ONLINE], id="layer 2, offline"
        ),
        pytest.param(
            Card("0600", start="grouped", layer2=0, portno=1),
            [LAYER2, ONLINE],
            id="layer 3, offline",
        ),
        pytest.param(
            Card("0600", start="grouped", layer2=1, portno=1), [ONLINE], id="only offline"
        ),
        pytest.param(
            Card("0600", start="online"), [OFFLINE, PORT, ONLINE], id="online on the wrong port"
        ),
        pytest.param(
            Card("0600", start="online", up=True), [OFFLINE, PORT, ONLINE], id="wrong port, link up"
        ),
        pytest.param(
            Card("0600", start="online", layer2=0, portno=1),
            [OFFLINE, LAYER2, ONLINE],
            id="online in layer 3",
        ),
        pytest.param(
            Card("0600", start="online", layer2=0),
            [OFFLINE, LAYER2, PORT, ONLINE],
            id="layer 3 and wrong port",
        ),
        pytest.param(
            Card("0600", start="online", portno=1), [], id="online, only the MAC is wrong"
        ),
    ],
)
def test_only_what_differs_is_written(card: Card, writes: list[Write]) -> None:
    with Machine([card]) as machine:
        result = machine.run("configure", tuples=NIC)

        assert result.rc == 0, result.output
        assert is_right(machine)
        assert machine.writes == writes
        assert "0.0.0600" in result.output
        assert "enc600" in result.output
        assert MAC in result.output


def test_what_is_right_is_left_alone() -> None:
    with Machine([Card("0600", start="online", portno=1)]) as machine:
        machine.set_mac("0600", MAC)
        events = len(machine.events)
        for _ in range(2):
            result = machine.run("configure", tuples=NIC)

            assert result.rc == 0, result.output
            assert "already right" in result.output
        assert machine.writes == []
        assert len(machine.events) == events


def test_a_second_run_changes_nothing() -> None:
    with Machine([Card("0600"), Card("0700")]) as machine:
        tuples = f"{NIC}0700,0,0a0000000012;"
        assert machine.run("configure", tuples=tuples).rc == 0
        machine.forget_writes()

        result = machine.run("configure", tuples=tuples)

        assert result.rc == 0
        assert machine.writes == []


def test_udev_itself_sets_mac_and_name_of_a_new_interface() -> None:
    with Machine([Card("0600")]) as machine:
        result = machine.run("configure", tuples=NIC)

        add = machine.announced("0600")
        assert add.properties["ID_NET_LINK_FILE"] == "/run/systemd/network/70-dpm-0600.link"
        assert "by dpm-guest" not in result.output


def test_a_system_that_keeps_the_kernels_names_keeps_them() -> None:
    """As with net.ifnames=0, or with 99-default.link masked as systemd.link(5) says."""
    with Machine([Card("0600")]) as machine:
        machine.path("/etc/systemd/network/99-default.link").symlink_to("/dev/null")

        result = machine.run("configure", tuples=NIC)

        assert result.rc == 0, result.output
        assert machine.interface("0600") == "eth0"
        assert is_right(machine)


def test_a_tuple_without_mac_leaves_the_address_to_udev() -> None:
    with Machine([Card("0600")]) as machine:
        machine.group("0600")
        machine.set("0600", "online", 1)
        machine.wait_for_udev("0600")
        udevs = machine.mac("0600")
    with Machine([Card("0600")]) as machine:
        result = machine.run("configure", tuples="0600,1;")

        assert result.rc == 0, result.output
        assert is_right(machine, mac=udevs)


def test_hipersockets_are_configured_like_an_osa() -> None:
    with Machine([Card("7000", kind="hipersockets", ports=1)]) as machine:
        result = machine.run("configure", tuples="7000,0,0a0000000011;")

        assert result.rc == 0, result.output
        assert is_right(machine, "7000", port=0)


def test_a_virtio_nic_gets_its_mac_and_nothing_else() -> None:
    with Machine([Card("0001", kind="virtio")]) as machine:
        result = machine.run("configure", tuples="0001,0,0a0000000011;")

        assert result.rc == 0, result.output
        assert machine.mac("0001") == MAC
        assert machine.writes == []


def test_ignored_devices_are_freed_and_only_those() -> None:
    with Machine([Card("0600"), Card("0700")], cio_ignore_all=True) as machine:
        result = machine.run("configure", tuples=NIC)

        assert result.rc == 0, result.output
        assert is_right(machine)
        ignored = (machine.proc / "cio_ignore").read_text()
        assert ignored == "0.0.0000-0.0.05ff\n0.0.0603-0.0.ffff\n"


def test_the_driver_is_loaded_where_it_is_not() -> None:
    with Machine([Card("0600"), Card("0700")], modules_loaded=()) as machine:
        result = machine.run("configure", tuples=f"{NIC}0700,0,0a0000000012;")

        assert result.rc == 0, result.output
        assert is_right(machine)
        assert is_right(machine, "0700", 0, "0a:00:00:00:00:12")
        loads = [write for write in machine.writes if write.path == "/control/modprobe"]
        assert [write.value for write in loads] == ["qeth"]


def test_an_id_that_comes_late_is_waited_for() -> None:
    with Machine([Card("0600", late_ids={1: 0.5})]) as machine:
        result = machine.run("configure", tuples=NIC)

        assert result.rc == 0, result.output
        assert is_right(machine)
        assert machine.writes == [GROUPED, LAYER2, PORT, ONLINE]


def test_twelve_nics_come_online_side_by_side() -> None:
    """All twelve wait for their card at the same time, so the slowest one is all they wait for."""
    cards = [Card(f"{0x600 + 3 * n:04x}", silent=True) for n in range(12)]
    macs = {card.devno: f"0a:00:00:00:00:{n:02x}" for n, card in enumerate(cards)}
    tuples = "".join(f"{devno},0,{mac.replace(':', '')};" for devno, mac in macs.items())
    with Machine(cards) as machine:
        agent = machine.start("configure", tuples=tuples)
        machine.wait(lambda: len([p for p in machine.writing if p.endswith("/online")]) == 12)
        for card in cards:
            machine.answer(card.devno)
        _, stderr = agent.communicate()

        assert agent.returncode == 0, stderr
        assert all(is_right(machine, devno, 0, mac) for devno, mac in macs.items())
        assert machine.status(tuples)["ok"]


def test_a_nic_that_comes_back_gets_its_mac_from_udev_without_us() -> None:
    with Machine([Card("0600")]) as machine:
        machine.run("configure", tuples=NIC)
        machine.unplug("0600")
        machine.plug("0600")
        machine.forget_writes()
        machine.wait((machine.sys / "bus/ccw/devices/0.0.0602").exists)

        machine.regroup("0600")
        machine.set("0600", "portno", 1)
        machine.set("0600", "online", 1)
        machine.wait_for_udev("0600", times=2)

        assert is_right(machine)
        assert machine.interface("0600") == "enc600"
        assert machine.writes == []


def test_a_nic_that_comes_back_is_configured_again() -> None:
    with Machine([Card("0600")]) as machine:
        machine.run("configure", tuples=NIC)
        machine.unplug("0600")
        machine.plug("0600")
        machine.forget_writes()

        result = machine.run("configure", "0.0.0600", tuples=NIC)

        assert result.rc == 0, result.output
        assert is_right(machine)


def test_only_the_named_nic_is_configured() -> None:
    with Machine([Card("0600"), Card("0700")]) as machine:
        result = machine.run("configure", "0.0.0600", tuples=f"0700,0,0a0000000012;{NIC}")

        assert result.rc == 0, result.output
        assert is_right(machine)
        assert machine.writes == [GROUPED, LAYER2, PORT, ONLINE]


def test_devices_that_the_command_line_does_not_name_are_left_alone() -> None:
    with Machine([Card("0600"), Card("0700", start="online")]) as machine:
        before = machine.mac("0700")

        assert machine.run("configure", tuples=NIC).rc == 0

        assert machine.mac("0700") == before
        assert not [write for write in machine.writes if "0700" in write.path]


def test_without_tuples_there_is_nothing_to_do() -> None:
    with Machine([Card("0600")]) as machine:
        result = machine.run("configure")

        assert result.rc == 0
        assert machine.writes == []


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ("ungrouped", ["grouping", "layer 2", "port 1", "online", MAC]),
        ("online", ["port 1", "online", MAC]),
    ],
)
def test_a_dry_run_says_what_it_would_do_and_does_nothing(start: Start, said: list[str]) -> None:
    with Machine([Card("0600", start=start)]) as machine:
        mac = machine.interface("0600") and machine.mac("0600")

        result = machine.run("configure", "--dry-run", tuples=NIC)

        assert result.rc == 1
        assert [text for text in said if text not in result.output] == []
        assert machine.writes == []
        assert (machine.interface("0600") and machine.mac("0600")) == mac
        assert not list(machine.path("/run/systemd/network").iterdir())
        assert not machine.path("/run/dpm-guest").exists()
