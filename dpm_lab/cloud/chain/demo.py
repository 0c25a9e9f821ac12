"""The demo's servers: each is made, booted, looked at from end to end, and deleted."""

from __future__ import annotations

import contextlib
import re
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from dpm_lab.cloud import processes
from dpm_lab.cloud.api import Api
from dpm_lab.cloud.chain.guest import Ssh
from dpm_lab.cloud.chain.hmc import Hmc
from dpm_lab.cloud.chain.links import Guest, Link, judge
from dpm_lab.cloud.chain.server import Server
from dpm_lab.cloud.chain.waiting import until
from dpm_lab.cloud.errors import CloudError
from dpm_lab.cloud.place import Host, Place
from dpm_lab.cloud.services import here
from dpm_lab.cloud.things import hipersockets
from dpm_lab.hmc.api.fields import takes
from dpm_lab.hmc.machines.machine import Machine
from dpm_lab.plain import in_colour, plain
from dpm_lab.progress import Progress
from dpm_lab.storage import Storage

_FLAVOR = "dpm.small"
_BUILD = 300.0
_BOOT = 1800.0
#: In the HMC's log; not those for the console log, which are as many as the wait is long.
_REQUEST = re.compile(r"^\d\d:\d\d:\d\d \d{3} (?!.*/list-os-messages)", re.MULTILINE)


def networks(host: Host, api_version: tuple[int, int]) -> tuple[str, str]:
    """Return where a server of a host has its ports.

    Args:
        api_version: of the HMC: with an old one NICs have no VLANs, so it is HiperSockets instead
    """
    has_vlans = takes("vlan-id", api_version, Machine.load(host.machine).se_version)
    return "provider", "vlan101" if has_vlans else hipersockets(host).name


@dataclass
class Life:
    """A server of the demo, and what was seen of it."""

    host: Host
    server: Server
    networks: tuple[str, str]
    times: list[tuple[str, float]] = field(default_factory=list)
    ssh: Ssh | None = None


class Demo:
    """A server's life on each host of a cloud that is up, all at the same time.

    Args:
        name: of the first server, and of all that is made for it
    """

    def __init__(self, place: Place, progress: Progress, name: str) -> None:
        self._place = place
        self._progress = progress
        api = Api(place)
        api_version = max(Machine.load(each).api_version for each in place.machines)
        self._lives = [
            Life(each, Server(api, each.own(name)), networks(each, api_version))
            for each in place.hosts
        ]
        self._storage = Storage(place.storage)
        self._memory = 0

    def run(self, *, quick: bool, keep: bool) -> list[str]:
        """Do it all. Return what is wrong."""
        before = self._requests()
        problems = self._first()
        if not quick:
            self._progress.line("a reboot: the boot parameters are read again")
            for life in self._lives:
                life.server.act("reboot", {"type": "HARD"})
            problems += self._boots("reboot")
            problems += self._swap()
        if not keep:
            problems += self._delete()
        print(f"\nRequests to the HMC, all told: {self._requests() - before}")
        print(f"Memory of all services and guests: {self._memory / 1e9:.1f} GB")
        for life in self._lives:
            for what, seconds in life.times:
                print(f"{seconds:6.0f} s  {self._about(life)}{what}")
        return problems

    def tidy(self) -> None:
        """Remove what was made, whatever it is, as far as the cloud does it."""
        for life in self._lives:
            life.server.delete()

    def _about(self, life: Life) -> str:
        return f"{life.host.machine}: " if len(self._lives) > 1 else ""

    def _say(self, life: Life, text: str) -> None:
        self._progress.line(f"{self._about(life)}{text}")

    def _first(self) -> list[str]:
        for life in self._lives:
            server = life.server
            server.delete_ports()  # of a run that was ended
            self._say(life, f"a volume of the image; a port on {' and on '.join(life.networks)}")
            server.make_volume()
        self._until("a volume", _BUILD, lambda life: life.server.volume_status() == "available")
        for life in self._lives:
            server = life.server
            ports = [server.make_port(each) for each in life.networks]
            self._say(
                life,
                f"openstack server create --flavor {_FLAVOR} --volume {server.volume}"
                f" {' '.join(f'--port {each.id}' for each in ports)} --key-name dpm"
                f" --host {life.host.name} {server.name}",
            )
            server.create(_FLAVOR, ports, life.host.name)
        problems = self._boots("server create", shows=True)
        self._memory = sum(processes.memory(self._place, each.name) for each in here(self._place))
        for life in self._lives:
            assert life.ssh is not None
            words = shlex.join(life.ssh.command)
            print(f"{self._about(life)}By ssh, as a person does it: {words}", flush=True)
        print(flush=True)
        return problems

    def _boots(self, since: str, *, shows: bool = False, gone: Mapping[str, str] = {}) -> list[str]:
        """Wait until the servers are active and their guests are done, and look at all links.

        Args:
            shows: whether each NIC is shown from end to end
            gone: the MAC that a server had and has no more
        """
        begin = time.monotonic()

        def took(what: str) -> Callable[[Life], None]:
            return lambda life: life.times.append((f"{since} to {what}", time.monotonic() - begin))

        def answers(life: Life) -> bool:
            if life.ssh is None:
                life.ssh = Ssh(self._place.of("key"), life.server.ports()[0])
            return life.ssh.answers()

        def is_done(life: Life) -> bool:
            return life.ssh is not None and life.ssh.is_done()

        for life in self._lives:
            life.ssh = None
        self._until("ACTIVE", _BUILD, lambda life: life.server.status() == "ACTIVE", took("ACTIVE"))
        self._until("ssh", _BOOT, answers, took("ssh"), talks=True)
        self._until("cloud-init", _BOOT, is_done, took("cloud-init done"), talks=True)
        problems = []
        for life in self._lives:
            problems += self._look(life, shows=shows, gone=gone.get(life.server.name, ""))
        return problems

    def _look(self, life: Life, *, shows: bool, gone: str) -> list[str]:
        """Return what is wrong with a guest that is up."""
        assert life.ssh is not None
        ports = life.server.ports()
        with Hmc(self._place) as hmc:
            partition = hmc.partition(life.server.id)
            if partition is None:
                raise CloudError(f"the HMC has no partition of server {life.server.name}")
            nics = hmc.nics(partition)
        guest = life.ssh.look()
        links = judge(ports, nics, partition["boot-os-specific-parameters"], guest)
        problems = [f"{each.port.network}: {text}" for each in links for text in each.problems]
        if guest.cloud_init != "done":
            problems.append(f"cloud-init is {guest.cloud_init!r}")
        if gone and gone in guest.cmdline:
            problems.append(f"the guest is still told of {gone}")
        right = sum(not each.problems for each in links)
        self._say(life, f"{right} of {len(links)} NICs are right from end to end")
        if shows:
            print(f"\n{screen(links, guest, self._about(life))}\n", flush=True)
        return [f"{self._about(life)}{each}" for each in problems]

    def _swap(self) -> list[str]:
        """Stop, swap a port for one on another network, start."""
        gone = {}
        for life in self._lives:
            other = hipersockets(life.host).name
            self._say(life, f"stop; the port on {life.networks[1]} for another on {other}; start")
            life.server.act("os-stop")
        self._until("SHUTOFF", _BUILD, lambda life: life.server.status() == "SHUTOFF")
        for life in self._lives:
            server = life.server
            old = next(each for each in server.ports() if each.network == life.networks[1])
            gone[server.name] = old.mac.replace(":", "")
            server.detach(old)
        self._until("one port", _BUILD, lambda life: len(life.server.ports()) == 1)
        for life in self._lives:
            life.server.attach(life.server.make_port(hipersockets(life.host).name))
        self._until("two ports", _BUILD, lambda life: len(life.server.ports()) == 2)
        for life in self._lives:
            life.server.act("os-start")
        return self._boots("start", shows=True, gone=gone)

    def _delete(self) -> list[str]:
        begin = time.monotonic()
        for life in self._lives:
            self._progress.line(f"openstack server delete {life.server.name}")
            life.server.delete()

        def took(life: Life) -> None:
            life.times.append(("server delete to gone", time.monotonic() - begin))

        self._until("an end", _BUILD, lambda life: not life.server.status(), took)
        for life in self._lives:
            life.server.delete_ports()
        with contextlib.suppress(CloudError):
            until(self._progress, "nothing left", lambda: not self._left(), 60.0)
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
        limit: float,
        look: Callable[[Life], bool],
        then: Callable[[Life], None] = lambda _life: None,
        *,
        talks: bool = False,
    ) -> None:
        """Wait until something is so of all servers.

        Args:
            then: is called with each as soon as it is so
            talks: whether to show the last line of a console meanwhile
        """
        waiting = list(self._lives)

        def all_are() -> bool:
            for life in [each for each in waiting if look(each)]:
                waiting.remove(life)
                then(life)
            return not waiting

        names = ", ".join(each.server.name for each in waiting)

        def last_words() -> str:
            return waiting[0].server.last_words() if talks and waiting else ""

        until(self._progress, f"{what} of {names}", all_are, limit, last_words)

    def _requests(self) -> int:
        text = self._place.log("hmc").read_text(encoding="utf-8", errors="replace")
        return len(_REQUEST.findall(text))


def screen(links: Sequence[Link], guest: Guest, about: str = "") -> str:
    """Return each NIC from end to end, a block of lines each.

    Args:
        about: before each, which of several servers it is of
    """
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
        lines.append(f"{bold}{about}NIC on {port.network}: {verdict}{plain_}")
        lines += [f"  {name:<18}{plain(text)}" for name, text in rows]
    if guest.blame:
        lines.append(f"{about}The agent in the boot: {plain(guest.blame)}")
    return "\n".join(lines)
