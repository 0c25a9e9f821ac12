"""An image as a guest in QEMU: its disk and metadata are prepared, then it runs commands."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dpm_lab import cache, guests, signals
from dpm_lab.guests.disk import bootrecord, qcow2
from dpm_lab.guests.disk.apart import apart, dying_with_us
from dpm_lab.guests.disk.rawdisk import exported
from dpm_lab.guests.qemu import configdrive, emulator, metadata
from dpm_lab.guests.qemu import machine as qemu
from dpm_lab.guests.qemu.console import clean
from dpm_lab.guests.qemu.follow import BootError, Follower, flooded
from dpm_lab.guests.qemu.instance import Instance
from dpm_lab.guests.qemu.nics import GuestNic
from dpm_lab.guests.qemu.port import Port
from dpm_lab.guests.qemu.report import CloudInit
from dpm_lab.guests.qemu.wire import seen_macs
from dpm_lab.process import ask
from dpm_lab.progress import Progress

#: A boot takes one to two minutes under emulation; a host that is busy takes several times that.
TIMEOUT = 1200.0

OVERLAY = "overlay.qcow2"
CONFIG_DRIVE = "config-drive.iso"


@dataclass(frozen=True)
class Step:
    """A shell command that the guest runs once cloud-init is done."""

    name: str
    command: str


@dataclass(frozen=True)
class Request:
    """What to boot and what to do there."""

    image: Path
    nics: tuple[GuestNic, ...] = ()
    steps: Sequence[Step] = ()
    #: What QEMU loads itself; without it the firmware loads what the image's boot map lists.
    direct: qemu.DirectKernel | None = None
    #: More kernel parameters, in front of the NICs' tuples.
    append: str = ""
    user_data: str = ""
    ssh_keys: Sequence[str] = ()
    ssh_port: int | None = None
    #: A config drive in place of the metadata service that a partition has.
    config_drive: bool = False
    memory: int = 1024
    smp: int = 1
    cpu: str = "max"
    timeout: float = TIMEOUT
    #: Size of the guest's disk in QEMU's spelling (``8G``); the image's own where it is None.
    disk_size: str | None = None
    #: A qcow2 overlay that is made, or used again, and stays; the guest powers itself off.
    keep: Path | None = None
    #: Where the console's text goes; a file that stays only after a failure where it is None.
    log: Path | None = None

    @property
    def parameters(self) -> str:
        """What is appended to the kernel parameters: the firmware's part."""
        return " ".join(filter(None, (self.append, guests.tuples(self.nics))))


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
            self._process = stack.enter_context(_running(_starting(machine, service), errors))
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


@contextlib.contextmanager
def prepared(
    request: Request, log: Path, progress: Progress, *, interactive: bool = False
) -> Iterator[tuple[qemu.Machine, metadata.Service | None, Path]]:
    """Yield the machine to start, its metadata service, and the folder with its files.

    Service and folder last until the end.
    """
    qcow2.check(request.image)
    program = str(emulator.find(progress))
    with contextlib.ExitStack() as stack:
        stack.enter_context(signals.ending())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dpm-image-")))
        disk = request.keep or folder / OVERLAY
        again = disk.is_file()
        if not again:
            _make_overlay(request, disk)
        qcow2.check(disk, backing=request.image)
        if request.direct is None and request.parameters:
            progress.line("appending the boot parameters, as the firmware would")
            try:
                append_to_disk(disk, request.image, request.parameters)
            except bootrecord.BootRecordError as error:
                raise BootError(f"{request.image}: {error}") from error
        told = instance(request, interactive=interactive)
        service = None
        if request.config_drive:
            configdrive.write(told, folder / CONFIG_DRIVE)
        else:
            service = stack.enter_context(metadata.serving(told, request.ssh_port))
        machine = machine_for(request, folder, log, interactive=interactive)
        machine = replace(machine, program=program, sandbox=_has_sandbox(program))
        yield machine, service, folder


def machine_for(
    request: Request, folder: Path, log: Path, *, interactive: bool = False
) -> qemu.Machine:
    """Return the machine for `request`, whose files are in `folder`."""
    direct = request.direct
    if direct is not None:
        parameters = f"{direct.parameters} {request.parameters}".strip()
        direct = replace(direct, parameters=parameters)
    return qemu.Machine(
        disk=request.keep or folder / OVERLAY,
        drive=folder / CONFIG_DRIVE if request.config_drive else None,
        console_log=log,
        report=folder / "report",
        nics=request.nics,
        backing=request.image,
        direct=direct,
        memory=request.memory,
        smp=request.smp,
        cpu=request.cpu,
        interactive=interactive,
        ssh_port=request.ssh_port,
        captures=None if interactive else folder,
    )


def instance(request: Request, *, interactive: bool = False) -> Instance:
    """Return what the guest of `request` is told about itself."""
    return Instance(
        nics=request.nics,
        user_data=request.user_data,
        ssh_keys=request.ssh_keys,
        console_login=interactive,
    )


def append_to_disk(disk: Path, image: Path, parameters: str) -> None:
    """Append `parameters` to those in the boot map of an overlay, unless they are there."""
    with (
        apart(),
        exported(disk, writable=True, backing=image) as raw,
        raw.open("r+b") as file,
    ):
        if not bootrecord.parameters(file).endswith(parameters):
            bootrecord.append_parameters(file, parameters)


def _make_overlay(request: Request, disk: Path) -> None:
    words = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2"]
    words += ["-b", str(request.image.resolve()), str(disk.absolute())]
    words += [request.disk_size] if request.disk_size else []
    answer = ask(words)
    if answer.code:
        raise BootError(f"{request.image}: no overlay can be made: {answer.errors}")


def _log_file() -> Path:
    name = time.strftime("console-%Y%m%d-%H%M%S") + f"-{os.getpid()}.log"
    return cache.folder("logs", name)


def _starting(machine: qemu.Machine, service: metadata.Service | None) -> list[str]:
    command = qemu.command(machine)
    return service.inside(command) if service else dying_with_us(command)


def _has_sandbox(program: str) -> bool:
    # A QEMU that was built without libseccomp knows no such option.
    command = [program, "-sandbox", qemu.SANDBOX, "-version"]
    return not ask(command).code


@contextlib.contextmanager
def _running(command: list[str], errors: Path) -> Iterator[subprocess.Popen[bytes]]:
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
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
