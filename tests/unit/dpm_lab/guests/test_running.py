"""A partition's guest from its start to its end, with a stand-in for QEMU, and its disk."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from dpm_lab.guests.disk import bootrecord
from dpm_lab.guests.disk.rawdisk import exported_chain
from dpm_lab.guests.qemu import running as running_guest
from dpm_lab.guests.qemu.partition import Device, Hardware, command, disk, nic
from dpm_lab.guests.qemu.running import ParametersOnDisk, Running, State, Teller
from dpm_lab.guests.qemu.terminal import Seat
from dpm_lab.storage import Storage
from tests.unit.dpm_lab.guests import partition_stand_in, test_bootrecord
from tests.unit.dpm_lab.guests.disks import create

MAC = "0a:00:00:00:00:11"
KERNEL = "text Linux version 6.1.0"
PANIC = 'event {"event": "GUEST_PANICKED", "data": {"action": "poweroff"}}'
HALT = 'event {"event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-shutdown"}}'
PATIENCE = 60.0


class Machine:
    """A guest whose QEMU does what a script says, and what it told."""

    def __init__(self, folder: Path, *script: str, devices: Sequence[Device] = ()) -> None:
        self.folder = folder
        self.texts: list[str] = []
        self.states: list[State] = []
        self.ended: list[bool] = []
        self.wanted: Sequence[Device] = devices
        self.plugged = threading.Event()
        program = folder / "qemu"
        partition_stand_in.put(program, *script)
        hardware = Hardware(512, 1, tuple(devices), program=str(program), sandbox=False)
        self.guest = Running("web", hardware, self.teller())

    def teller(self) -> Teller:
        return Teller(
            self.texts.append,
            self.states.append,
            self.devices,
            lambda: self.ended.append(True),
        )

    def devices(self) -> Sequence[Device]:
        return self.wanted

    def run(self) -> Machine:
        self.guest.start()
        self.guest.join(PATIENCE)
        assert not self.guest.is_alive()
        return self

    def orders(self) -> list[tuple[str, Any]]:
        """What its monitor was told after the greeting."""
        lines = (self.folder / "orders").read_text().splitlines()[1:]
        return [(each["execute"], each["arguments"]) for each in map(json.loads, lines)]


@pytest.mark.parametrize(
    ("script", "states"),
    [
        (["text Using SCSI scheme.", PANIC], [State.NOTHING_LOADED]),
        ([KERNEL, PANIC], [State.RUNS, State.CRASHED]),
        ([KERNEL, HALT], [State.RUNS, State.HALTED]),
        ([KERNEL], [State.RUNS, State.CRASHED]),
    ],
)
def test_what_has_become_of_a_guest_is_told(
    tmp_path: Path, script: list[str], states: list[State]
) -> None:
    machine = Machine(tmp_path, *script).run()

    assert machine.states == states
    assert machine.ended == [True]
    assert machine.texts == [line[5:] for line in script if line.startswith("text")]


def test_a_guest_that_is_ended_tells_no_more_and_nothing_of_it_is_left(tmp_path: Path) -> None:
    machine = Machine(tmp_path, KERNEL, "stay")
    running = threading.Event()
    machine.states = Told(running)
    machine.guest = rebuilt(machine)
    machine.guest.start()
    assert running.wait(PATIENCE)

    machine.guest.end()
    machine.guest.join(PATIENCE)

    assert machine.states == [State.RUNS]
    assert machine.ended == [True]
    assert not machine.guest.is_alive()
    arguments = json.loads((tmp_path / "arguments").read_text())
    monitor = next(a for a in arguments if a.startswith("socket,id=monitor"))
    assert not Path(monitor.rpartition("path=")[2]).exists()


def test_a_guest_that_says_nothing_runs_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_guest, "_LOADED", 0.0)
    machine = Machine(tmp_path, "text Using SCSI scheme.", "stay")
    told = threading.Event()
    machine.states = Told(told)
    machine.guest = rebuilt(machine)
    machine.guest.start()

    assert told.wait(PATIENCE)

    machine.guest.end()
    machine.guest.join(PATIENCE)
    assert machine.states == [State.RUNS]


class Told(list[State]):
    """States; the first one of them is waited for."""

    def __init__(self, event: threading.Event) -> None:
        super().__init__()
        self._event = event

    def append(self, state: State) -> None:
        super().append(state)
        self._event.set()


def rebuilt(machine: Machine) -> Running:
    """Return the machine's guest anew, with what it tells now."""
    hardware = Hardware(512, 1, (), program=str(machine.folder / "qemu"), sandbox=False)
    return Running("web", hardware, machine.teller())


def test_devices_that_come_are_plugged_and_those_that_go_are_unplugged(tmp_path: Path) -> None:
    old, new = nic("0001", MAC), disk(2, [tmp_path / "lun.qcow2"])
    machine = Machine(tmp_path, KERNEL, "wait device_add", HALT, devices=[old])
    machine.wanted = [new]

    machine.run()

    assert machine.orders() == [
        ("device_del", {"id": "d-nic0001"}),
        ("netdev_del", {"id": "nic0001"}),
        ("blockdev-add", new.backend),
        ("device_add", new.device),
    ]


def test_a_device_that_qemu_refuses_is_said_and_tried_once(tmp_path: Path) -> None:
    bad, good = nic("refuse", MAC), nic("0004", MAC)
    machine = Machine(tmp_path, KERNEL, "wait device_add", HALT)
    machine.wanted = [bad]

    def devices() -> Sequence[Device]:
        calls.append(1)
        return [bad] if len(calls) < 3 else [bad, good]

    calls: list[int] = []
    machine.devices = devices  # type: ignore[method-assign]
    machine.guest = rebuilt(machine)

    machine.run()

    assert [order for order, _ in machine.orders()] == ["netdev_add", "netdev_add", "device_add"]
    assert "QEMU: netdev_add: no such device" in machine.texts


def test_a_psw_restart_is_an_interrupt(tmp_path: Path) -> None:
    machine = Machine(tmp_path, KERNEL, "wait inject-nmi", HALT)
    machine.guest.psw_restart()

    assert machine.run().orders() == [("inject-nmi", {})]


def test_a_guest_is_ended_though_its_qemu_answers_nothing(tmp_path: Path) -> None:
    # A stand-in that stays takes no orders.
    machine = Machine(tmp_path, KERNEL, "stay")
    asked = threading.Event()

    def devices() -> Sequence[Device]:
        asked.set()
        return [nic("0001", MAC)]

    machine.devices = devices  # type: ignore[method-assign]
    machine.guest = rebuilt(machine)
    machine.guest.start()
    assert asked.wait(PATIENCE)

    machine.guest.end()
    machine.guest.join(PATIENCE / 2)

    assert not machine.guest.is_alive()
    assert machine.ended == [True]


@pytest.mark.parametrize(
    ("fails", "state"), [("RUNS", State.NOTHING_LOADED), ("devices", State.CRASHED)]
)
def test_what_nobody_thought_of_ends_a_guest_and_is_told(
    tmp_path: Path, fails: str, state: State
) -> None:
    machine = Machine(tmp_path, KERNEL, "stay")

    def failing() -> Sequence[Device]:
        raise KeyError("what nobody thought of")

    if fails == "devices":
        machine.devices = failing  # type: ignore[method-assign]
    else:
        (tmp_path / "qemu").unlink()
        (tmp_path / "qemu").mkdir()
    machine.guest = rebuilt(machine)

    machine.run()

    assert machine.states[-1] == state
    assert machine.ended == [True]
    assert "the lab cannot run the guest" in machine.texts[-1]


def test_a_qemu_that_does_not_start_says_why(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (tmp_path / "qemu").write_text("#!/bin/sh\necho 'no such machine' >&2\nexit 1\n")

    machine.run()

    assert machine.states == [State.NOTHING_LOADED]
    assert "no such machine" in machine.texts[0]


# -- parameters on the disk


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    image = create(tmp_path / "image.qcow2")
    with exported_chain([image], writable=True) as raw, raw.open("r+b") as file:
        file.write(test_bootrecord.disk("root=x").getvalue())
    made = Storage(tmp_path / "disks")
    made.create_from_image("boot", image)
    return made


def on_disk(storage: Storage) -> ParametersOnDisk:
    lun = storage.lun("boot")
    return ParametersOnDisk(
        storage.files("boot"),
        lun.parameters,
        lambda *texts: storage.note_parameters("boot", *texts),
    )


def parameters(storage: Storage, change: Callable[[Any], object] = lambda _: None) -> str:
    with exported_chain(storage.files("boot"), writable=True) as raw, raw.open("r+b") as file:
        change(file)
        return bootrecord.parameters(file)


def test_parameters_are_appended_and_taken_out_again(storage: Storage) -> None:
    disk_parameters = on_disk(storage)

    disk_parameters.append("0001,0;")
    assert parameters(storage) == "root=x 0001,0;"
    disk_parameters.restore()

    assert parameters(storage) == "root=x"
    assert storage.lun("boot").parameters == ()


@pytest.mark.parametrize(("text", "made"), [("0004,1;", "root=x 0004,1;"), ("=all=new", "all=new")])
def test_what_a_start_before_has_left_is_replaced(storage: Storage, text: str, made: str) -> None:
    on_disk(storage).append("=0001,0;")

    on_disk(storage).append(text)

    assert parameters(storage) == made
    on_disk(storage).restore()
    assert parameters(storage) == "root=x"


def test_what_zipl_has_written_since_stays(storage: Storage) -> None:
    left = on_disk(storage)
    left.append("0001,0;")
    parameters(storage, lambda file: bootrecord.set_parameters(file, "root=y"))

    left.restore()

    assert parameters(storage) == "root=y"
    on_disk(storage).append("0004,1;")
    assert parameters(storage) == "root=y 0004,1;"


# -- the command line


def test_devices_are_at_their_numbers(tmp_path: Path) -> None:
    files = [tmp_path / "top.qcow2", tmp_path / "image.qcow2"]
    hardware = Hardware(1024, 2, [nic("0a00", MAC), disk(3, files, boot=True)])

    words = command(hardware, tmp_path)

    options = [json.loads(word) for word in words if word.startswith("{")]
    network, card, node, block = options
    assert (network["restrict"], card["devno"], card["mac"]) == (True, "fe.0.0a00", MAC)
    assert (block["devno"], block["bootindex"], block["drive"]) == ("fe.3.0103", 1, "disk3")
    assert node["backing"]["file"] == {
        "driver": "file",
        "filename": str(files[1]),
        "read-only": True,
    }
    assert node["backing"]["backing"] is None
    assert words[words.index("-m") + 1] == "1024"
    assert words[words.index("-smp") + 1] == "2,maxcpus=2"
    assert "-no-reboot" not in words


def test_a_guest_of_one_processor_has_room_for_two(tmp_path: Path) -> None:
    """Else QEMU's emulation loses interrupts of its own devices."""
    words = command(Hardware(512, 1, []), tmp_path)

    assert words[words.index("-smp") + 1] == "1,maxcpus=2"


def test_an_emulated_guest_takes_little_more_than_its_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else QEMU fills 1 GiB with translated code."""
    monkeypatch.setattr("dpm_lab.guests.qemu.machine.has_kvm", lambda: False)

    words = command(Hardware(512, 1, []), tmp_path)

    assert words[words.index("-accel") + 1] == "tcg,tb-size=128"


def _said(seat: Seat, until: bytes) -> bytes:
    said = b""
    while until not in said:
        data = seat.read()
        assert data, said
        said += data
    return said


def test_who_takes_a_seat_at_the_console_types_and_reads(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "wait go", "text login:", "echo", "text the end", "stay")
    machine.guest.start()
    seat = taken(machine.guest)
    machine.guest._orders.put("go")
    _said(seat, b"login:")

    seat.write(b"uname\n")

    assert b"uname\n" in _said(seat, b"the end")
    machine.guest.end()
    while seat.read():
        pass
    machine.guest.join(PATIENCE)
    assert machine.guest.seat() is None
    seat.close()


def test_a_seat_that_nobody_reads_from_holds_up_no_guest(tmp_path: Path) -> None:
    lines = [f"text {number} {'x' * 4000}" for number in range(200)]
    machine = Machine(tmp_path, "wait go", *lines, HALT)
    machine.guest.start()
    seat = taken(machine.guest)

    machine.guest._orders.put("go")
    machine.guest.join(PATIENCE)

    assert not machine.guest.is_alive()
    assert machine.texts[-1].startswith("199 ")
    seat.close()


def taken(guest: Running) -> Seat:
    end = time.monotonic() + PATIENCE
    while (seat := guest.seat()) is None:
        assert time.monotonic() < end
        time.sleep(0.01)
    return seat
