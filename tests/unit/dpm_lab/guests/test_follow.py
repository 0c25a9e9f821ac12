"""Following a machine: a shell script stands in for QEMU, and a thread for the guest's program."""

from __future__ import annotations

import contextlib
import io
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from dpm_lab.guests import Result
from dpm_lab.guests.qemu.follow import LIMIT, BootError, Follower
from dpm_lab.guests.qemu.instance import Instance
from dpm_lab.guests.qemu.machine import Machine
from dpm_lab.guests.qemu.metadata import Service, serving
from dpm_lab.guests.qemu.nics import machine_nics, read_tuples
from dpm_lab.guests.qemu.port import Port
from dpm_lab.guests.qemu.report import ReportError
from dpm_lab.progress import Progress

DONE = '{"kind": "cloud-init", "errors": [], "datasource": "ConfigDrive"}\n'
# "aGVsbG8K" is "hello".
STEP = (
    '{"kind": "output", "step": "run", "data": "aGVsbG8K"}\n'
    '{"kind": "exit", "step": "run", "code": 7}\n'
)
END = '{"kind": "end"}\n'


def send(port: Path, report: str, answers: tuple[str, ...]) -> None:
    """Be a guest: send `report`, and one of `answers` for each line that is asked."""
    # Whoever does not listen any more has seen enough.
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as guest:
        guest.connect(str(port))
        guest.sendall(report.encode())
        asked = guest.makefile("rb")
        for answer in answers:
            asked.readline()
            guest.sendall(answer.encode())
            if answer == END:
                port.with_name("ended").touch()
        asked.readline()


@dataclass(frozen=True)
class Followed:
    """A guest that came up and answered its command."""

    follower: Follower
    result: Result
    said: str


Follow = Callable[..., Followed]


@pytest.fixture
def follow(tmp_path: Path) -> Follow:
    def run(
        script: str = "sleep 60",
        report: str = DONE,
        answers: tuple[str, ...] = (STEP,),
        *,
        timeout: float = 300,
        until_off: bool = False,
        service: Service | None = None,
        limit: int = LIMIT,
    ) -> Followed:
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
        with contextlib.ExitStack() as stack:
            port = stack.enter_context(contextlib.closing(Port(machine.report)))
            guest = threading.Thread(target=send, args=(machine.report, report, answers))
            guest.start()
            sink = stack.enter_context(errors.open("wb"))
            process = stack.enter_context(
                subprocess.Popen(["sh", "-c", script], cwd=tmp_path, stderr=sink)
            )
            stack.callback(process.kill)
            follower = Follower(
                "debian.qcow2",
                machine,
                process,
                port,
                errors,
                service=service,
                progress=Progress(said),
                limit=limit,
            )
            follower.until_up(timeout)
            result = follower.run("run", "x", timeout, lambda _, data: outputs.extend(data))
            if until_off:
                follower.power_off(timeout)
                assert process.returncode == 0
        guest.join()
        return Followed(follower, result, said.getvalue() + outputs.decode())

    return run


def test_the_report_is_gathered_and_passed_on(follow: Follow) -> None:
    followed = follow()

    assert followed.result == Result(7, "hello\n")
    assert followed.follower.cloud_init is not None
    assert followed.follower.cloud_init.errors == ()
    assert followed.said.endswith("hello\n")


def test_phases_of_the_console_are_told(follow: Follow, tmp_path: Path) -> None:
    (tmp_path / "console").write_text("[ 1.0] Linux version 6.1\n")

    said = follow().said

    assert "kernel: Linux version 6.1" in said
    assert "cloud-init is done, errors: 0 (ConfigDrive)" in said


def test_a_machine_that_powers_itself_off_is_waited_for(follow: Follow, tmp_path: Path) -> None:
    script = "until [ -e ended ]; do sleep 0.1; done; sleep 0.3; echo off >off"

    followed = follow(script, answers=(STEP, END), until_off=True)

    assert followed.result.code == 7
    assert (tmp_path / "off").exists()


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
        follow(script, "", timeout=timeout)

    said = str(caught.value)
    assert said.startswith(f"debian.qcow2 did not get through its boot: {reason}\n")
    assert "phase: kernel" in said
    assert "    [1] Linux version 6\n" in said
    assert said.endswith(str(console))


@pytest.mark.parametrize(
    ("report", "said"),
    [
        ('{"kind": "output", "step": "other", "data": ""}', "not asked for: 'other'"),
        ('{"kind": "exit", "step": "other", "code": 0}', "not asked for: 'other'"),
        ('{"kind": "end"}', "ends before cloud-init is done"),
        ("[" * 100_000, "damaged line"),
        ('{"kind": "exit", "step": "run", "code": 1e999}', "damaged line"),
        ('{"kind": "exit", "step": "run", "code": 256}', "damaged line"),
    ],
    ids=["output", "exit", "end", "deep", "infinite", "code"],
)
def test_a_report_that_is_not_our_programs_is_an_error(
    follow: Follow, report: str, said: str
) -> None:
    with pytest.raises(ReportError, match=said):
        follow(report=f"{report}\n")


def test_an_answer_to_another_command_is_an_error(follow: Follow) -> None:
    with pytest.raises(ReportError, match="not asked for: 'other'"):
        follow(answers=('{"kind": "exit", "step": "other", "code": 0}\n',))


def test_a_line_without_end_is_an_error(follow: Follow) -> None:
    with pytest.raises(ReportError, match="a line of more than"):
        follow(report="\0" * 3_000_000)


@pytest.mark.parametrize("file", ["console", "report", "0001.pcap"])
def test_a_guest_that_fills_the_disk_is_ended(follow: Follow, file: str) -> None:
    # Lines that a report may have: it is read while it grows.
    lines = DONE * (2_000_000 // len(DONE))
    script = "" if file == "report" else f"head -c 2000000 /dev/zero >{file}; "

    with pytest.raises(BootError, match=f"wrote more than 1 MiB to {file}"):
        follow(f"{script}sleep 60", lines if file == "report" else "", limit=2**20)


def test_a_console_without_line_ends_is_told_in_pieces(follow: Follow) -> None:
    script = "tr '\\0' x </dev/zero | head -c 3000000 >console; sleep 60"

    assert follow(script, timeout=60).result.code == 7


def test_nothing_of_a_console_moves_the_cursor(follow: Follow, tmp_path: Path) -> None:
    (tmp_path / "console").write_text("dpm-guest\x9b2J\u202e\x1b]0;title\x07\n")

    said = follow().said

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
        follow(report="", service=service)


def test_a_guest_that_asked_may_show_its_prompt(follow: Follow, tmp_path: Path) -> None:
    (tmp_path / "console").write_text("partition login: ")

    with serving(Instance(())) as service:
        get = "import urllib.request; urllib.request.urlopen('http://169.254.169.254/openstack')"
        subprocess.run(service.inside([sys.executable, "-I", "-c", get]), check=True)
        followed = follow(service=service)

    assert followed.result.code == 7


def test_a_command_that_hangs_is_the_phase_that_is_named(follow: Follow) -> None:
    with pytest.raises(BootError, match="phase: command 'run'"):
        follow(answers=(), timeout=5)
