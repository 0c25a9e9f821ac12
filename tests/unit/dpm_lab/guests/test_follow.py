"""Following a machine: a shell script stands in for QEMU and writes what QEMU would."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dpm_lab.guests.qemu.follow import BootError, Follower
from dpm_lab.guests.qemu.instance import Instance
from dpm_lab.guests.qemu.machine import Machine
from dpm_lab.guests.qemu.metadata import Service, serving
from dpm_lab.guests.qemu.nics import machine_nics, read_tuples
from dpm_lab.guests.qemu.report import ReportError, StepResult
from dpm_lab.progress import Progress

DONE = '{"kind": "cloud-init", "errors": [], "datasource": "ConfigDrive"}'
# "aGVsbG8K" is "hello".
STEP = (
    '{"kind": "begin", "step": "run"}\n{"kind": "output", "step": "run", "data": "aGVsbG8K"}\n'
    '{"kind": "exit", "step": "run", "code": 7}\n{"kind": "end"}'
)

Follow = Callable[..., tuple[Follower, str]]


@pytest.fixture
def follow(tmp_path: Path) -> Follow:
    def run(
        script: str,
        *,
        timeout: float = 300,
        until_off: bool = False,
        service: Service | None = None,
    ) -> tuple[Follower, str]:
        machine = Machine(
            Path("disk"),
            tmp_path / "console",
            tmp_path / "report",
            machine_nics(read_tuples("0001,0;")),
            captures=tmp_path,
        )
        errors = tmp_path / "errors"
        said = io.StringIO()
        outputs = bytearray()
        follower = Follower(
            "debian.qcow2",
            machine,
            service,
            Progress(said),
            lambda step, data: outputs.extend(data),
        )
        with errors.open("wb") as sink:
            process = subprocess.Popen(["sh", "-c", script], cwd=tmp_path, stderr=sink)
        try:
            follower.follow(process, errors, timeout=timeout, until_off=until_off)
        finally:
            process.kill()
            process.wait()
        return follower, said.getvalue() + outputs.decode()

    return run


def test_the_report_is_gathered_and_passed_on(follow: Follow) -> None:
    follower, said = follow(f"echo '{DONE}' >report; echo '{STEP}' >>report; sleep 60")

    assert follower.results == {"run": StepResult(7, "hello\n")}
    assert follower.cloud_init is not None
    assert follower.cloud_init.errors == ()
    assert said.endswith("hello\n")


def test_phases_of_the_console_are_told(follow: Follow) -> None:
    console = "[ 1.0] Linux version 6.1"
    _, said = follow(f"echo '{console}' >console; echo '{DONE}\n{STEP}' >report; sleep 60")

    assert "kernel: Linux version 6.1" in said
    assert "cloud-init is done, errors: 0 (ConfigDrive)" in said


def test_a_machine_that_powers_itself_off_is_waited_for(follow: Follow) -> None:
    follower, _ = follow(f"echo '{DONE}\n{STEP}' >report; sleep 0.5; echo off >off", until_off=True)

    assert "run" in follower.results


@pytest.mark.parametrize(
    ("script", "timeout", "reason"),
    [
        ("echo 'no memory' >&2; exit 1", 60, "QEMU ended with status 1. no memory"),
        ("sleep 60", 0.5, "no end after 0 s"),
        ("echo 'Kernel panic - not syncing' >>console; sleep 60", 60, "the kernel panicked"),
    ],
)
def test_a_failure_names_phase_reason_last_lines_and_log(
    follow: Follow, tmp_path: Path, script: str, timeout: float, reason: str
) -> None:
    console = tmp_path / "console"
    console.write_text("[1] Linux version 6\n")

    with pytest.raises(BootError) as caught:
        follow(script, timeout=timeout)

    said = str(caught.value)
    assert said.startswith(f"debian.qcow2 did not get through its boot: {reason}\n")
    assert "phase: kernel" in said
    assert "    [1] Linux version 6\n" in said
    assert said.endswith(str(console))


@pytest.mark.parametrize(
    ("report", "said"),
    [
        ('{"kind": "output", "step": "other", "data": ""}', "did not begin: 'other'"),
        ('{"kind": "exit", "step": "other", "code": 0}', "did not begin: 'other'"),
        ('{"kind": "end"}', "ends before cloud-init is done"),
        ("[" * 100_000, "damaged line"),
        ('{"kind": "exit", "step": "run", "code": 1e999}', "damaged line"),
        ('{"kind": "exit", "step": "run", "code": 256}', "damaged line"),
    ],
    ids=["output", "exit", "end", "deep", "infinite", "code"],
)
def test_a_report_that_is_not_our_programs_is_an_error(
    follow: Follow, tmp_path: Path, report: str, said: str
) -> None:
    (tmp_path / "report").write_text(f"{report}\n")

    with pytest.raises(ReportError, match=said):
        follow("sleep 60")


def test_a_line_without_end_is_an_error(follow: Follow) -> None:
    with pytest.raises(ReportError, match="a line of more than"):
        follow("head -c 3000000 /dev/zero >report; sleep 60")


@pytest.mark.parametrize("file", ["console", "report", "0001.pcap"])
def test_a_guest_that_fills_the_disk_is_ended(
    follow: Follow, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dpm_lab.guests.qemu.follow._LIMIT", 2**20)

    with pytest.raises(BootError, match=f"wrote more than 1 MiB to {file}"):
        # Lines that a report may have: it is read while it grows.
        follow(f"yes '{DONE}' | head -c 2000000 >{file}; sleep 60")


def test_a_console_without_line_ends_is_told_in_pieces(follow: Follow, tmp_path: Path) -> None:
    (tmp_path / "report").write_text(f"{DONE}\n{STEP}\n")

    follower, _ = follow("tr '\\0' x </dev/zero | head -c 3000000 >console; sleep 60", timeout=60)

    assert follower.results["run"].code == 7


def test_nothing_of_a_console_moves_the_cursor(follow: Follow, tmp_path: Path) -> None:
    (tmp_path / "console").write_text("dpm-guest\x9b2J\u202e\x1b]0;title\x07\n")
    (tmp_path / "report").write_text(f"{DONE}\n{STEP}\n")

    _, said = follow("sleep 60")

    assert r"dpm-guest\x9b2J\u202e" in said
    assert said.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("console", "reason"),
    [
        ("", "cloud-init is off: .*/etc/cloud/ds-identify.cfg"),
        (
            "cloud-init[233]: Cloud-init v. 25.1 running 'init'\n",
            "cloud-init ran and did not reach",
        ),
    ],
    ids=["off", "lost"],
)
def test_a_login_prompt_before_a_question_for_metadata_ends_the_boot(
    follow: Follow, tmp_path: Path, console: str, reason: str
) -> None:
    (tmp_path / "console").write_text(f"{console}\nDebian GNU/Linux 12\n\npartition login: ")

    with serving(Instance(())) as service, pytest.raises(BootError, match=reason):
        follow("sleep 60", service=service)


def test_a_guest_that_asked_may_show_its_prompt(follow: Follow, tmp_path: Path) -> None:
    (tmp_path / "console").write_text("partition login: ")

    with serving(Instance(())) as service:
        get = "import urllib.request; urllib.request.urlopen('http://169.254.169.254/openstack')"
        subprocess.run(service.inside([sys.executable, "-I", "-c", get]), check=True)
        follower, _ = follow(f"sleep 0.3; echo '{DONE}\n{STEP}' >report; sleep 60", service=service)

    assert follower.results["run"].code == 7


def test_a_command_that_hangs_is_the_phase_that_is_named(follow: Follow, tmp_path: Path) -> None:
    (tmp_path / "report").write_text(f"{DONE}\n{STEP.splitlines()[0]}\n")

    with pytest.raises(BootError, match="phase: command 'run'"):
        follow("sleep 60", timeout=0.5)
