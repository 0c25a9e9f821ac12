"""Partitions that boot: what the HMC asks of a guest, and what it makes of what a guest tells.

The guest is a stand-in; the real one is in ``tests/image``. The storage subsystem is the real one.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from dpm_lab.__main__ import main
from dpm_lab.guests.qemu.partition import Hardware
from dpm_lab.guests.qemu.running import ParametersOnDisk, Running, State, Teller
from dpm_lab.hmc import HmcProcess, HmcServer
from dpm_lab.hmc.guests import Make
from dpm_lab.storage import TARGETS, Lun, Storage
from tests import brisk
from tests.hmc.lab.client import Lab, refused, until
from tests.running import is_over
from tests.unit.dpm_lab.guests import partition_stand_in

PARAMETERS = "quiet 0001,0,0a0000000011;"


class Guest:
    """Stands in for `Running`: keeps what it was given, and does what a test says."""

    def __init__(
        self,
        name: str,
        hardware: Hardware,
        teller: Teller,
        *,
        disk: ParametersOnDisk | None,
        parameters: str,
        folder: Path | None,
    ) -> None:
        self.name, self.hardware, self.teller = name, hardware, teller
        self.disk, self.parameters, self.folder = disk, parameters, folder
        self.calls: list[str] = []
        self.lingers = False

    def start(self) -> None:
        self.calls.append("start")

    def psw_restart(self) -> None:
        self.calls.append("psw-restart")

    def end(self) -> None:
        self.calls.append("end")
        if not self.lingers:
            self.teller.ended()

    def join(self) -> None:
        self.calls.append("join")

    def devices(self) -> list[tuple[str, Any]]:
        """What it has at the start, in short: a NIC's MAC, a disk's device number."""
        return short(self.hardware.devices)


def made_into(guests: list[Guest]) -> Make:
    """Return what makes guests, and keeps them in a list."""

    def make(*args: Any, **fields: Any) -> Running:
        guests.append(Guest(*args, **fields))
        return cast("Running", guests[-1])

    return make


def short(devices: Sequence[Any]) -> list[tuple[str, Any]]:
    return [
        (each.device["devno"], each.device.get("mac") or each.device.get("bootindex"))
        for each in devices
    ]


@dataclass
class Booting:
    """An HMC whose partitions boot."""

    lab: Lab
    storage: Storage
    guests: list[Guest]

    def partition(self, lun: Lun, *, mask: bool = True) -> Any:
        """Make a partition that boots from a LUN."""
        partition = self.lab.partition()
        adapter, boot = (
            self._storage_volume(partition, lun)
            if self.lab.hmc.machines[0].has_storage_management
            else self._hba(partition, lun)
        )
        if mask:
            self.storage.mask(lun.name, [adapter])
        partition.update_properties({**boot, "boot-os-specific-parameters": PARAMETERS})
        return partition

    def _hba(self, partition: Any, lun: Lun) -> tuple[str, dict[str, Any]]:
        port = self.lab.port("FCP-A").uri
        hba = partition.hbas.create({"name": "hba", "adapter-port-uri": port})
        return hba.get_property("wwpn"), {
            "boot-device": "storage-adapter",
            "boot-storage-device": hba.uri,
            "boot-world-wide-port-name": TARGETS[0],
            "boot-logical-unit-number": lun.fcp_lun,
        }

    def _storage_volume(self, partition: Any, lun: Lun) -> tuple[str, dict[str, Any]]:
        wwpn, uri = self.lab.boot_volume(partition, TARGETS[0], lun.fcp_lun)
        return wwpn, {"boot-device": "storage-volume", "boot-storage-volume": uri}

    def nic(self, partition: Any, devno: str, **properties: Any) -> Any:
        body = {"name": f"nic{devno}", "virtual-switch-uri": self.lab.switch()}
        return partition.nics.create({**body, "device-number": devno, **properties})


def lun(storage: Storage, name: str = "boot") -> Lun:
    return storage.create(name, 2**20)


@pytest.fixture(params=["z13", "z16"])
def booting(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Booting]:
    guests: list[Guest] = []
    storage = Storage(tmp_path / "disks")
    with HmcServer(
        request.param,
        storage=storage,
        make_guest=made_into(guests),
        durations=brisk.TIMES,
        behaviour={"after-stop": "none"},
    ) as hmc:
        yield Booting(Lab(hmc), storage, guests)


def test_a_partition_is_a_guest_with_its_memory_processors_disk_and_nics(booting: Booting) -> None:
    boot = lun(booting.storage)
    partition = booting.partition(boot)
    partition.update_properties(
        {"maximum-memory": 2048, "initial-memory": 1024, "ifl-processors": 2}
    )
    can_set = booting.lab.hmc.machines[0].api_version >= (2, 20)
    mac = {"mac-address": "0a:00:00:00:00:11"} if can_set else {}
    booting.nic(partition, "0001", **mac)
    lun(booting.storage, "somebody-elses")

    booting.lab.start(partition)

    (guest,) = booting.guests
    assert (guest.hardware.memory, guest.hardware.processors) == (1024, 2)
    assert guest.devices() == [
        ("fe.0.0001", "0a:00:00:00:00:11" if can_set else "52:54:00:dd:00:01"),
        ("fe.3.0101", 1),
    ]
    backend = guest.hardware.devices[1].backend
    assert backend["file"]["filename"] == str(booting.storage.files("boot")[0])
    assert (guest.name, guest.parameters) == ("web", PARAMETERS)
    assert guest.disk is not None


def test_a_lun_that_is_not_masked_to_the_partition_is_not_loaded(booting: Booting) -> None:
    partition = booting.partition(lun(booting.storage), mask=False)
    booting.storage.mask("boot", ["c05076ffffffffff"])

    with refused(500, 263, "masking"):
        booting.lab.start(partition)

    assert booting.guests == []
    assert booting.lab.status(partition) == "stopped"


def test_the_status_follows_the_guest(booting: Booting) -> None:
    partition = booting.partition(lun(booting.storage))
    booting.lab.start(partition)
    (guest,) = booting.guests
    found = [booting.lab.status(partition)]

    for state in (State.RUNS, State.NOTHING_LOADED, State.HALTED, State.CRASHED):
        guest.teller.state(state)
        found.append(booting.lab.status(partition))

    assert found == ["starting", "active", "paused", "paused", "terminated"]


def test_the_console_is_messages_of_the_operating_system(tmp_path: Path) -> None:
    guests: list[Guest] = []
    storage = Storage(tmp_path)
    with HmcServer(
        "z16", storage=storage, make_guest=made_into(guests), durations=brisk.TIMES
    ) as hmc:
        booting = Booting(Lab(hmc), storage, guests)
        partition = booting.partition(lun(storage))
        booting.lab.start(partition)

        guests[0].teller.text("Linux version 6.1")

        found = partition.list_os_messages()["os-messages"]
    assert [each["message-text"] for each in found] == ["Linux version 6.1"]


def test_a_stop_ends_the_guest_and_it_is_heard_no_more(booting: Booting) -> None:
    partition = booting.partition(lun(booting.storage))
    booting.lab.start(partition)
    (guest,) = booting.guests
    guest.teller.state(State.RUNS)

    booting.lab.stop(partition)

    assert guest.calls == ["start", "end"]
    guest.teller.state(State.CRASHED)
    assert booting.lab.status(partition) == "stopped"


def test_a_partition_is_stopped_when_nothing_of_its_guest_is_left(booting: Booting) -> None:
    partition = booting.partition(lun(booting.storage))
    booting.lab.start(partition)
    (guest,) = booting.guests
    guest.teller.state(State.RUNS)
    guest.lingers = True

    booting.lab.stop(partition)

    assert booting.lab.status(partition) == "stopping"
    with refused(409, 1):
        partition.delete()
    guest.teller.ended()
    assert booting.lab.status(partition) == "stopped"


@pytest.mark.parametrize("state", [State.HALTED, State.CRASHED, State.NOTHING_LOADED])
def test_a_partition_whose_guest_has_ended_by_itself_is_stopped(
    booting: Booting, state: State
) -> None:
    partition = booting.partition(lun(booting.storage))
    booting.lab.start(partition)
    (guest,) = booting.guests
    guest.teller.state(state)
    guest.teller.ended()
    booting.lab.finish(partition.psw_restart(wait_for_completion=False))

    booting.lab.stop(partition)

    assert booting.lab.status(partition) == "stopped"
    assert guest.calls == ["start"]


def test_parameters_are_read_at_each_start(booting: Booting) -> None:
    partition = booting.partition(lun(booting.storage))
    booting.lab.start(partition)
    booting.guests[0].teller.state(State.RUNS)
    partition.update_properties({"boot-os-specific-parameters": "0004,1;"})
    assert len(booting.guests) == 1

    booting.lab.stop(partition)
    booting.lab.start(partition)

    first, second = booting.guests
    assert (first.parameters, second.parameters) == (PARAMETERS, "0004,1;")


def test_a_psw_restart_interrupts_the_guest(booting: Booting) -> None:
    partition = booting.partition(lun(booting.storage))
    booting.lab.start(partition)
    booting.guests[0].teller.state(State.RUNS)

    booting.lab.finish(partition.psw_restart(wait_for_completion=False))

    assert booting.guests[0].calls == ["start", "psw-restart"]
    assert booting.lab.status(partition) == "active"


def test_what_comes_and_goes_while_it_runs_is_plugged(booting: Booting) -> None:
    partition = booting.partition(lun(booting.storage))
    booting.lab.start(partition)
    (guest,) = booting.guests
    guest.teller.state(State.RUNS)
    (wwpn,) = booting.storage.lun("boot").masked
    lun(booting.storage, "data")

    nic = booting.nic(partition, "0004")
    booting.storage.mask("data", [wwpn])

    assert [devno for devno, _ in short(guest.teller.devices())] == [
        "fe.0.0004",
        "fe.3.0101",
        "fe.3.0102",
    ]
    nic.delete()
    booting.storage.unmask("data")
    assert short(guest.teller.devices()) == [("fe.3.0101", 1)]


def test_all_guests_end_with_the_hmc_and_with_a_reset(tmp_path: Path) -> None:
    guests: list[Guest] = []
    storage = Storage(tmp_path)
    with HmcServer(
        "z13", storage=storage, make_guest=made_into(guests), durations=brisk.TIMES
    ) as hmc:
        booting = Booting(Lab(hmc), storage, guests)
        boot = lun(storage)
        booting.lab.start(booting.partition(boot))
        booting.lab.control.reset()
        assert guests[0].calls == ["start", "end"]
        booting.lab.start(booting.partition(boot))
        guests[1].lingers = True

    assert guests[1].calls == ["start", "end", "join"]


def test_an_hmc_that_is_started_again_has_no_guests_and_says_so(tmp_path: Path) -> None:
    storage, statuses = Storage(tmp_path / "disks"), []

    for boots in (True, True, False):
        with HmcServer(
            "z13",
            folder=tmp_path,
            keep=True,
            storage=storage if boots else None,
            make_guest=made_into([]),
            durations=brisk.TIMES,
        ) as hmc:
            lab = Lab(hmc)
            found = lab.cpc.partitions.list()
            partition = found[0] if found else Booting(lab, storage, []).partition(lun(storage))
            statuses.append(lab.status(partition))
            hmc.control.set_properties(partition.uri, {"status": "active"})

    assert statuses == ["stopped", "stopped", "active"]


@pytest.mark.parametrize("end", ["close", "kill"])
def test_a_guest_ends_with_the_hmc_whatever_ends_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    partition_stand_in.put(tmp_path / "qemu-system-s390x", "text Linux version 6.1", "stay")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    storage = Storage(tmp_path / "disks")
    with HmcProcess("z13", options=("--boot", "--disks", str(storage.folder))) as hmc:
        lab = Lab(hmc)
        partition = Booting(lab, storage, []).partition(lun(storage))
        lab.start(partition)
        until(lambda: lab.status(partition) == "active")
        guest = int((tmp_path / "pid").read_text())
        assert not is_over(guest)
        if end == "kill":
            os.kill(hmc.pid, signal.SIGKILL)
            until(lambda: is_over(guest))

    assert is_over(guest)


def test_files_of_guests_are_in_the_folder_of_the_hmc_and_a_crash_leaves_none(
    tmp_path: Path,
) -> None:
    left = tmp_path / "guests" / "dpm-guest-of-before"
    left.mkdir(parents=True)
    guests: list[Guest] = []
    storage = Storage(tmp_path / "disks")
    with HmcServer(
        "z13", folder=tmp_path, storage=storage, make_guest=made_into(guests), durations=brisk.TIMES
    ) as hmc:
        booting = Booting(Lab(hmc), storage, guests)
        booting.lab.start(booting.partition(lun(storage)))

    assert [guest.folder for guest in guests] == [tmp_path / "guests"]
    assert not left.exists()


def test_a_folder_whose_name_is_too_long_for_a_socket_has_no_files_of_guests(
    tmp_path: Path,
) -> None:
    guests: list[Guest] = []
    storage, folder = Storage(tmp_path / "disks"), tmp_path / ("x" * 100)
    folder.mkdir()
    with HmcServer(
        "z13", folder=folder, storage=storage, make_guest=made_into(guests), durations=brisk.TIMES
    ) as hmc:
        booting = Booting(Lab(hmc), storage, guests)
        booting.lab.start(booting.partition(lun(storage)))

    assert [guest.folder for guest in guests] == [None]


def test_a_folder_for_disks_goes_with_boot(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hmc", "--disks", "somewhere"]) != 0
    assert "say --boot, too" in capsys.readouterr().err
