"""``dpm-guest configure`` where something is wrong: it says what, and everything else is done."""

from __future__ import annotations

import errno

import pytest

from .cards import Card, Fault, Step
from .machine import ROOT, Machine
from .test_configure import MAC, NIC, is_right

SECOND = "0700,0,0a0000000012;"
MAC_OF_SECOND = "0a:00:00:00:00:12"


def line_about(bus_id: str, output: str) -> str:
    """The one line that says what became of a NIC."""
    lines = [line for line in output.splitlines() if f"{bus_id}:" in line]
    assert len(lines) == 1, output
    return lines[0]


@pytest.mark.parametrize(
    ("step", "number", "words"),
    [
        ("group", errno.EINVAL, "grouping"),
        ("layer2", errno.EINVAL, "layer 2"),
        ("portno", errno.EINVAL, "port 1"),
        ("online", errno.EIO, "online"),
        ("online", errno.ENODEV, "online"),
    ],
)
def test_a_refused_step_is_reported_with_bus_id_step_and_errno_in_words(
    step: Step, number: int, words: str
) -> None:
    with Machine([Card("0600", fail={step: Fault(number)}), Card("0700")]) as machine:
        result = machine.run("configure", tuples=NIC + SECOND)

        assert result.rc == 1
        line = line_about("0.0.0600", result.output)
        assert words in line
        assert errno.errorcode[number] in line
        assert is_right(machine, "0700", 0, MAC_OF_SECOND)


def test_a_card_that_does_not_go_offline_is_reported() -> None:
    card = Card("0600", start="online", fail={"offline": Fault(errno.EBUSY)})
    with Machine([card]) as machine:
        result = machine.run("configure", tuples=NIC)

        assert result.rc == 1
        line = line_about("0.0.0600", result.output)
        assert "offline" in line
        assert "EBUSY" in line


@pytest.mark.parametrize("step", ["group", "layer2", "portno"])
def test_a_transient_refusal_is_tried_again(step: Step) -> None:
    with Machine([Card("0600", fail={step: Fault(errno.EINVAL, times=2)})]) as machine:
        result = machine.run("configure", tuples=NIC)

        assert result.rc == 0, result.output
        assert is_right(machine)
        assert [write.errno for write in machine.writes].count(errno.EINVAL) == 2


def test_grouping_right_after_an_ungroup_works() -> None:
    with Machine([Card("0600", start="grouped")]) as machine:
        machine.set("0600", "ungroup", 1)

        result = machine.run("configure", tuples=NIC)

        assert result.rc == 0, result.output
        assert is_right(machine)


def test_a_silent_card_costs_only_itself() -> None:
    cards = [Card("0600"), Card("0700"), Card("0800", silent=True), Card("0900")]
    tuples = f"{NIC}{SECOND}0800,0,0a0000000013;0900,1,0a0000000014;"
    with Machine(cards) as machine:
        result = machine.run("configure", "--timeout=10", tuples=tuples)

        assert result.rc == 1
        assert is_right(machine)
        assert is_right(machine, "0700", 0, MAC_OF_SECOND)
        assert is_right(machine, "0900", 1, "0a:00:00:00:00:14")
        line = line_about("0.0.0800", result.output)
        assert "online" in line
        assert "gave up" in line
        assert machine.interface("0800") is None


def test_a_slow_card_is_waited_for_while_others_finish() -> None:
    with Machine([Card("0600", silent=True), Card("0700")]) as machine:
        agent = machine.start("configure", tuples=NIC + SECOND)
        machine.wait_for_udev("0700")
        assert agent.poll() is None
        machine.answer("0600")
        _, stderr = agent.communicate()

        assert agent.returncode == 0, stderr
        assert is_right(machine)
        assert is_right(machine, "0700", 0, MAC_OF_SECOND)


def test_a_missing_device_is_named_and_the_others_are_configured() -> None:
    with Machine([Card("0600", start="absent"), Card("0700")]) as machine:
        result = machine.run("configure", "--timeout=10", tuples=NIC + SECOND)

        assert result.rc == 1
        assert "appear" in line_about("0.0.0600", result.output)
        assert is_right(machine, "0700", 0, MAC_OF_SECOND)


def test_a_card_that_is_plugged_while_it_is_waited_for_is_configured() -> None:
    with Machine([Card("0600", start="absent"), Card("0700", silent=True)]) as machine:
        agent = machine.start("configure", tuples=NIC + SECOND)
        machine.wait(lambda: bool(machine.writing))
        machine.plug("0600")
        machine.wait_for_udev("0600")
        machine.answer("0700")
        _, stderr = agent.communicate()

        assert agent.returncode == 0, stderr
        assert is_right(machine)


def test_a_card_that_is_pulled_in_the_middle_costs_only_itself() -> None:
    with Machine([Card("0600", silent=True), Card("0700")]) as machine:
        agent = machine.start("configure", "--timeout=10", tuples=NIC + SECOND)
        machine.wait(lambda: "/sys/devices/qeth/0.0.0600/online" in machine.writing)
        machine.unplug("0600")
        _, stderr = agent.communicate()

        assert agent.returncode == 1
        assert line_about("0.0.0600", stderr)
        assert is_right(machine, "0700", 0, MAC_OF_SECOND)


def test_a_port_that_the_card_does_not_have_is_reported() -> None:
    with Machine([Card("0600", ports=1)]) as machine:
        result = machine.run("configure", tuples=NIC)

        assert result.rc == 1
        assert "port 1" in line_about("0.0.0600", result.output)
        assert machine.attribute("0600", "online") == "0"


@pytest.mark.parametrize("module", ["qeth", "qeth_l2"])
def test_a_missing_module_is_named(module: str) -> None:
    with Machine([Card("0600")], modules_loaded=(), modules_missing=(module,)) as machine:
        result = machine.run("configure", tuples=NIC)

        assert result.rc == 1
        assert module in line_about("0.0.0600", result.output)


_MAY_NOT_LOAD = """
mkdir /run/sandbox && cd /run/sandbox
printf '#!/bin/sh\n: >/run/sandbox/asked\nexit 1\n' >modprobe && chmod 755 modprobe
"""
IN_SANDBOX = ("sh", "-c", 'PATH=/run/sandbox:$PATH exec "$@"', "sh")


def test_a_driver_that_only_udev_may_load_is_waited_for() -> None:
    """So it is in our units where ``modprobe@qeth.service`` is masked."""
    with Machine([Card("0600"), Card("0700")], modules_loaded=()) as machine:
        assert machine.shell(_MAY_NOT_LOAD).rc == 0
        agent = machine.start("configure", tuples=NIC + SECOND, through=IN_SANDBOX)
        machine.wait(machine.path("/run/sandbox/asked").exists)

        assert machine.shell("modprobe qeth").rc == 0
        _, stderr = agent.communicate()

        assert agent.returncode == 0, stderr
        assert is_right(machine)
        assert is_right(machine, "0700", 0, MAC_OF_SECOND)


def test_a_device_that_another_group_holds_is_named_with_its_holder() -> None:
    card = Card("0600", start="grouped", grouped_as=("0601", "0602", "0603"))
    with Machine([card, Card("0603")]) as machine:
        result = machine.run("configure", tuples=NIC)

        assert result.rc == 1
        assert "device 0.0.0601 already" in line_about("0.0.0600", result.output)
        assert machine.writes == []
        assert machine.attribute("0601", "online") == "0"


def test_a_multicast_mac_is_refused_with_the_bit_that_makes_it_one() -> None:
    with Machine([Card("0600"), Card("0700")]) as machine:
        result = machine.run("configure", tuples=f"0600,1,010000000011;{SECOND}")

        assert result.rc == 1
        line = line_about("0.0.0600", result.output)
        assert "multicast" in line
        assert "0x01" in line
        assert machine.mac("0600") != "01:00:00:00:00:11"
        assert is_right(machine, "0700", 0, MAC_OF_SECOND)


def test_a_damaged_tuple_is_reported_and_the_good_ones_count() -> None:
    with Machine([Card("0600"), Card("0700")]) as machine:
        result = machine.run("configure", tuples=f"{NIC}0700,0,0a00;")

        assert result.rc == 1
        assert "0700,0,0a00" in result.output
        assert is_right(machine)
        assert not [write for write in machine.writes if "0700" in write.path]


FOREIGN = "0a:00:00:00:00:99"
ADMINISTRATORS = f"[Match]\nPath=ccwgroup-*\n[Link]\nNamePolicy=path\nMACAddress={FOREIGN}\n"


def test_a_foreign_mac_on_an_interface_that_is_up_is_set_right_and_that_is_said() -> None:
    with Machine([Card("0600", start="online", portno=1, up=True)]) as machine:
        machine.set_mac("0600", FOREIGN)

        result = machine.run("configure", tuples=NIC)

        assert result.rc == 0, result.output
        assert is_right(machine)
        assert "MAC set by dpm-guest" in result.output


def test_a_mac_of_an_administrators_link_file_does_not_come_back_with_a_slow_rename() -> None:
    """Between udev's ``add`` and its ``move`` lie some 100 ms on the real machine (qeth.md)."""
    slow = {"05-slow.rules": 'SUBSYSTEM=="net", ACTION=="move", PROGRAM="/bin/sleep 0.3"\n'}
    with Machine([Card("0600")], rules=slow) as machine:
        machine.path("/etc/systemd/network/10-mine.link").write_text(ADMINISTRATORS)

        result = machine.run("configure", tuples=NIC)

        assert result.rc == 0, result.output
        assert machine.announced("0600").properties["ID_NET_LINK_FILE"].endswith("10-mine.link")
        assert is_right(machine)


def test_a_mac_that_somebody_sets_before_udev_is_done_does_not_last() -> None:
    with Machine([Card("0600", overwrite_mac=FOREIGN)]) as machine:
        result = machine.run("configure", tuples=NIC)

        assert result.rc == 0, result.output
        machine.wait_for_udev("0600")
        assert is_right(machine)


def test_a_mac_that_somebody_sets_while_the_agent_runs_is_set_right_and_that_is_said() -> None:
    """udev is done with the one card, and the agent waits for the other."""
    with Machine([Card("0600"), Card("0700", silent=True)]) as machine:
        agent = machine.start("configure", tuples=NIC + SECOND)
        machine.wait_for_udev("0600")
        machine.set_mac("0600", FOREIGN)
        machine.answer("0700")
        _, stderr = agent.communicate()

        assert agent.returncode == 0, stderr
        assert machine.mac("0600") == MAC
        assert "MAC set by dpm-guest" in stderr


NOT_ALLOWED = ("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin")


def test_a_mac_that_the_kernel_refuses_is_reported_in_its_words() -> None:
    """A veth takes any unicast MAC; so it is the agent that lacks the right to set one."""
    with Machine([Card("0600", start="online", portno=1)]) as machine:
        before = machine.mac("0600")

        agent = machine.start("configure", tuples=NIC, through=NOT_ALLOWED)
        _, stderr = agent.communicate()

        assert agent.returncode == 1
        line = line_about("0.0.0600", stderr)
        assert MAC in line
        assert "Operation not permitted" in line
        assert machine.mac("0600") == before


@pytest.mark.parametrize("left", ["its socket", "nothing"])
def test_without_udevd_the_agent_sets_the_mac_itself(left: str) -> None:
    with Machine([Card("0600")]) as machine:
        assert machine.shell("udevadm control --exit").rc == 0
        if left == "nothing":
            machine.path("/run/udev/control").unlink()

        result = machine.run("configure", "--timeout=5", tuples=NIC)

        assert result.rc == 0, result.output
        assert machine.interface("0600") == "eth0"
        assert is_right(machine)


def test_without_pyudev_the_macs_are_right_too() -> None:
    with Machine([Card("0600"), Card("0700", start="online")]) as machine:
        machine.path("/run/no").mkdir()
        machine.path("/run/no/pyudev.py").write_text("raise ImportError('not in this image')\n")
        agent = machine.start(
            "configure", tuples=NIC + SECOND, through=["env", f"PYTHONPATH=/run/no:{ROOT}"]
        )
        _, stderr = agent.communicate()

        assert agent.returncode == 0, stderr
        assert "pyudev" in stderr
        machine.wait_for_udev("0600")
        assert is_right(machine)
        assert is_right(machine, "0700", 0, MAC_OF_SECOND)


def test_a_card_that_the_driver_gives_up_is_reported_in_the_kernels_words() -> None:
    card = Card("0600", silent=True, given_up_after=0.2)
    with Machine([card, Card("0700")]) as machine:
        result = machine.run("configure", tuples=f"{NIC}{SECOND}")

        assert result.rc == 1
        line = line_about("0.0.0600", result.output)
        assert "bringing it online failed: No such device (ENODEV)" in line
        assert is_right(machine, "0700", 0, MAC_OF_SECOND)


_FULL = """
mkdir -p {place} && mount -t tmpfs -o size=4k tmpfs {place}
printf old > {place}/70-dpm-0700.link
head -c 4096 /dev/zero > {place}/rest 2>/dev/null
[ "$(df --output=avail {place} | tail -n 1)" -eq 0 ]
"""


def test_a_full_run_is_said_with_the_file_and_costs_no_nic_its_mac() -> None:
    place = "/run/systemd/network"
    with Machine([Card("0600"), Card("0700")]) as machine:
        assert machine.shell(_FULL.format(place=place)).rc == 0

        result = machine.run("configure", tuples=NIC + SECOND)

        assert result.rc == 0, result.output
        assert is_right(machine)
        assert is_right(machine, "0700", 0, MAC_OF_SECOND)
        for devno in ("0600", "0700"):
            file = f"{place}/70-dpm-{devno}.link.new"
            assert f"{file}: No space left on device (ENOSPC)" in result.output
        assert [path.name for path in machine.path(place).glob("*.new")] == []


def test_markers_are_made_in_a_full_run_too() -> None:
    with Machine([Card("0600")]) as machine:
        assert machine.shell(_FULL.format(place="/run/dpm-guest")).rc == 0

        result = machine.run("configure", tuples=NIC)

        assert result.rc == 0, result.output
        assert "No space left" not in result.output
        assert machine.path("/run/dpm-guest/0.0.0600").exists()


def test_a_nic_whose_link_file_cannot_be_written_leaves_the_others_theirs() -> None:
    with Machine([Card("0600"), Card("0700")]) as machine:
        machine.path("/run/systemd/network/70-dpm-0600.link").mkdir(parents=True)

        result = machine.run("configure", tuples=NIC + SECOND)

        assert result.rc == 0, result.output
        assert is_right(machine)
        assert "70-dpm-0600.link" in line_about("0.0.0600", result.output)
        assert machine.announced("0700").properties["ID_NET_LINK_FILE"].endswith("0700.link")
        assert result.output.count("MAC set by dpm-guest") == 1
