"""``dpm-image boot``: boot an image in QEMU with NICs whose MACs only the agent can make right."""

from __future__ import annotations

import argparse
import codecs
import shlex
import socket
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

from dpm_image.disk.bootentry import extract
from dpm_image.errors import ImageError
from dpm_lab import signals
from dpm_lab.errors import LabError
from dpm_lab.guests.qemu import machine as qemu
from dpm_lab.guests.qemu import metadata
from dpm_lab.guests.qemu.guest import Outcome, boot, boot_interactively
from dpm_lab.guests.qemu.machine import LEAN_CPU
from dpm_lab.guests.qemu.nics import GuestNic, machine_nics, read_nic, read_tuples
from dpm_lab.guests.qemu.prepare import TIMEOUT, Request, Step, machine_for
from dpm_lab.guests.qemu.verdict import ADDRESSES, INTERFACES, STATUS, STATUS_JSON, judge
from dpm_lab.plain import plain
from dpm_lab.progress import Progress

_DESCRIPTION = """\
Boots IMAGE in QEMU, as a DPM partition would: its NICs are virtio-ccw devices at their device
numbers, with MACs that the firmware chose, and the boot parameters say which MACs they shall have.
As a cloud does, a metadata service at 169.254.169.254 tells cloud-init which NICs there are, by
their wanted MACs, and DHCP gives each an address. When cloud-init is done the guest answers
`dpm-guest status`, and what it says is compared with its sysfs, with its addresses and with the
packets that left it.

The image is never written to: the guest's disk is an overlay on it, thrown away in the end
(but see --keep). The guest's networks lead to its metadata service and nowhere else: QEMU runs in
a network namespace of its own.

Exit status: 0 all is right, 1 something is not, 2 usage; with --run the command's own.
"""

_EPILOG = """\
examples:
  dpm-image boot debian.qcow2 --nic 0001,1,0a0000000011 --nic 0004,0
  dpm-image boot debian.qcow2 --tuples '0001,1,0a0000000011;' --run 'ip address'
  dpm-image boot debian.qcow2 --nic 0001,0,0a0000000011 --console
"""

T = TypeVar("T")

#: What a guest is asked where no command is given.
LOOK = (STATUS, STATUS_JSON, INTERFACES, ADDRESSES)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of ``dpm-image boot``."""
    parser = subparsers.add_parser(
        "boot",
        help="boot an image in QEMU and look at its NICs",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("image", type=Path, metavar="IMAGE", help="a qcow2 image for s390x")
    nics = parser.add_argument_group("NICs")
    which = nics.add_mutually_exclusive_group()
    which.add_argument(
        "--nic",
        action="append",
        type=_typed(read_nic),
        metavar="DEVNO,PORT[,MAC]",
        help="a NIC, such as 0001,1,0a0000000011; repeat it for more",
    )
    which.add_argument(
        "--tuples",
        type=_typed(read_tuples),
        metavar="TUPLES",
        help="all NICs as they stand in boot-os-specific-parameters: '0001,1,0a0000000011;0004,0;'",
    )
    nics.add_argument(
        "--firmware-mac",
        choices=("wrong", "right"),
        default="wrong",
        help="MACs that the machine starts with: others than wanted, or the wanted ones "
        "(default: %(default)s)",
    )
    nics.add_argument(
        "--absent",
        action="append",
        default=[],
        metavar="DEVNO",
        help="name this NIC in the boot parameters, but leave the device out of the machine",
    )
    machine = parser.add_argument_group("machine")
    machine.add_argument(
        "--ipl",
        choices=("disk", "kernel"),
        default="disk",
        help="disk: through the boot loader that is on the image, with the boot parameters "
        "appended in its boot map; kernel: QEMU loads the kernel and the initial RAM disk that "
        "are in the image (reading them takes root) (default: %(default)s)",
    )
    machine.add_argument(
        "--append", default="", metavar="TEXT", help="more kernel parameters, before the tuples"
    )
    machine.add_argument(
        "--memory", type=int, default=1024, metavar="MIB", help="default: %(default)s"
    )
    machine.add_argument(
        "--smp",
        type=int,
        default=1,
        metavar="N",
        help="processors; more of them make an emulated boot slower (default: %(default)s)",
    )
    machine.add_argument(
        "--cpu",
        default="max",
        metavar="MODEL",
        help="as in QEMU's -cpu, where the processor is emulated; an image that can do without "
        f"vector registers, as Debian's, boots sooner with {LEAN_CPU} (default: %(default)s)",
    )
    machine.add_argument("--size", metavar="SIZE", help="a larger disk than the image's, like 8G")
    machine.add_argument(
        "--keep",
        type=Path,
        metavar="OVERLAY",
        help="keep what the guest writes in this qcow2 overlay, and use it again where it is "
        "there; the guest powers itself off in the end",
    )
    guest = parser.add_argument_group("guest")
    guest.add_argument(
        "--config-drive",
        action="store_true",
        help="tell the guest on a config drive, with static addresses, in place of metadata "
        "service and DHCP; its networks then lead nowhere, and no namespace is needed. No "
        "partition has one: the driver refuses it",
    )
    guest.add_argument("--user-data", type=Path, metavar="FILE", help="user data for cloud-init")
    guest.add_argument(
        "--ssh-key",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="public key for the image's user; a local port then leads to the guest's SSH server",
    )
    guest.add_argument(
        "--run",
        metavar="COMMAND",
        help="run it as root in a shell of the guest once cloud-init is done, show what it "
        "writes, and return its exit status",
    )
    guest.add_argument(
        "--console",
        action="store_true",
        help="console on this terminal, with root logged in, until the machine ends",
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=TIMEOUT,
        metavar="SECONDS",
        help="give up after this long; emulation on a busy machine is slow (default: %(default)s)",
    )
    parser.add_argument("--log", type=Path, metavar="FILE", help="keep the console's text there")
    parser.add_argument("--dry-run", action="store_true", help="show QEMU's command line, no more")
    parser.set_defaults(parser=parser)


def run(args: argparse.Namespace) -> int:
    """Boot as the options say."""
    if args.console and args.run:
        args.parser.error("--console and --run exclude each other: type the command there")
    if args.dry_run:
        print(shlex.join(planned(args)))
        return 0
    with ExitStack() as stack:
        direct, progress = None, Progress()
        if args.ipl == "kernel":
            progress.line(f"taking kernel and initial RAM disk out of {args.image.name}")
            stack.enter_context(signals.ending())
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="dpm-image-"))
            direct = extract(args.image, Path(folder))
        return _run(args, request_from(args, direct), progress)


def _run(args: argparse.Namespace, request: Request, progress: Progress) -> int:
    if request.ssh_port is not None:
        progress.line(f"the guest's SSH server: ssh -p {request.ssh_port} USER@127.0.0.1")
    if args.console:
        return boot_interactively(request, progress)
    if args.run:
        write = writer()
        outcome = boot(request, progress, lambda _, data: write(data))
        return outcome.steps["run"].code
    outcome = boot(request, progress)
    return show(request.nics, outcome)


def request_from(args: argparse.Namespace, direct: qemu.DirectKernel | None) -> Request:
    """Return what the parsed options ask for."""
    params = args.tuples or tuple(args.nic or ())
    return Request(
        image=args.image,
        nics=machine_nics(params, args.firmware_mac, args.absent),
        steps=[Step("run", args.run)] if args.run else LOOK,
        direct=direct,
        append=args.append,
        user_data=_read(args.user_data) if args.user_data else "",
        ssh_keys=[_read(path).strip() for path in args.ssh_key],
        ssh_port=_free_port() if args.ssh_key else None,
        config_drive=args.config_drive,
        memory=args.memory,
        smp=args.smp,
        cpu=args.cpu,
        timeout=args.timeout,
        disk_size=args.size,
        keep=args.keep,
        log=args.log,
    )


def planned(args: argparse.Namespace) -> list[str]:
    """Return QEMU's command line with names in place of the files that a boot would make."""
    kernel = qemu.DirectKernel(Path("kernel"), Path("initrd"), "<parameters of the image>")
    request = request_from(args, kernel if args.ipl == "kernel" else None)
    log = request.log or Path("console.log")
    words = qemu.command(machine_for(request, Path(), log, interactive=args.console))
    return words if request.config_drive else [*metadata.entering("<metadata service>"), *words]


def show(nics: tuple[GuestNic, ...], outcome: Outcome) -> int:
    """Print the guest's own answer and the verdict on it; return the exit status."""
    status = outcome.steps[STATUS.name]
    print(plain(status.output, keep="\n\t"), end="", flush=True)
    right = status.code == 0
    if not right:
        print(f"dpm-guest status ended with status {status.code}")
    for verdict in judge(nics, outcome):
        for problem in verdict.problems:
            right = False
            print(f"{verdict.nic.params.bus_id.devno}: {problem}")
    if outcome.cloud_init.errors is None:
        right = False
        print("cloud-init left no result")
    for error in outcome.cloud_init.errors or ():
        right = False
        print(f"cloud-init: {plain(error)}")
    if right:
        print(
            f"All {len(nics)} NICs are right, and sysfs, addresses and packets agree. "
            f"cloud-init was done after {outcome.seconds:.0f} s."
        )
    return 0 if right else 1


def _typed(read: Callable[[str], T]) -> Callable[[str], T]:
    """Make `read`'s errors usage errors, with their own text."""

    def typed(text: str) -> T:
        try:
            return read(text)
        except LabError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return typed


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise ImageError(f"{path} cannot be read as text: {error}") from error


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def writer() -> Callable[[bytes], None]:
    """Return what writes a command's output: as it is, but to a terminal no more than text."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def text(data: bytes) -> None:
        print(plain(decoder.decode(data), keep="\n\t"), end="", flush=True)

    def bytes_(data: bytes) -> None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    return text if sys.stdout.isatty() else bytes_
