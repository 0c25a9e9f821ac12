"""``dpm-lab demo``: the whole chain, watched from its first link to its last."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dpm_lab.cloud import processes
from dpm_lab.cloud.api import Api
from dpm_lab.cloud.chain.failures import Failures
from dpm_lab.cloud.chain.guest import Ssh
from dpm_lab.cloud.chain.hmc import Hmc
from dpm_lab.cloud.chain.links import Guest, Link, Port, judge
from dpm_lab.cloud.chain.server import Server
from dpm_lab.cloud.chain.stories import STORIES
from dpm_lab.cloud.chain.waiting import until
from dpm_lab.cloud.end import end
from dpm_lab.cloud.errors import CloudError
from dpm_lab.cloud.place import MACHINE, Place, default_folder
from dpm_lab.cloud.services import SERVICES
from dpm_lab.cloud.start import Start
from dpm_lab.hmc.api.fields import NIC_SINCE
from dpm_lab.hmc.machines.machine import Machine
from dpm_lab.plain import in_colour, plain
from dpm_lab.progress import Progress
from dpm_lab.storage import Storage

NAME = "demo"
HOST = "127.0.0.14"
ALL = "all"
#: What a swap brings.
OTHER_NETWORK = "hipersockets"
_FLAVOR = "dpm.small"
_BUILD = 300.0
_BOOT = 1800.0
#: In the HMC's log; not those for the console log, which are as many as the wait is long.
_REQUEST = re.compile(r"^\d\d:\d\d:\d\d \d{3} (?!.*/list-os-messages)", re.MULTILINE)

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
        "--machine", default=MACHINE, metavar="NAME", help="z13 or z16 (default: %(default)s)"
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
    place = _place(folder, args.machine)
    progress = Progress()
    progress.line(f"a cloud in {folder}, on {place.host}, with machine {place.machine}")
    image = args.image.expanduser().absolute() if args.image else None
    Start(place, progress, image).run()
    demo, failures = Demo(place, progress), Failures(place, progress)
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
        print(f"'dpm-lab cloud --folder {folder} down --purge' ends it.")
    for problem in problems:
        print(plain(f"WRONG: {problem}"))
    print("All is as it should be." if not problems else f"{len(problems)} things are wrong.")
    return int(bool(problems))


def _place(folder: Path, machine: str) -> Place:
    if not Place.is_made(folder):
        return Place.make(folder, HOST, machine, {}, boot=True)
    place = Place.read(folder)
    if not place.boot or place.machine != machine:
        raise CloudError(
            f"the cloud in {folder} is another one (machine {place.machine});"
            f" 'dpm-lab cloud --folder {folder} down --purge' removes it"
        )
    return place


@dataclass(frozen=True)
class Booted:
    """A guest that is up, and what is wrong with it."""

    problems: list[str]
    links: Sequence[Link]
    guest: Guest
    ssh: Ssh


def networks(machine: str) -> tuple[str, str]:
    """Return where a server has its ports. A machine whose NICs have no VLANs has HiperSockets."""
    has_vlans = Machine.load(machine).api_version >= NIC_SINCE["vlan-id"]
    return "provider", "vlan101" if has_vlans else OTHER_NETWORK


class Demo:
    """One server's life in a cloud that is up."""

    def __init__(self, place: Place, progress: Progress) -> None:
        self._place = place
        self._progress = progress
        self._api = Api(place)
        self._server = Server(self._api, NAME)
        self._networks = networks(place.machine)
        self._storage = Storage(place.storage)
        self._times: list[tuple[str, float]] = []
        self._memory = 0

    def run(self, *, quick: bool, keep: bool) -> list[str]:
        """Do it all. Return what is wrong."""
        before = self._requests()
        problems = self._first()
        if not quick:
            self._progress.line("a reboot: the boot parameters are read again")
            self._server.act("reboot", {"type": "HARD"})
            problems += self._boots("reboot").problems
            problems += self._swap()
        if not keep:
            problems += self._delete()
        print(f"\nRequests to the HMC, all told: {self._requests() - before}")
        print(f"Memory of all services and the guest: {self._memory / 1e9:.1f} GB")
        for what, seconds in self._times:
            print(f"{seconds:6.0f} s  {what}")
        return problems

    def tidy(self) -> None:
        """Remove what was made, whatever it is, as far as the cloud does it."""
        self._server.delete()

    def _first(self) -> list[str]:
        server = self._server
        server.delete_ports()  # of a run that was ended
        self._progress.line(
            "a volume of the image, and a port on each of " + ", ".join(self._networks)
        )
        server.make_volume()
        self._until("volume available", lambda: server.volume_status() == "available", _BUILD)
        ports = [server.make_port(each) for each in self._networks]
        self._progress.line(
            f"openstack server create --flavor {_FLAVOR} --volume {server.volume}"
            f" {' '.join(f'--port {each.id}' for each in ports)} --key-name dpm {NAME}"
        )
        server.create(_FLAVOR, ports)
        booted = self._boots("server create")
        self._memory = sum(processes.memory(self._place, each.name) for each in SERVICES)
        print(f"\n{screen(booted.links, booted.guest)}\n")
        print(f"By ssh, as a person does it: {shlex.join(booted.ssh.command)}\n", flush=True)
        return booted.problems

    def _boots(self, since: str) -> Booted:
        """Wait until the server is active and its guest is done, and look at all links."""
        begin = time.monotonic()
        self._until(f"{NAME} ACTIVE", lambda: self._server.status() == "ACTIVE", _BUILD)
        self._took(f"{since} to ACTIVE", begin)
        ports = self._server.ports()
        ssh = Ssh(self._place.of("key"), ports[0])
        self._until("ssh", ssh.answers, _BOOT, self._server.last_words)
        self._took(f"{since} to ssh", begin)
        self._progress.line(f"ssh to {ports[0].address} works; cloud-init goes on")
        self._until("cloud-init", ssh.is_done, _BOOT, self._server.last_words)
        self._took(f"{since} to cloud-init done", begin)
        return self._look(ssh, ports)

    def _look(self, ssh: Ssh, ports: Sequence[Port]) -> Booted:
        with Hmc(self._place) as hmc:
            partition = hmc.partition(self._server.id)
            if partition is None:
                raise CloudError("the HMC has no partition of the server")
            nics = hmc.nics(partition)
        guest = ssh.look()
        links = judge(ports, nics, partition["boot-os-specific-parameters"], guest)
        problems = [f"{each.port.network}: {text}" for each in links for text in each.problems]
        if guest.cloud_init != "done":
            problems.append(f"cloud-init is {guest.cloud_init!r}")
        right = sum(not each.problems for each in links)
        self._progress.line(f"{right} of {len(links)} NICs are right from end to end")
        return Booted(problems, links, guest, ssh)

    def _swap(self) -> list[str]:
        """Stop, swap a port for one on another network, start."""
        server = self._server
        old = next(each for each in server.ports() if each.network == self._networks[1])
        self._progress.line(
            f"stop; the port on {old.network} for another on {OTHER_NETWORK}; start"
        )
        server.act("os-stop")
        self._until(f"{NAME} SHUTOFF", lambda: server.status() == "SHUTOFF", _BUILD)
        server.detach(old)
        self._until("one port", lambda: len(server.ports()) == 1, _BUILD)
        server.attach(server.make_port(OTHER_NETWORK))
        self._until("two ports", lambda: len(server.ports()) == 2, _BUILD)
        server.act("os-start")
        booted = self._boots("start")
        print(f"\n{screen(booted.links, booted.guest)}\n", flush=True)
        gone = old.mac.replace(":", "")
        is_told = gone in booted.guest.cmdline
        return booted.problems + ([f"the guest is still told of {gone}"] if is_told else [])

    def _delete(self) -> list[str]:
        begin = time.monotonic()
        self._progress.line(f"openstack server delete {NAME}")
        self._server.delete()
        self._until(f"{NAME} gone", lambda: not self._server.status(), _BUILD)
        self._server.delete_ports()
        self._took("server delete to gone", begin)
        with contextlib.suppress(CloudError):
            self._until("nothing left", lambda: not self._left(), 60.0)
        if left := self._left():
            return [f"left: {each}" for each in left]
        self._progress.line("nothing is left on the HMC and in the storage")
        return []

    def _left(self) -> list[str]:
        with Hmc(self._place) as hmc:
            names = hmc.left()
        return [*names, *(f"LUN {each.name}" for each in self._storage.luns())]

    def _until(
        self,
        what: str,
        look: Callable[[], bool],
        limit: float,
        say: Callable[[], str] = lambda: "",
    ) -> None:
        until(self._progress, what, look, limit, say)

    def _took(self, what: str, begin: float) -> None:
        self._times.append((what, time.monotonic() - begin))

    def _requests(self) -> int:
        text = self._place.log("hmc").read_text(encoding="utf-8", errors="replace")
        return len(_REQUEST.findall(text))


def screen(links: Sequence[Link], guest: Guest) -> str:
    """Return each NIC from end to end, a block of lines each."""
    bold, plain_ = ("\033[1m", "\033[0m") if in_colour(sys.stdout) else ("", "")
    lines = []
    for link in links:
        port, nic = link.port, link.nic
        rows = [
            ("Neutron", f"{port.mac}  {port.address}  {port.status}"),
            ("HMC", f"{nic.mac}  device number {nic.devno} on {nic.backing}" if nic else "-"),
            ("boot parameters", link.tuple or "-"),
            ("kernel was told", link.tuple if link.tuple in guest.cmdline else "-"),
            ("dpm-guest, guest", f"{link.guest_mac}  {link.interface}"),
            ("cloud-init, DHCP", ", ".join(link.guest_addresses) or "-"),
        ]
        verdict = "right from end to end" if not link.problems else "; ".join(link.problems)
        lines.append(f"{bold}NIC on {port.network}: {verdict}{plain_}")
        lines += [f"  {name:<18}{plain(text)}" for name, text in rows]
    if guest.blame:
        lines.append(f"The agent in the boot: {plain(guest.blame)}")
    return "\n".join(lines)
