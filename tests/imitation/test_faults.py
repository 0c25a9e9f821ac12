"""What a test can order of the imitation, and what it leaves behind: nothing."""

from __future__ import annotations

import errno
import os
import signal

from .cards import Card, Fault
from .expect import refused
from .machine import Machine

OSA = Card("0600")
ONLINE = "/run/imitation/sys/devices/qeth/0.0.0600/online"


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
        writer = machine.spawn("sh", "-c", f"echo 1 > {ONLINE}")
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
    with Machine([Card("0600", late_ids={1: 5.0})]) as machine:
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


def _only_child(pid: int) -> int:
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:  # noqa: PTH123
        return int(children.read())


def test_the_driver_gives_a_silent_card_up_in_the_end() -> None:
    """After 40.9 s on the true driver, Linux 6.1 and 6.12."""
    card = Card("0600", start="grouped", silent=True, given_up_after=0.2)
    with Machine([card]) as machine:
        with refused(errno.ENODEV):
            machine.set("0600", "online", 1)

        assert machine.attribute("0600", "online") == "0"


def test_a_device_that_is_coming_online_is_not_ungrouped() -> None:
    """EAGAIN at once, seen on the true driver, Linux 6.1 and 6.12."""
    with Machine([Card("0600", start="grouped", silent=True)]) as machine:
        writer = machine.spawn("sh", "-c", f"echo 1 > {ONLINE}")
        machine.wait(lambda: bool(machine.writing))
        with refused(errno.EAGAIN):
            machine.set("0600", "ungroup", 1)

        os.kill(_only_child(writer.pid), signal.SIGKILL)
        writer.communicate()
