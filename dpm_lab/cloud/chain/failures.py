"""``dpm-lab demo --failure``: makes failures of a server, and looks at what each is told of it.

One server is used for all that need one that runs, in the order of `STORIES`: a boot takes minutes
of an emulated machine.
"""

from __future__ import annotations

import io
import json
import re
import signal
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import psutil

from dpm_guest import bootparams
from dpm_lab.cloud import processes, wires
from dpm_lab.cloud.api import Api
from dpm_lab.cloud.chain.guest import Ssh
from dpm_lab.cloud.chain.hmc import Hmc
from dpm_lab.cloud.chain.links import HmcNic, Port
from dpm_lab.cloud.chain.server import Server
from dpm_lab.cloud.chain.stories import STORIES, Seen, Story, judge, screen
from dpm_lab.cloud.chain.waiting import until
from dpm_lab.cloud.errors import ApiError, CloudError
from dpm_lab.cloud.machine import OUTER, inner, wiring
from dpm_lab.cloud.place import Place
from dpm_lab.network.segments import SILENT, of_vlan
from dpm_lab.process import ask, run
from dpm_lab.progress import Progress
from dpm_lab.storage import Storage

_NAME = "failure"
_FLAVOR = "dpm.small"
#: By the first of them ssh gets in, whatever is done to the others.
_GOOD, _SILENT, _NO_DHCP = "provider", "vlan101", "hipersockets"
_NETWORKS = {"silent-card": _SILENT, "no-dhcp": _NO_DHCP}
_SOON = 300.0
_BOOT = 1800.0
#: That a host's partitions cannot be asked for, Nova's periodic task finds within a minute, and
#: after as long as a request to the HMC may take.
_NOTICED = 600.0
_STRANGER = "c05076ffffffffff"
_BOOT_PARAMETERS = "boot-os-specific-parameters"
#: What an installed agent consists of (tools/install-guest), and the links that enable its units.
_WITHOUT_AGENT = (
    r"sudo find /usr /etc /var/lib/systemd \( -name '*dpm-guest*' -o -name 'dpm_guest*' \)"
    " -prune -exec rm -rf {} +; sudo cloud-init clean --logs; sync"
)
_X86 = b"\xfa\x31\xc0\x8e\xd8\xf4\xeb\xfd".ljust(510, b"\0") + b"\x55\xaa"


class Failures:
    """Failures in a cloud that is up."""

    def __init__(self, place: Place, progress: Progress) -> None:
        self._place = place
        self._progress = progress
        self._api = Api(place)
        self._storage = Storage(place.storage)
        self._host = place.hosts[0]
        self._wiring = wiring(self._host)
        self._server = Server(self._api, _NAME)
        self._other = Server(self._api, f"{_NAME}-other")
        self._image = ""
        self._frames: dict[str, int] = {}
        self._lifts: list[Callable[[], None]] = []

    def run(self, names: Sequence[str]) -> list[str]:
        """Make failures, one after another. Return what is wrong."""
        problems = []
        makers: dict[str, Callable[[], Seen]] = {
            "silent-card": lambda: self._unreached("silent-card"),
            "no-dhcp": lambda: self._unreached("no-dhcp"),
            "hmc-away": self._hmc_away,
            "damaged-tuple": self._damaged_tuple,
            "no-agent": self._no_agent,
            "shut-down": self._shut_down,
            "crashed": self._crashed,
            "volume-masked": self._volume_masked,
            "volume-missing": self._volume_missing,
            "other-architecture": self._other_architecture,
        }
        for name in (each for each in STORIES if each in names):
            self._progress.line(f"{name}: {STORIES[name].what}")
            if name in _NETWORKS:
                self._break_networks(names)
            else:
                self._lift()
            begin = time.monotonic()
            seen = makers[name]()
            story = self._of_this_server(STORIES[name], name)
            wrong = judge(story, seen)
            print(f"\n{screen(name, story, seen, wrong)}", flush=True)
            print(f"  took {time.monotonic() - begin:.0f} s\n", flush=True)
            problems += [f"{name}: {each}" for each in wrong]
        return problems

    def tidy(self) -> None:
        """Undo and remove what was made, as far as the cloud does it."""
        self._lift()
        for server in (self._server, self._other):
            server.delete()
        for server in (self._server, self._other):
            if server.id:
                until(self._progress, "server gone", lambda each=server: not _there(each), _SOON)  # type: ignore[misc]
            server.delete_ports()
        if self._image:
            self._api.send("DELETE", "glance", f"/images/{self._image}")
            self._image = ""

    # -- a server that runs

    def _running(self) -> Ssh:
        """Return a way into the server, which is made or started where it does not run."""
        self._start()
        return self._booted()

    def _start(self) -> None:
        """Make the server, or start it where it is SHUTOFF."""
        server = self._server
        if not server.id:
            server.delete_ports()  # of a run that was ended
            self._make_volume(server)
            networks = [_GOOD, _SILENT, *self._hipersockets()]
            ports = [server.make_port(each) for each in networks]
            server.create(_FLAVOR, ports, self._host.name)
        elif server.status() == "SHUTOFF":
            server.act("os-start")

    def _booted(self) -> Ssh:
        self._reaches("ACTIVE")
        ssh = Ssh(self._place.of("key"), self._port(_GOOD))
        until(self._progress, "ssh", ssh.answers, _BOOT, self._server.last_words)
        self._progress.line(f"ssh to {ssh.port.address} works")
        return ssh

    def _settled(self) -> Ssh:
        """Return a way into it, with its boot done and on its disk: a power cut is harmless."""
        ssh = self._running()
        until(self._progress, "cloud-init", ssh.is_done, _BOOT, self._server.last_words)
        ssh.run("sync")
        return ssh

    def _reaches(self, status: str) -> None:
        until(self._progress, status, lambda: self._server.status() == status, _SOON)

    def _make_volume(self, server: Server, image: str = "") -> None:
        server.make_volume(image)

        def is_made() -> bool:
            return server.volume_status() == "available"

        until(self._progress, "volume available", is_made, _SOON)

    def _hipersockets(self) -> list[str]:
        return [_NO_DHCP] if inner(self._host) in self._wiring.networks else []

    def _port(self, network: str) -> Port:
        return next(each for each in self._server.ports() if each.network == network)

    def _nic(self, hmc: Hmc, network: str) -> HmcNic:
        partition = hmc.partition(self._server.id)
        assert partition is not None
        port = self._port(network)
        return next(each for each in hmc.nics(partition) if port.id in each.name)

    def _of_this_server(self, story: Story, name: str) -> Story:
        """Return a story with the device number of the NIC that it is about."""
        network = _NETWORKS.get(name)
        if network is None:
            return story
        with Hmc(self._place) as hmc:
            devno = self._nic(hmc, network).devno
        bus_id = rf"0\.0\.{devno}"
        return replace(
            story,
            console=story.console.format(devno=devno, short=devno.lstrip("0")),
            agent=story.agent.format(bus_id=bus_id),
        )

    def _seen(
        self, done: str, ssh: Ssh | None = None, more: Mapping[str, str] | None = None
    ) -> Seen:
        agent = ""
        if ssh is not None:
            answer = ssh.run("sudo dpm-guest status")
            agent = f"{answer.output}{answer.errors}".strip()
        return Seen(
            done,
            self._server.state(),
            self._server.fault(),
            self._server.console(10_000),
            agent,
            more or {},
        )

    # -- networks

    def _lift(self) -> None:
        while self._lifts:
            self._lifts.pop()()

    def _break_networks(self, names: Sequence[str]) -> None:
        """Have one network lead nowhere and nobody answer DHCP on another, before a boot."""
        if self._frames:
            return
        segments = self._wiring.segments
        if "silent-card" in names:
            (network,) = self._api.get("neutron", f"/networks?name={_SILENT}")["networks"]
            segment = of_vlan(str(segments[OUTER]), network["provider:segmentation_id"])
            silent = self._place.networks / segment / SILENT
            silent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            silent.touch()
            self._lifts.append(lambda: silent.unlink(missing_ok=True))
        if "no-dhcp" in names and self._hipersockets():
            server = self._dhcp_server(_NO_DHCP)
            server.suspend()
            self._lifts.append(server.resume)
        self._frames = {each: self._frames_at(each) for each in (_SILENT, *self._hipersockets())}

    def _network(self, name: str) -> str:
        (found,) = self._api.get("neutron", f"/networks?name={name}")["networks"]
        return str(found["id"])

    def _dhcp_server(self, network: str) -> psutil.Process:
        file = self._place.of("state", "neutron", "dhcp", self._network(network), "pid")
        until(self._progress, f"DHCP of {network}", file.exists, _SOON)
        return psutil.Process(int(file.read_text(encoding="ascii")))

    def _frames_at(self, network: str) -> int:
        """Return how many frames have come to the DHCP server's interface."""
        name = wires.namespace(self._network(network))
        shown = json.loads(ask(["ip", "-n", name, "-s", "-json", "link"]).output)
        return sum(
            each["stats64"]["rx"]["packets"] for each in shown if each["ifname"].startswith("tap")
        )

    def _unreached(self, name: str) -> Seen:
        network = _NETWORKS[name]
        if network not in (_SILENT, *self._hipersockets()):
            raise CloudError(f"{name}: machine {self._host.machine} has no network {network}")
        ssh = self._settled()
        with Hmc(self._place) as hmc:
            nic = self._nic(hmc, network)
        shown = json.loads(ssh.run("ip -json address").output)
        mac = self._port(network).mac
        addresses = [
            one["local"]
            for each in shown
            if each.get("address") == mac
            for one in each["addr_info"]
            if one["family"] == "inet"
        ]
        done = {
            "silent-card": f"the switch passes no frame on in network {network}",
            "no-dhcp": f"dnsmasq of network {network} is held",
        }[name]
        return self._seen(
            f"{done}, where NIC {nic.devno} is, before the boot",
            ssh,
            {
                "address in the guest": ", ".join(addresses) or "none",
                "frames at DHCP": str(self._frames_at(network) - self._frames[network]),
            },
        )

    # -- boot parameters and the agent

    def _damaged_tuple(self) -> Seen:
        self._settled()
        with processes.held(self._place, "nova-compute"), Hmc(self._place) as hmc:
            partition = hmc.partition(self._server.id)
            assert partition is not None
            uri, right = str(partition["object-uri"]), str(partition[_BOOT_PARAMETERS])
            nic = self._nic(hmc, _SILENT)
            damaged = re.sub(rf"\b{nic.devno},0,", f"{nic.devno},zero,", right)
            hmc.post(f"{uri}/operations/stop", {})
            self._becomes(hmc, uri, "stopped")
            hmc.post(uri, {_BOOT_PARAMETERS: damaged})
            hmc.post(f"{uri}/operations/start", {})
            self._becomes(hmc, uri, "active")
        ssh = self._booted()
        seen = self._seen(f"on the HMC: stop, {_BOOT_PARAMETERS} = {damaged!r}, start", ssh)
        self._server.act("reboot", {"type": "HARD"})
        self._reaches("ACTIVE")
        with Hmc(self._place) as hmc:
            now = str(hmc.get(uri)[_BOOT_PARAMETERS])
        is_right = bootparams.parse(now).nics == bootparams.parse(right).nics
        more = {"boot parameters after a reboot by Nova": "right" if is_right else now}
        return Seen(seen.done, seen.server, seen.fault, seen.console, seen.agent, more)

    def _becomes(self, hmc: Hmc, uri: str, status: str) -> None:
        def has_become() -> bool:
            return bool(hmc.get(uri)["status"] == status)

        until(self._progress, f"partition {status}", has_become, _SOON)

    def _no_agent(self) -> Seen:
        ssh = self._settled()
        ssh.run(_WITHOUT_AGENT)
        self._server.act("reboot", {"type": "HARD"})
        ssh = self._booted()

        def has_prompt() -> bool:  # may come after ssh
            return "login:" in self._server.console(10_000)

        until(self._progress, "a login prompt", has_prompt, _SOON, self._server.last_words)
        return self._seen("all files of dpm-guest are removed in the guest; a hard reboot", ssh)

    # -- the HMC

    def _hmc_away(self) -> Seen:
        ssh = self._running()
        hmc = processes.runs(self._place, "hmc")
        if hmc is None:
            raise CloudError("the HMC does not run")

        def is_noticed() -> bool:
            return self._compute_service().startswith("disabled")

        hmc.send_signal(signal.SIGUSR1)
        try:
            until(self._progress, "the host out of scheduling", is_noticed, _NOTICED)
            service = self._compute_service()
            agent = ssh.run("sudo dpm-guest status").output
            server = self._server.state()
            try:
                self._server.act("os-getConsoleOutput", {"length": 10})
                fault = ""
            except ApiError as error:
                fault = str(error)
        finally:
            hmc.send_signal(signal.SIGUSR2)
        until(self._progress, "the host back", lambda: not is_noticed(), _NOTICED)
        more = {"compute service": service, "afterwards": self._compute_service()}
        done = "the HMC closes each connection, while the guest runs; 'console log show'"
        return Seen(done, server, fault, "", agent, more)

    def _compute_service(self) -> str:
        shown = self._api.get("nova", f"/os-services?binary=nova-compute&host={self._host.name}")
        (found,) = shown["services"]
        return ", ".join(filter(None, (found["status"], found["disabled_reason"], found["state"])))

    # -- the guest ends

    def _shut_down(self) -> Seen:
        return self._ends("sudo poweroff")

    def _crashed(self) -> Seen:
        return self._ends("sudo sh -c 'sleep 1; echo c > /proc/sysrq-trigger'")

    def _ends(self, command: str) -> Seen:
        ssh = self._running()
        begin = time.monotonic()
        # It may end before it answers.
        ssh.run(f"nohup {command} > /dev/null 2>&1 &")
        self._reaches("SHUTOFF")
        seconds = time.monotonic() - begin
        self._progress.line(f"SHUTOFF after {seconds:.0f} s")
        return self._seen(
            f"in the guest: {command}", more={"last event": self._server.last_event()}
        )

    # -- the boot volume

    def _off(self) -> str:
        """Have the server SHUTOFF; return the name of its LUN."""
        server = self._server
        if not server.id:
            self._start()
            self._reaches("ACTIVE")
        if server.status() != "SHUTOFF":
            server.act("os-stop")
            self._reaches("SHUTOFF")
        return f"volume-{server.volume}"

    def _volume_masked(self) -> Seen:
        name = self._off()
        ours = self._storage.lun(name).masked
        self._storage.unmask(name)
        self._storage.mask(name, [_STRANGER])
        try:
            return self._start_in_vain(f"the LUN is masked to {_STRANGER} only; a start")
        finally:
            self._storage.unmask(name)
            self._storage.mask(name, ours)

    def _volume_missing(self) -> Seen:
        name = self._off()
        self._storage.unmask(name)
        self._storage.delete(name)
        return self._start_in_vain("the LUN is deleted in the storage; a start")

    def _start_in_vain(self, done: str) -> Seen:
        log = self._place.log("nova-compute")
        mark = log.stat().st_size
        self._server.act("os-start")
        until(
            self._progress,
            "an end of the start",
            lambda: self._server.status() in ("SHUTOFF", "ACTIVE"),
            _SOON,
        )
        with log.open("rb") as file:
            file.seek(mark)
            said = file.read().decode(errors="replace")
        found = re.search(r"No path to the boot volume [^.]*", said)
        return self._seen(done, more={"log of nova-compute": found.group() if found else "nothing"})

    def _other_architecture(self) -> Seen:
        server = self._other
        self._image = self._make_image()
        self._make_volume(server, self._image)
        server.create(_FLAVOR, [server.make_port(_GOOD)], self._host.name)

        def has_ended() -> bool:
            return not server.state().startswith("BUILD")

        until(self._progress, "an end of the build", has_ended, _SOON)
        return Seen(
            "an image with a boot sector for x86; a server of it",
            server.state(),
            server.fault(),
            server.console(100),
        )

    def _make_image(self) -> str:
        about = {"name": _NAME, "disk_format": "qcow2", "container_format": "bare"}
        made = self._api.post("glance", "/images", about)
        with tempfile.TemporaryDirectory() as folder:
            raw, image = Path(folder, "raw"), Path(folder, "qcow2")
            raw.write_bytes(_X86.ljust(1 << 20, b"\0"))
            run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, image])
            content = io.BytesIO(image.read_bytes())
        self._api.send_file("glance", f"/images/{made['id']}/file", content)
        return str(made["id"])


def _there(server: Server) -> bool:
    try:
        return bool(server.status())
    except ApiError:
        return True  # in ERROR
