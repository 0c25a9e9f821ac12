"""Boots an image once: prepares the disks, runs QEMU, follows console and report to the end."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dpm_lab import cache, signals
from dpm_lab.guests.disk import bootrecord, qcow2
from dpm_lab.guests.disk.apart import apart, dying_with_us
from dpm_lab.guests.disk.rawdisk import exported
from dpm_lab.guests.qemu import configdrive, emulator, metadata
from dpm_lab.guests.qemu import machine as qemu
from dpm_lab.guests.qemu.follow import BootError, Follower, flooded
from dpm_lab.guests.qemu.instance import Instance, Step
from dpm_lab.guests.qemu.nics import GuestNic
from dpm_lab.guests.qemu.report import CloudInit, ReportError, StepResult
from dpm_lab.guests.qemu.wire import seen_macs
from dpm_lab.progress import Progress

#: A boot takes one to two minutes under emulation; a host that is busy takes several times that.
TIMEOUT = 1200.0

OVERLAY = "overlay.qcow2"
CONFIG_DRIVE = "config-drive.iso"


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
        tuples = "".join(map(str, (nic.params for nic in self.nics)))
        return " ".join(filter(None, (self.append, tuples)))


@dataclass(frozen=True)
class Outcome:
    """What became of a boot that got to its end."""

    cloud_init: CloudInit
    steps: dict[str, StepResult]
    #: Source MACs on the wire, by device number.
    seen: dict[str, tuple[str, ...]]
    seconds: float


def boot(
    request: Request,
    progress: Progress,
    on_output: Callable[[str, bytes], None] = lambda step, data: None,
) -> Outcome:
    """Boot, wait until cloud-init is done and all steps ended, and end the machine.

    `on_output` gets what steps write while they write it.

    Raises:
        BootError: it came to nothing; the text says in which phase and where the console's text is.
    """
    log = request.log or _log_file()
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    with prepared(request, log, progress) as (machine, service, folder):
        errors = folder / "qemu.log"
        follower = Follower(request.image.name, machine, service, progress, on_output)
        with _running(_starting(machine, service), errors) as process:
            seconds = follower.follow(
                process, errors, timeout=request.timeout, until_off=request.keep is not None
            )
        seen = seen_macs(folder, request.nics)
    if request.log is None:
        log.unlink(missing_ok=True)
    if missing := [step.name for step in request.steps if step.name not in follower.results]:
        raise ReportError(f"the guest's report ends without an answer to {', '.join(missing)}")
    assert follower.cloud_init is not None
    return Outcome(follower.cloud_init, follower.results, seen, seconds)


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
        steps=request.steps,
        user_data=request.user_data,
        ssh_keys=request.ssh_keys,
        power_off=request.keep is not None and not interactive,
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
    answer = subprocess.run(words, check=False, text=True, capture_output=True)
    if answer.returncode:
        raise BootError(f"{request.image}: no overlay can be made: {answer.stderr.strip()}")


def _log_file() -> Path:
    name = time.strftime("console-%Y%m%d-%H%M%S") + f"-{os.getpid()}.log"
    return cache.folder("logs", name)


def _starting(machine: qemu.Machine, service: metadata.Service | None) -> list[str]:
    command = qemu.command(machine)
    return service.inside(command) if service else dying_with_us(command)


def _has_sandbox(program: str) -> bool:
    # A QEMU that was built without libseccomp knows no such option.
    command = [program, "-sandbox", qemu.SANDBOX, "-version"]
    return not subprocess.run(command, check=False, capture_output=True).returncode


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
