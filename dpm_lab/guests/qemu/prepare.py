"""What a guest in QEMU is given before it starts: disk, boot parameters, metadata, machine."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dpm_lab import guests, signals
from dpm_lab.guests.disk import bootrecord, qcow2
from dpm_lab.guests.disk.apart import apart
from dpm_lab.guests.disk.rawdisk import exported
from dpm_lab.guests.qemu import configdrive, emulator, metadata
from dpm_lab.guests.qemu import machine as qemu
from dpm_lab.guests.qemu.follow import BootError
from dpm_lab.guests.qemu.instance import Instance
from dpm_lab.guests.qemu.nics import GuestNic
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
        machine = replace(machine, program=program, sandbox=has_sandbox(program))
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


def has_sandbox(program: str) -> bool:
    """Whether this QEMU can have the kernel refuse it what it has no need of."""
    # A QEMU that was built without libseccomp knows no such option.
    command = [program, "-sandbox", qemu.SANDBOX, "-version"]
    return not ask(command).code
