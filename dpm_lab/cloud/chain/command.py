"""``dpm-lab demo``: the whole chain, watched from its first link to its last."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from dpm_lab.cloud import processes
from dpm_lab.cloud.chain.demo import Demo
from dpm_lab.cloud.chain.failures import Failures
from dpm_lab.cloud.chain.stories import STORIES
from dpm_lab.cloud.end import end
from dpm_lab.cloud.errors import CloudError
from dpm_lab.cloud.machine import check
from dpm_lab.cloud.place import MACHINE, Place, default_folder
from dpm_lab.cloud.start import Start
from dpm_lab.errors import UsageError
from dpm_lab.plain import plain
from dpm_lab.progress import Progress

NAME = "demo"
HOST = "127.0.0.14"
ALL = "all"

_DESCRIPTION = """\
Starts a stock OpenStack with the lab's mainframe ('dpm-lab cloud'), creates a server with two ports
from a volume of the Debian image, and waits for a real s390x Linux to come up in it. Then shows for
each NIC what every link of the chain says of it: Neutron, the HMC, the boot parameters, the guest's
command line, the agent in the guest, the address that cloud-init has set by DHCP. It logs in by ssh
with the key pair that Nova was given. The same again after a reboot, and after a stop and a start
with one port swapped for another; then the server is deleted, and nothing may be left of it."""

_REAL = """\
Real: OpenStack 2026.2, nova-dpm's driver, mechanism driver and agents; the image; its Linux for
s390x with udev, dpm-guest, cloud-init, systemd; DHCP and metadata of Neutron; ssh.
Imitated: the HMC (dpm-lab hmc); the machine (QEMU's emulation, no PR/SM); NICs are virtio devices
at the device numbers of qeth ones, and have no port number ('dpm-lab osa' has the true driver);
disks are virtio ones, not zfcp's; boot parameters are appended in the disk's boot map."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of ``dpm-lab demo``."""
    parser = subparsers.add_parser(
        NAME,
        help="the whole chain: a server in OpenStack, a real Linux in it, its NICs from end to end",
        description=_DESCRIPTION,
        epilog=f"{_failures()}\n\n"
        "Exit status: 0 all is as it should be, 1 something is not, 2 usage. Needs root.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--folder",
        type=Path,
        metavar="DIR",
        help="of its cloud (default: ~/.cache/nova-dpm/cloud/demo)",
    )
    parser.add_argument(
        "--host",
        metavar="ADDRESS",
        help=f"of its cloud, all of whose services are on it (default: {HOST})",
    )
    parser.add_argument(
        "--machine",
        action="append",
        default=[],
        metavar="NAME",
        help="'dpm-lab hmc --list' shows them; more than once for a server on each, at the same"
        f" time (default: {MACHINE})",
    )
    parser.add_argument(
        "--image", type=Path, metavar="FILE", help="default: the newest that dpm-image has made"
    )
    parser.add_argument(
        "--quick", action="store_true", help="one boot: no reboot, no stop and start"
    )
    parser.add_argument(
        "--failure",
        action="append",
        choices=[*STORIES, ALL],
        metavar="NAME",
        help="make this failure instead, and show what each says of it; can be repeated",
    )
    parser.add_argument(
        "--keep", action="store_true", help="leave cloud and server running at the end"
    )


def _failures() -> str:
    lines = [f"  {name:<19} {each.what}" for name, each in STORIES.items()]
    return "\n".join(["failures:", *lines, f"  {ALL:<19} all of them, one after another"])


def run(args: argparse.Namespace) -> int:
    """Do it."""
    if os.geteuid():
        raise CloudError("the guest's networks are taps and namespaces: run it as root")
    folder = (args.folder or default_folder().parent / NAME).expanduser().absolute()
    if args.failure and len(args.machine) > 1:
        raise UsageError("--failure makes them on one --machine")
    check(args.machine)
    place = Place.chosen(folder, args.host, args.machine, {}, boot=True, usual=HOST)
    progress = Progress()
    progress.line(f"a cloud in {folder}, on {place.host}, with {place.about}")
    image = args.image.expanduser().absolute() if args.image else None
    Start(place, progress, image).run()
    demo, failures = Demo(place, progress, NAME), Failures(place, progress)
    try:
        if args.failure:
            names = list(STORIES) if ALL in args.failure else args.failure
            problems = failures.run(names)
            if not args.keep:
                failures.tidy()
        else:
            problems = demo.run(quick=args.quick, keep=args.keep)
    except BaseException:
        progress.clear()
        if not args.keep:
            failures.tidy()
            demo.tidy()
            end(place)
        raise
    if not args.keep:
        end(place)
        left = processes.marked(place)
        problems += [f"process {each.pid} is left" for each in left]
        progress.line("the cloud is down")
    print(f"\n{_REAL}\n")
    if args.keep:
        print(f"The cloud runs on: . {place.of('openrc')}")
        print(
            f"'{place.command('ssh SERVER')}' logs in, '{place.command('down --purge')}' ends it."
        )
    for problem in problems:
        print(plain(f"WRONG: {problem}"))
    print("All is as it should be." if not problems else f"{len(problems)} things are wrong.")
    return int(bool(problems))
