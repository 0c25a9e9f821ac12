"""Where a cloud is: its folder, its address, its ports, its secrets."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from dpm_lab import cache
from dpm_lab.cloud.errors import CloudError
from dpm_lab.errors import UsageError
from dpm_lab.hmc.wire.files import PUBLIC, SECRET, write_new

#: One that nothing else on a machine uses as a rule; all of 127.0.0.0/8 is there on Linux.
HOST = "127.0.0.10"
#: The ports that these services have everywhere, but for MariaDB's and RabbitMQ's: Debian's own may
#: run on all addresses.
PORTS: Mapping[str, int] = {
    "keystone": 5000,
    "glance": 9292,
    "placement": 8778,
    "nova": 8774,
    "metadata": 8775,
    "serial": 6083,
    "neutron": 9696,
    "cinder": 8776,
    "mariadb": 3307,
    "rabbitmq": 5673,
    "erlang": 25673,
    "epmd": 24369,
    "hmc": 6794,
    "hmc-stomp": 61612,
}
#: Those that a machine has once, whatever the address: epmd listens on 127.0.0.1 in any case, and
#: RabbitMQ does not start where any address has Erlang's (its prelaunch tries all of them).
_ONCE = ("epmd", "erlang")
MACHINE = "z16"
#: The host of all other services.
CONTROL_HOST = "control"
REGION = "RegionOne"

_SETTINGS = "cloud.json"
_SECRETS = "secrets.json"


def default_ports(host: str) -> dict[str, int]:
    """Return the ports of a cloud on an address: two addresses of 127.0.0.0/24 share none."""
    ports = dict(PORTS)
    last, own = (each.rpartition(".")[2] for each in (host, HOST))
    if last.isdecimal():
        ports |= {name: PORTS[name] + int(last) - int(own) for name in _ONCE}
    return ports


def default_folder() -> Path:
    """Where a cloud is, unless told otherwise."""
    return cache.folder("cloud", "default")


@dataclass(frozen=True)
class Host:
    """An OpenStack host: all of a machine, with a nova-compute and a Neutron agent of its own.

    Attributes:
        number: from 1 on
        machine: the lab's name of it
    """

    number: int
    machine: str

    @property
    def name(self) -> str:
        """What Nova and Neutron know it by."""
        return f"host{self.number}"

    def own(self, name: str) -> str:
        """Return the name of something that each host has one of.

        >>> [Host(number, "z16").own("nova-compute") for number in (1, 2)]
        ['nova-compute', 'nova-compute-2']
        """
        return name if self.number == 1 else f"{name}-{self.number}"


@dataclass(frozen=True)
class Secrets:
    """Passwords, each made once for a cloud."""

    admin: str
    service: str
    database: str
    bus: str
    metadata: str

    @classmethod
    def new(cls) -> Secrets:
        """Make them."""
        # Hexadecimal: they stand in URLs, in configuration files and in shells.
        return cls(*(secrets.token_hex(12) for _ in fields(cls)))


@dataclass(frozen=True)
class Place:
    """A cloud's folder, and what was chosen when it was made."""

    folder: Path
    secrets: Secrets = field(repr=False)
    host: str = HOST
    #: One host each; one HMC manages all of them.
    machines: tuple[str, ...] = (MACHINE,)
    ports: Mapping[str, int] = field(default_factory=lambda: dict(PORTS))
    #: Whether partitions are guests in QEMU.
    boot: bool = False

    @classmethod
    def is_made(cls, folder: Path) -> bool:
        """Whether there is a cloud in a folder."""
        return (folder / _SETTINGS).is_file()

    @classmethod
    def read(cls, folder: Path) -> Place:
        """Return the cloud of a folder.

        Raises:
            CloudError: there is none.
        """
        try:
            settings = json.loads((folder / _SETTINGS).read_text(encoding="utf-8"))
            hidden = Secrets(**json.loads((folder / _SECRETS).read_text(encoding="utf-8")))
            settings["ports"] = {**PORTS, **settings["ports"]}
            # A cloud of before has "machine", one.
            settings["machines"] = tuple(settings.get("machines") or [settings.pop("machine")])
            return cls(folder, hidden, **settings)
        except FileNotFoundError as error:
            raise CloudError(f"no cloud in {folder}; 'dpm-lab cloud up' makes one") from error
        except (ValueError, KeyError, TypeError) as error:
            raise CloudError(
                f"{folder}/{_SETTINGS}, {_SECRETS}: cannot be read: {error}; remove the folder"
            ) from error

    @classmethod
    def chosen(
        cls,
        folder: Path,
        host: str | None,
        machines: Sequence[str],
        ports: Mapping[str, int],
        *,
        boot: bool,
        usual: str = HOST,
    ) -> Place:
        """Return the cloud of a folder, which is made where there is none.

        Args:
            host, machines, ports: what a person chose; nothing: as it is, or the usual
            boot: whether servers have to be guests
            usual: the address of one that is made, where none was chosen

        Raises:
            CloudError: there is something else in the folder.
            UsageError: the cloud that is there is another one.
        """
        if len(set(machines)) < len(machines):
            raise UsageError(f"--machine {' --machine '.join(machines)}: each once")
        if not cls.is_made(folder):
            return cls.make(folder, host or usual, machines or (MACHINE,), ports, boot=boot)
        place = cls.read(folder)
        cure = f"'dpm-lab cloud --folder {folder} down --purge' first, or another --folder"
        if boot and not place.boot:
            raise UsageError(f"servers of the cloud in {folder} boot nothing; {cure}")
        wanted = {"--host": (host, place.host)}
        wanted["--machine"] = (", ".join(machines), ", ".join(place.machines))
        wanted |= {f"--port {name}": (str(n), str(place.ports[name])) for name, n in ports.items()}
        for option, (asked, there) in wanted.items():
            if asked and asked != there:
                raise UsageError(f"the cloud in {folder} has {option} {there}; {cure}")
        return place

    @classmethod
    def make(
        cls,
        folder: Path,
        host: str,
        machines: Sequence[str],
        ports: Mapping[str, int],
        *,
        boot: bool = False,
    ) -> Place:
        """Make the folder of a new cloud.

        Args:
            ports: those that are not `default_ports`

        Raises:
            CloudError: there is something else in the folder.
        """
        if folder.exists() and any(folder.iterdir()):
            raise CloudError(f"{folder} holds something that is no cloud; choose another --folder")
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        ports = {**default_ports(host), **ports}
        place = cls(folder, Secrets.new(), host, tuple(machines), ports, boot)
        write_new(folder / _SECRETS, json.dumps(asdict(place.secrets)), SECRET)
        settings = {"host": host, "machines": place.machines, "ports": ports, "boot": boot}
        write_new(folder / _SETTINGS, json.dumps(settings, indent=1), PUBLIC)
        return place

    @property
    def about(self) -> str:
        """Its machines, for a person."""
        word = "machine" if len(self.machines) == 1 else "machines"
        return f"{word} {', '.join(self.machines)}"

    @property
    def hosts(self) -> tuple[Host, ...]:
        """The OpenStack hosts."""
        return tuple(Host(number, each) for number, each in enumerate(self.machines, 1))

    def command(self, action: str) -> str:
        """Return what a person types for an action of ``dpm-lab cloud``."""
        is_default = self.folder == default_folder()
        return f"dpm-lab cloud {'' if is_default else f'--folder {self.folder} '}{action}"

    def of(self, *names: str) -> Path:
        """Return the path of something in the folder."""
        return self.folder.joinpath(*names)

    def log(self, name: str) -> Path:
        """Return the log of a service, or of a step of the start."""
        return self.of("log", f"{name}.log")

    def url(self, service: str) -> str:
        """Return the base of a service's API."""
        return f"http://{self.host}:{self.ports[service]}"

    def database(self, name: str) -> str:
        """Return the URL of a database."""
        where = f"{self.host}:{self.ports['mariadb']}"
        return f"mysql+pymysql://openstack:{self.secrets.database}@{where}/{name}?charset=utf8mb4"

    @property
    def bus(self) -> str:
        """The URL of the message bus."""
        return f"rabbit://openstack:{self.secrets.bus}@{self.host}:{self.ports['rabbitmq']}/"

    @property
    def hmc_password(self) -> Path:
        """The file of the HMC's password."""
        return self.of("hmc", "password")

    @property
    def storage(self) -> Path:
        """The folder of the lab's storage subsystem."""
        return self.of("state", "storage")

    @property
    def networks(self) -> Path:
        """The folder of the networks behind the adapters."""
        return self.of("networks")

    def purge(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder)
