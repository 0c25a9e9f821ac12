"""Follows a machine while it runs: its console for the person who waits, its answers for us."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from dpm_lab.errors import GuestError
from dpm_lab.guests import OnOutput, Result
from dpm_lab.guests.qemu.console import LOGIN, Console, brief
from dpm_lab.guests.qemu.machine import Machine, outputs
from dpm_lab.guests.qemu.metadata import Service
from dpm_lab.guests.qemu.port import Port
from dpm_lab.guests.qemu.report import (
    CloudInit,
    End,
    Event,
    Exit,
    Output,
    Reader,
    ReportError,
)
from dpm_lab.progress import Progress

_POLL_SECONDS = 0.1

#: What a guest may write to its console, its report or one of its networks. A boot's console has
#: some 50 KiB; the report has what commands write, half as long again.
LIMIT = 256 * 2**20
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


class BootError(GuestError):
    """A guest did not get through its boot, or through a command."""


class Tail:
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


def flooded(machine: Machine, limit: int = LIMIT) -> str:
    """Return which of its files a guest wrote more to than it may, empty where it did not."""
    sizes = ((path, path.stat().st_size) for path in outputs(machine) if path.exists())
    return next((path.name for path, size in sizes if size > limit), "")


class Follower:
    """One machine while it runs: what it says is told on, and what is asked of it is answered.

    Args:
        name: the image's, for messages
        process: QEMU
        errors: the file that has what QEMU itself says
        service: the guest's metadata service, where it has one
        limit: what a guest may write to each of its files
    """

    def __init__(
        self,
        name: str,
        machine: Machine,
        process: subprocess.Popen[bytes],
        port: Port,
        errors: Path,
        *,
        service: Service | None,
        progress: Progress,
        limit: int = LIMIT,
    ) -> None:
        self.cloud_init: CloudInit | None = None
        #: Seconds from the start until cloud-init was done.
        self.seconds = 0.0
        self._name = name
        self._machine = machine
        self._process = process
        self._port = port
        self._errors = errors
        self._service = service
        self._progress = progress
        self._limit = limit
        self._start = time.monotonic()
        self._tail = Tail(machine.console_log)
        self._console = Console()
        self._reader = Reader()
        self._received = 0
        self._step = ""
        self._output = bytearray()
        self._on_output: OnOutput | None = None
        self._code: int | None = None
        self._ended = False
        self._cloud_init_ran = False

    def until_up(self, timeout: float) -> None:
        """Return when cloud-init is done: from then on the guest takes commands.

        Raises:
            BootError: it came to nothing; the text says in which phase, and has the console's end.
            ReportError: the guest sends what its program never does.
        """
        self._progress.restart()
        self._wait(lambda: self.cloud_init is not None, timeout)

    def run(
        self, step: str, command: str, timeout: float, on_output: OnOutput | None = None
    ) -> Result:
        """Have the guest's shell run a command, which is called `step` in messages.

        Raises:
            BootError, ReportError: as :meth:`until_up` does.
        """
        self._step, self._code, self._on_output = step, None, on_output
        self._output.clear()
        self._port.send(step=step, command=command)
        self._wait(lambda: self._code is not None, timeout)
        assert self._code is not None
        self._step = ""
        return Result(self._code, self._output.decode(errors="replace"))

    def power_off(self, timeout: float) -> None:
        """Have the guest power itself off, and wait until QEMU has ended."""
        self._port.send(power_off=True)
        self._wait(lambda: self._ended and self._process.poll() is not None, timeout)

    def _wait(self, done: Callable[[], bool], timeout: float) -> None:
        end = time.monotonic() + timeout
        while not done():
            # Looked at first: what it wrote before it ended is read below.
            status = self._process.poll()
            self._look()
            if done():
                break
            if self._ended and self._step:
                raise ReportError(f"the guest's report ends without an answer to {self._step}")
            if status is not None:
                reason = self._errors.read_text(errors="replace").strip()
                raise self._failure(f"QEMU ended with status {status}. {reason}".strip())
            if time.monotonic() > end:
                raise self._failure(f"no end after {timeout:.0f} s")
            tail = self._console.tail
            self._progress.status(f"{self._phase()}: {brief(tail[-1]) if tail else 'waiting'}")
            self._port.wait(_POLL_SECONDS)
        self._progress.clear()

    def _look(self) -> None:
        """Take in all that the machine has said since the last time."""
        if file := flooded(self._machine, self._limit):
            raise self._flood(file)
        for data in self._tail.read():
            self._show(data)
        for data in self._port.read():
            self._received += len(data)
            if self._received > self._limit:
                raise self._flood(self._machine.report.name)
            for event in self._reader.feed(data):
                self._take(event)

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
                self.cloud_init, self.seconds = event, time.monotonic() - self._start
                errors = len(event.errors) if event.errors is not None else "unknown"
                self._progress.line(f"cloud-init is done, errors: {errors} ({event.datasource})")
            case Output(step) | Exit(step) if step != self._step:
                raise ReportError(
                    f"the guest's report has a command that it was not asked for: {step!r}"
                )
            case Output(_, data):
                self._output += data
                if self._on_output is not None:
                    self._progress.clear()
                    self._on_output("out", data)
            case Exit(_, code):
                self._code = code
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

    def _flood(self, file: str) -> BootError:
        return self._failure(f"the guest wrote more than {self._limit >> 20} MiB to {file}")
