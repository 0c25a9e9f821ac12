"""``dpm-guest retry`` tries NICs again that were not right in time, until they are."""

from __future__ import annotations

import errno

import pytest

from .cards import Card, Fault
from .machine import PATIENCE, Machine
from .test_configure import MAC, NIC, is_right, is_up
from .test_configure_faults import MAC_OF_SECOND, SECOND
from .test_unnamed import DPM, is_grouped


def remembered(machine: Machine) -> list[str]:
    folder = machine.path("/run/dpm-guest/retry")
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def retry(machine: Machine, tuples: str = NIC) -> None:
    """Try again until all is right; the machine's limit ends what would go on for ever."""
    result = machine.run("retry", tuples=tuples)
    assert result.rc == 0, result.output


def test_the_unit_leaves_only_what_is_not_right_to_be_tried_again() -> None:
    with Machine([Card("0600", silent=True), Card("0700")]) as machine:
        result = machine.run("configure", "--unit", "--timeout=5", tuples=NIC + SECOND)

        assert result.rc == 1
        assert remembered(machine) == ["0.0.0600"]
        assert machine.status(NIC + SECOND)["retried"] == ["0.0.0600"]
        assert "0.0.0600: tried again" in machine.run("status", tuples=NIC + SECOND).output


def test_a_card_that_is_repaired_later_is_brought_up() -> None:
    with Machine([Card("0600", silent=True), Card("0700")]) as machine:
        machine.run("configure", "--unit", "--timeout=5", tuples=NIC + SECOND)
        machine.forget_writes()
        agent = machine.start("retry", "--timeout=5", tuples=NIC + SECOND)
        machine.wait(lambda: len([w for w in machine.writes if w.path.endswith("online")]) >= 2)

        machine.answer("0600")
        _, said = agent.communicate(timeout=PATIENCE)

        assert agent.returncode == 0, said
        assert is_right(machine)
        assert is_right(machine, "0700", 0, MAC_OF_SECOND)
        assert remembered(machine) == []
        assert not [write for write in machine.writes if "0700" in write.path]
        lines = [line for line in said.splitlines() if "0.0.0600" in line]
        assert ["gave up" in line for line in lines] == [True, False], "each is said once"


def test_a_nic_that_came_right_meanwhile_ends_it() -> None:
    with Machine([Card("0600", start="absent")]) as machine:
        machine.run("configure", "--unit", "--timeout=1", tuples=NIC)
        assert remembered(machine) == ["0.0.0600"]
        machine.plug("0600")
        machine.run("configure", tuples=NIC)

        retry(machine)

        assert remembered(machine) == []


def test_what_an_administrator_did_to_another_nic_is_left_alone() -> None:
    cards = [Card("0600", silent=True), Card("0700", start="online")]
    with Machine(cards) as machine:
        machine.run("configure", "--unit", "--timeout=5", tuples=NIC + SECOND)
        machine.set("0700", "online", 0)
        machine.answer("0600")

        retry(machine, NIC + SECOND)

        assert is_right(machine)
        assert machine.attribute("0700", "online") == "0"


@pytest.mark.parametrize(
    ("card", "line"),
    [
        pytest.param(Card("0600"), "0600,1,010000000011;", id="a MAC that no card takes"),
        pytest.param(Card("0700", start="online"), f"{SECOND}0600,99;", id="a damaged tuple"),
    ],
)
def test_what_no_other_try_changes_is_not_tried_again(card: Card, line: str) -> None:
    with Machine([card]) as machine:
        assert machine.run("configure", "--unit", tuples=line).rc == 1

        assert remembered(machine) == []


def test_a_port_that_the_card_lacks_is_tried_again_for_a_card_may_be_changed() -> None:
    with Machine([Card("0600", fail={"portno": Fault(errno.EINVAL, times=3)})]) as machine:
        assert machine.run("configure", "--unit", tuples=NIC).rc == 1

        retry(machine)

        assert is_right(machine)


def test_there_may_be_nothing_to_try_again() -> None:
    with Machine([Card("0600")]) as machine:
        assert machine.run("retry", tuples=NIC).rc == 0
        assert machine.writes == []


def test_at_boot_nics_that_nobody_names_are_left_to_the_background() -> None:
    """One that was added before a reboot from inside, which reads no new boot parameters."""
    with Machine([Card("0600"), Card("1003")], sysinfo=DPM) as machine:
        assert machine.run("configure", "--unit", tuples=NIC).rc == 0
        assert not is_grouped(machine, "1003")
        assert remembered(machine) == ["0.0.1003"]

        retry(machine)

        assert is_right(machine)
        assert is_up(machine, "1003")


@pytest.mark.parametrize("who", ["by chzdev", "switched off", "grouped"])
def test_in_the_background_too_they_are_left_to_others(who: str) -> None:
    line = NIC
    with Machine([Card("0600"), Card("1003")], sysinfo=DPM) as machine:
        machine.run("configure", "--unit", tuples=NIC)
        if who == "by chzdev":
            rules = machine.path("/run/udev/rules.d/41-qeth-0.0.1003.rules")
            rules.parent.mkdir(exist_ok=True)
            rules.write_text("# Generated by chzdev\n")
        elif who == "switched off":
            line = f"dpm_guest=no-auto {NIC}"
        else:
            machine.bring_online("1003")
            machine.set("1003", "online", 0)
            machine.set("1003", "portno", 1)
            machine.set("1003", "online", 1)
        machine.forget_writes()

        retry(machine, line)

        assert remembered(machine) == []
        assert not [write for write in machine.writes if "1003" in write.value + write.path]


def test_the_mac_of_a_nic_that_comes_right_is_what_its_tuple_says() -> None:
    with Machine([Card("0600", silent=True)]) as machine:
        machine.run("configure", "--unit", "--timeout=1", tuples=NIC)
        machine.answer("0600")

        retry(machine)

        assert machine.mac("0600") == MAC


def test_a_nic_that_nobody_names_and_that_does_not_answer_is_tried_again() -> None:
    with Machine([Card("0600", start="online", portno=1), Card("1003", silent=True)]) as machine:
        machine.set_mac("0600", MAC)
        arguments = ("--unit", "--timeout=1", "0.0.1003")
        assert machine.run("configure", *arguments, tuples=NIC).rc == 1
        assert remembered(machine) == machine.status(NIC)["retried"] == ["0.0.1003"]
        machine.answer("1003")

        retry(machine)

        assert is_up(machine, "1003")
