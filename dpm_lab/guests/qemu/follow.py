"""Follows a machine while it runs: its console for the person who waits, its report for us."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from dpm_lab.errors import LabError
from dpm_lab.guests.qemu.console import LOGIN, Console, brief
from dpm_lab.guests.qemu.machine import Machine, outputs
from dpm_lab.guests.qemu.metadata import Service
from dpm_lab.guests.qemu.report import (
    Begin,
    CloudInit,
    End,
    Event,
    Exit,
    Output,
    Reader,
    ReportError,
    StepResult,
)
from dpm_lab.progress import Progress

_POLL_SECONDS = 0.1

#: What a guest may write to its console, its report or one of its networks. A boot's console has
#: some 50 KiB; the report has what commands write, half as long again.
_LIMIT = 256 * 2**20
_PIECE = 2**20


#: What it is where a guest asks for a login before it asked for its metadata: cloud-init's stages
#: that ask come before systemd-user-sessions.service, and that one before every getty.
_OFF = (
    "cloud-init is off: the guest is up and did not ask for its metadata. ds-identify of 2025 and "
    "later switches cloud-init off on s390x unless /etc/cloud/ds-identify.cfg says otherwise "
    "(policy: enabled; the element dpm-guest writes it); `dpm-image verify` looks at it"
)
_RAN = (
    "cloud-init ran and did not reach the metadata service: no NIC got as far as DHCP, "
    "or the list of datasources lacks OpenStack (/etc/cloud/cloud.cfg.d)"
)


class BootError(LabError):
    """A boot did not get to its end."""


class _Tail:
    """Reads what was added to a file since the last time; the file may not be there yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0

    def read(self) -> Iterator[bytes]:
        try:
            with self._path.open("rb") as file:
                file.seek(self._position)
                while data := file.read(_PIECE):
                    self._position += len(data)
                    yield data
        except FileNotFoundError:
            return


def flooded(machine: Machine) -> str:
    """Return which of its files a guest wrote more to than it may, empty where it did not."""
    sizes = ((path, path.stat().st_size) for path in outputs(machine) if path.exists())
    return next((path.name for path, size in sizes if size > _LIMIT), "")


class Follower:
    """One machine while it runs: what it says is told on, and gathered."""

    def __init__(
        self,
        name: str,
        machine: Machine,
        service: Service | None,
        progress: Progress,
        on_output: Callable[[str, bytes], None],
    ) -> None:
        self.cloud_init: CloudInit | None = None
        self.results: dict[str, StepResult] = {}
        self._name = name
        self._machine = machine
        self._service = service
        self._progress = progress
        self._on_output = on_output
        self._console = Console()
        self._reader = Reader()
        self._outputs: dict[str, bytearray] = {}
        self._step = ""
        self._ended = False
        self._cloud_init_ran = False

    def follow(
        self,
        process: subprocess.Popen[bytes],
        errors: Path,
        *,
        timeout: float,
        until_off: bool,
    ) -> float:
        """Follow the machine until its report ends and return how long cloud-init took.

        `errors` has what QEMU itself says. With `until_off` the machine has to end, too.
        """
        start = time.monotonic()
        done = 0.0
        console = _Tail(self._machine.console_log)
        report = _Tail(self._machine.report)
        self._progress.restart()
        while not self._ended or until_off:
            # Looked at first: what it wrote before it ended is read below.
            status = process.poll()
            if file := flooded(self._machine):
                raise self._failure(f"the guest wrote more than {_LIMIT >> 20} MiB to {file}")
            for data in console.read():
                self._show(data)
            for data in report.read():
                for event in self._reader.feed(data):
                    self._take(event)
                    if isinstance(event, CloudInit):
                        done = time.monotonic() - start
            if status is not None:
                if self._ended:
                    break
                reason = errors.read_text(errors="replace").strip()
                raise self._failure(f"QEMU ended with status {status}. {reason}".strip())
            if time.monotonic() - start > timeout:
                raise self._failure(f"no end after {timeout:.0f} s")
            tail = self._console.tail
            self._progress.status(f"{self._phase()}: {brief(tail[-1]) if tail else 'waiting'}")
            time.sleep(_POLL_SECONDS)
        self._progress.clear()
        return done

    def _show(self, data: bytes) -> None:
        for line in self._console.feed(data):
            if line.phase:
                self._progress.line(f"{line.phase}: {brief(line.text)}")
            elif line.interesting:
                self._progress.line(f"  {brief(line.text)}")
            if line.fatal:
                raise self._failure(line.fatal)
            self._cloud_init_ran |= "Cloud-init v" in line.text
            if line.phase == LOGIN and self._service and not self._service.asked:
                raise self._failure(_RAN if self._cloud_init_ran else _OFF)

    def _phase(self) -> str:
        if self._step:
            return f"command {self._step!r}"
        return "commands" if self.cloud_init else self._console.phase

    def _take(self, event: Event) -> None:
        match event:
            case CloudInit():
                self.cloud_init = event
                errors = len(event.errors) if event.errors is not None else "unknown"
                self._progress.line(f"cloud-init is done, errors: {errors} ({event.datasource})")
            case Begin(step):
                self._step = step
                self._outputs[step] = bytearray()
            case Output(step) | Exit(step) if step not in self._outputs:
                raise ReportError(
                    f"the guest's report has a command that it did not begin: {step!r}"
                )
            case Output(step, data):
                self._outputs[step] += data
                self._progress.clear()
                self._on_output(step, data)
            case Exit(step, code):
                text = self._outputs[step].decode(errors="replace")
                self.results[step] = StepResult(code, text)
                self._step = ""
            case End():
                if self.cloud_init is None:
                    raise ReportError("the guest's report ends before cloud-init is done")
                self._ended = True

    def _failure(self, reason: str) -> BootError:
        self._progress.clear()
        tail = "\n".join(f"    {line}" for line in self._console.tail) or "    (nothing)"
        return BootError(
            f"{self._name} did not get through its boot: {reason}\n"
            f"  phase: {self._phase()}, {self._progress.seconds:.0f} s after the start\n"
            f"  last lines of the console:\n{tail}\n"
            f"  the whole console: {self._machine.console_log}"
        )
