"""``dpm-image demo``: the whole chain on one machine, from the elements to a guest's answer."""

from __future__ import annotations

import argparse

from dpm_image.boot import LOOK, show
from dpm_image.build.build import build
from dpm_lab.guests.qemu.guest import boot
from dpm_lab.guests.qemu.machine import LEAN_CPU
from dpm_lab.guests.qemu.nics import GuestNic, machine_nics, read_tuples
from dpm_lab.guests.qemu.prepare import TIMEOUT, Request
from dpm_lab.progress import Progress

#: Two ports of one adapter and the first of another; device numbers as a partition would have.
TUPLES = "0001,0,0a0000000011;0004,1,0a0000000012;0a00,0,0a0000000013;"

_DESCRIPTION = f"""\
Builds the Debian image (or takes it from the cache), boots it in QEMU with three NICs whose
firmware MACs are wrong, and shows what the guest says about them when cloud-init is done.
The kernel command line ends in {TUPLES}
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of ``dpm-image demo``."""
    parser = subparsers.add_parser(
        "demo",
        help="build the Debian image, boot it with three NICs, show what became of them",
        description=_DESCRIPTION,
        epilog="Exit status: 0 all NICs are right, 1 something is not, 2 usage.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=TIMEOUT,
        metavar="SECONDS",
        help="give up on the boot after this long (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    """Build, boot, show."""
    progress = Progress()
    progress.line("step 1 of 2: the image (some minutes the first time, then cached)")
    image = build(progress=progress)
    nics = machine_nics(read_tuples(TUPLES))
    progress.restart()
    progress.line(f"step 2 of 2: booting it with {TUPLES}")
    outcome = boot(Request(image, nics, LOOK, timeout=args.timeout, cpu=LEAN_CPU), progress)
    print(f"\nThe machine started with {_started_with(nics)}.\nThe guest's answer:\n")
    return show(nics, outcome)


def _started_with(nics: tuple[GuestNic, ...]) -> str:
    return ", ".join(f"{nic.firmware_mac} on {nic.params.bus_id}" for nic in nics)
