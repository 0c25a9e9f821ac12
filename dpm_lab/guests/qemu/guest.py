"""An image as a guest in QEMU: boots, takes commands, and ends."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dpm_lab import cache, guests
from dpm_lab.guests.disk.apart import dying_with_us
from dpm_lab.guests.qemu import machine as qemu
from dpm_lab.guests.qemu import metadata
from dpm_lab.guests.qemu.console import clean
from dpm_lab.guests.qemu.follow import BootError, Follower, flooded
from dpm_lab.guests.qemu.port import Port
from dpm_lab.guests.qemu.prepare import Request, prepared
from dpm_lab.guests.qemu.report import CloudInit
from dpm_lab.guests.qemu.wire import seen_macs
from dpm_lab.process import wait_or_kill
from dpm_lab.progress import Progress


@dataclass(frozen=True)
class Outcome:
    """What became of a boot that got to its end."""

    cloud_init: CloudInit
    steps: dict[str, guests.Result]
    #: Source MACs on the wire, by device number.
    seen: dict[str, tuple[str, ...]]
    seconds: float


class Guest(guests.Guest):
    """An image in QEMU, told what a cloud would tell it; up when its cloud-init is done."""

    def __init__(self, request: Request, progress: Progress | None = None) -> None:
        self.nics = request.nics
        self.log = request.log or _log_file()
        self._request = request
        self._progress = progress if progress is not None else Progress(quiet=True)
        self._stack = contextlib.ExitStack()
        self._process: subprocess.Popen[bytes] | None = None
        self._follower: Follower | None = None
        self._folder = Path()

    def start(self) -> None:
        """Prepare disk and metadata, and start QEMU.

        Raises:
            GuestError: a part of it came to nothing.
        """
        if self._follower is not None:
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.unlink(missing_ok=True)
        with contextlib.ExitStack() as stack:
            machine, service, self._folder = stack.enter_context(
                prepared(self._request, self.log, self._progress)
            )
            port = stack.enter_context(contextlib.closing(Port(machine.report)))
            errors = self._folder / "qemu.log"
            self._process = stack.enter_context(started(_starting(machine, service), errors))
            self._follower = Follower(
                self._request.image.name,
                machine,
                self._process,
                port,
                errors,
                service=service,
                progress=self._progress,
            )
            self._stack = stack.pop_all()

    def boot(self) -> None:
        """Boot, and return when cloud-init is done.

        Raises:
            BootError: it came to nothing; the text says in which phase, and where the console's
                text is.
        """
        self.start()
        self._up.until_up(self._request.timeout)

    def run(
        self,
        command: str | Sequence[str],
        *,
        timeout: float | None = None,
        output: guests.OnOutput | None = None,
        step: str = "",
    ) -> guests.Result:
        """Run a command as root; `step` is its name in messages (default: the command)."""
        text = command if isinstance(command, str) else shlex.join(command)
        seconds = self._request.timeout if timeout is None else timeout
        return self._up.run(step or text, text, seconds, output)

    def power_off(self, timeout: float | None = None) -> None:
        """Have the guest power itself off, so that its disk is whole."""
        self._up.power_off(self._request.timeout if timeout is None else timeout)

    @property
    def cloud_init(self) -> CloudInit:
        """What cloud-init came to."""
        assert self._up.cloud_init is not None
        return self._up.cloud_init

    @property
    def seconds(self) -> float:
        """How long it took from the start until cloud-init was done."""
        return self._up.seconds

    @property
    def seen(self) -> dict[str, tuple[str, ...]]:
        """Source MACs on the wire so far, by device number."""
        return seen_macs(self._folder, self._request.nics)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def console_lines(self) -> list[str]:
        """What its console's file has."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return [line for line in map(clean, text.split("\n")) if line]

    def close(self) -> None:
        """End QEMU and the metadata service; the console's file stays."""
        self._stack.close()

    @property
    def _up(self) -> Follower:
        if self._follower is None:
            raise BootError(f"{self._request.image.name} has not been started")
        return self._follower


def boot(request: Request, progress: Progress, on_output: guests.OnOutput | None = None) -> Outcome:
    """Boot, wait until cloud-init is done and all steps ended, and end the machine.

    `on_output` gets what steps write while they write it.

    Raises:
        BootError: it came to nothing; the text says in which phase and where the console's text is.
    """
    end = time.monotonic() + request.timeout
    with Guest(request, progress) as guest:
        steps = {
            step.name: guest.run(
                step.command, timeout=end - time.monotonic(), output=on_output, step=step.name
            )
            for step in request.steps
        }
        if request.keep is not None:
            guest.power_off(end - time.monotonic())
        outcome = Outcome(guest.cloud_init, steps, guest.seen, guest.seconds)
    if request.log is None:
        guest.log.unlink(missing_ok=True)
    return outcome


def boot_interactively(request: Request, progress: Progress) -> int:
    """Boot with the console on the caller's terminal, until the machine ends."""
    log = request.log or _log_file()
    log.parent.mkdir(parents=True, exist_ok=True)
    with prepared(request, log, progress, interactive=True) as (machine, service, _):
        progress.line("console follows; Ctrl-A x ends the machine, Ctrl-A h lists the other keys")
        with _ended(subprocess.Popen(_starting(machine, service))) as process:
            while process.poll() is None:
                if file := flooded(machine):
                    raise BootError(f"{request.image}: the guest wrote too much to {file}")
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(1.0)
    print(f"console log: {log}")
    return 1 if process.returncode else 0


def _log_file() -> Path:
    name = time.strftime("console-%Y%m%d-%H%M%S") + f"-{os.getpid()}.log"
    return cache.folder("logs", name)


def _starting(machine: qemu.Machine, service: metadata.Service | None) -> list[str]:
    command = qemu.command(machine)
    return service.inside(command) if service else dying_with_us(command)


@contextlib.contextmanager
def started(command: list[str], errors: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start QEMU, and see to it that it has ended in the end; what it says goes to `errors`."""
    with errors.open("wb") as sink:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            # Ctrl-C reaches the whole foreground group; QEMU is ended by us, below.
            start_new_session=True,
        )
    with _ended(process):
        yield process


@contextlib.contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """See to it that a process has ended in the end."""
    try:
        yield process
    finally:
        process.terminate()
        wait_or_kill(process, 10)
