"""One face for guests: what QEMU's can do, hercules' can, too."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from dpm_lab import cache
from dpm_lab.errors import GuestError
from dpm_lab.guests import Guest, tuples
from tests.unit.dpm_lab.guests import stand_ins

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="commands run in /root")

Make = Callable[[Path], Guest]


@pytest.fixture(params=[stand_ins.qemu, stand_ins.hercules], ids=["qemu", "hercules"])
def made(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Guest:
    """A guest that has not been started."""
    monkeypatch.setenv("PATH", stand_ins.install(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    make: Make = request.param
    return make(tmp_path)


def test_a_guest_runs_one_command_after_the_other(made: Guest) -> None:
    with made as guest:
        first = guest.run('echo "it\'s $((6 * 7))"; exit 3')
        second = guest.run(["printf", "%s|", "a b", "$HOME"])

    assert (first.code, first.output) == (3, "it's 42\n")
    assert (second.code, second.output) == (0, "a b|$HOME|")


def test_output_is_told_as_it_comes(made: Guest, tmp_path: Path) -> None:
    told: list[bytes] = []
    heard = tmp_path / "heard"

    def tell(_: str, data: bytes) -> None:
        told.append(data)
        heard.touch()

    with made as guest:
        command = f"echo one; until [ -e '{heard}' ]; do sleep 0.05; done; echo two"
        result = guest.run(command, output=tell)

    assert b"".join(told) == result.output.encode() == b"one\ntwo\n"
    assert len(told) == 2


def test_a_command_that_has_to_succeed_is_an_error_with_what_it_said(made: Guest) -> None:
    with made as guest:
        assert guest.check("echo fine") == "fine\n"
        with pytest.raises(GuestError, match="ended with 4:\nwhy\n"):
            guest.check("echo why; exit 4")


def test_a_command_that_takes_too_long_is_given_up(made: Guest) -> None:
    with made as guest, pytest.raises(GuestError, match=r"no end|did not end"):
        guest.run("sleep 60", timeout=0.5)


def test_its_nics_are_those_of_its_parameters_there_or_not(made: Guest) -> None:
    assert tuples(made.nics) == stand_ins.TUPLES
    assert [nic.bus_id.devno for nic in made.nics if not nic.present] == [stand_ins.ABSENT]
    made.close()


def test_a_nic_that_is_absent_is_asked_for_and_not_plugged_in_hercules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    guest = stand_ins.hercules(tmp_path)
    files = guest.machine.folder

    parameters = (files / "parameters").read_text()
    plugged = [line for line in (files / "hercules.cnf").read_text().splitlines() if "QETH" in line]
    guest.close()

    assert stand_ins.TUPLES in parameters
    assert plugged == ["0600.3 QETH ports=2 delay=0"]


def test_what_a_killed_run_of_hercules_left_goes_and_a_living_ones_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with subprocess.Popen(["true"]) as ended:
        pass
    runs = cache.folder("osa", "runs")
    for name in (f"{ended.pid}-x", f"{os.getpid()}-x", "notes"):
        (runs / name).mkdir(parents=True)

    guest = stand_ins.hercules(tmp_path)
    guest.close()

    assert {path.name for path in runs.iterdir()} == {f"{os.getpid()}-x", "notes"}


def test_its_console_is_the_guests_alone(made: Guest) -> None:
    with made as guest:
        guest.check("true")

        assert list(guest.console_lines) == ["Linux version 6.1"]


def test_it_runs_from_its_start_to_its_end_and_leaves_nothing(made: Guest) -> None:
    before = made.running
    made.start()
    started = made.running
    made.boot()
    process = int(made.check("ps -o ppid= -p $$ | tr -d ' '"))
    made.close()

    assert (before, started, made.running) == (False, True, False)
    assert not psutil.pid_exists(process)
    runs = cache.folder("osa", "runs")
    assert not runs.exists() or list(runs.iterdir()) == []


def test_a_guest_whose_machine_ends_is_an_error_with_the_consoles_last_lines(
    made: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FATAL", "Kernel panic - not syncing\n")

    with pytest.raises(GuestError, match=r"Linux version 6\.1"), made:
        pass

    assert not made.running
