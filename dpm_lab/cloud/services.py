"""All services of a cloud, in one table."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dpm_lab import cache
from dpm_lab.cloud import answers, databases, environment, wires
from dpm_lab.cloud.answers import Answers
from dpm_lab.cloud.machine import cables
from dpm_lab.cloud.place import MACHINE, Host, Place


@dataclass(frozen=True)
class Service:
    """A service.

    Attributes:
        what: what it is, for a person
        command: its words
        answers: how one sees that it answers
        after: services and steps that it waits for
        ports: those that it listens on, by their names in `dpm_lab.cloud.place.PORTS`
        variables: of its environment, beside those that all have
        obstacle: says why this machine cannot have it; nothing where it can
    """

    name: str
    what: str
    command: Callable[[Place], list[str]]
    answers: Answers
    after: tuple[str, ...]
    variables: Callable[[Place], Mapping[str, str]] = field(default=lambda _place: {})
    ports: tuple[str, ...] = ()
    obstacle: Callable[[], str] = field(default=lambda: "")


#: Steps of the start that are no services; `dpm_lab.cloud.start` has them.
DATABASES, USERS = "databases", "users"


def _program(name: str, *files: str) -> Callable[[Place], list[str]]:
    def words(place: Place) -> list[str]:
        options = [part for file in files for part in ("--config-file", str(place.of("etc", file)))]
        return [str(environment.folder() / "bin" / name), *options]

    return words


def _module(name: str, *options: str) -> Callable[[Place], list[str]]:
    def words(place: Place) -> list[str]:
        given = [each.format(etc=place.of("etc")) for each in options]
        return [str(environment.folder() / "bin/python"), "-m", name, *given]

    return words


def _web(port: str, module: str, *arguments: str) -> Callable[[Place], list[str]]:
    def words(place: Place) -> list[str]:
        numbers = {f"port_{name}": number for name, number in place.ports.items()}
        given = [each.format(etc=place.of("etc"), **numbers) for each in arguments]
        python = str(environment.folder() / "bin/python")
        listen = (place.host, str(place.ports[port]))
        return [python, "-m", "dpm_lab.cloud.inside.web", module, *listen, *given]

    return words


def _files(**variables: str) -> Callable[[Place], Mapping[str, str]]:
    return lambda place: {
        name: each.format(etc=place.of("etc"), here=place.folder)
        for name, each in variables.items()
    }


def _hmc(place: Place) -> list[str]:
    words = [sys.executable, "-m", "dpm_lab", "hmc", "--keep", "--verbose"]
    words += ["--host", place.host, "--folder", str(place.of("hmc"))]
    words += ["--port", str(place.ports["hmc"]), "--stomp-port", str(place.ports["hmc-stomp"])]
    for each in place.machines:
        words += ["--machine", each]
    # Where nobody serves DHCP there, a guest is better off with QEMU's own.
    has_networks = not wires.obstacle()
    if has_networks:
        words += ["--networks", str(place.networks)]
    if place.boot:
        words += ["--boot", "--disks", str(place.storage)]
    if place.boot and has_networks:
        for cable in cables(place.hosts):
            words += ["--cable", cable]
    return words


def _rabbitmq(place: Place) -> Mapping[str, str]:
    """RabbitMQ's environment: its node has a name of its own, and nothing outside the folder."""
    home = place.of("rabbitmq")
    address = place.host.replace(".", ",")
    return {
        "HOME": str(home),
        "RABBITMQ_MNESIA_BASE": str(home / "data"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_NODENAME": f"dpm-lab-{place.ports['rabbitmq']}@localhost",
        "RABBITMQ_DIST_PORT": str(place.ports["erlang"]),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILE": str(place.of("etc", "rabbitmq.conf")),
        "RABBITMQ_ENABLED_PLUGINS_FILE": "/dev/null",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
            f"-kernel inet_dist_use_interface {{{address}}} +S 2:2 +sbwt none +sbwtdcpu none"
        ),
        "ERL_EPMD_PORT": str(place.ports["epmd"]),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
    }


_NOVA = ("nova/nova.conf", "nova/database.conf")
_NEUTRON = ("neutron/neutron.conf", "neutron/ml2.conf")
_AGENT = "neutron/neutron.conf"
_CINDER = "cinder/cinder.conf"

#: What all clouds have, also those of more hosts than one.
_FIRST = Host(1, MACHINE)


def _nova_compute(host: Host) -> Service:
    return Service(
        host.own("nova-compute"),
        "nova-compute with the driver",
        _program("nova-compute", "nova/nova.conf", f"{host.own('nova/compute')}.conf"),
        answers.compute(host),
        # Without a conductor it waits in steps of 10 s.
        ("hmc", "nova-conductor", "keystone", "placement"),
    )


def _dpm_agent(host: Host) -> Service:
    configuration = f"{{etc}}/{host.own('neutron/dpm-agent')}.conf"
    return Service(
        host.own("neutron-dpm-agent"),
        "Neutron's agent",
        _module("networking_dpm.agent.command", "--config-file", configuration),
        answers.neutron_agent("neutron-dpm-agent", host),
        # A heartbeat that nobody takes costs 30 s (oslo.messaging's time-out).
        ("hmc", "neutron-rpc-server"),
    )


#: Those of a cloud of one host, in the order in which they are shown, and in which they start where
#: two could.
SERVICES: tuple[Service, ...] = (
    Service(
        "hmc",
        "the lab's HMC and machines",
        _hmc,
        answers.port("hmc"),
        (),
        # Where QEMU may be kept.
        lambda _place: {"XDG_CACHE_HOME": str(cache.folder().parent)},
        ports=("hmc", "hmc-stomp"),
    ),
    Service(
        "mariadb",
        "MariaDB",
        databases.command,
        answers.port("mariadb"),
        (),
        ports=("mariadb",),
    ),
    Service(
        "epmd",
        "names of Erlang's nodes, for RabbitMQ",
        lambda place: ["epmd", "-address", "127.0.0.1", "-port", str(place.ports["epmd"])],
        answers.port("epmd", "127.0.0.1"),
        (),
        ports=("epmd",),
    ),
    Service(
        "rabbitmq",
        "RabbitMQ",
        lambda _place: [str(environment.RABBITMQ)],
        answers.port("rabbitmq"),
        ("epmd",),
        _rabbitmq,
        ports=("rabbitmq", "erlang"),
    ),
    Service(
        "keystone",
        "Keystone's API",
        _web("keystone", "keystone.wsgi.api"),
        answers.web("keystone"),
        (USERS,),
        _files(OS_KEYSTONE_CONFIG_FILES="{etc}/keystone/keystone.conf"),
        ports=("keystone",),
    ),
    Service(
        "nova-conductor",
        "Nova's conductor",
        _program("nova-conductor", *_NOVA),
        answers.forked("nova-conductor"),
        (DATABASES, "rabbitmq"),
    ),
    Service(
        "placement",
        "Placement's API",
        _web("placement", "placement.wsgi.api"),
        answers.web("placement"),
        (DATABASES,),
        _files(OS_PLACEMENT_CONFIG_DIR="{etc}/placement"),
        ports=("placement",),
    ),
    Service(
        "nova-api",
        "Nova's API, and metadata for guests",
        _web("nova", "nova.wsgi.osapi_compute", "--also", "nova.wsgi.metadata", "{port_metadata}"),
        answers.both(answers.web("nova"), answers.web("metadata")),
        (DATABASES, "rabbitmq"),
        # The first is taken as the paste file (nova 34, ``api/openstack/wsgi_app.py``).
        _files(
            OS_NOVA_CONFIG_DIR="{etc}/nova",
            OS_NOVA_CONFIG_FILES="api-paste.ini;nova.conf;database.conf",
        ),
        ports=("nova", "metadata"),
    ),
    Service(
        "neutron-api",
        "Neutron's API",
        _web("neutron", "neutron.wsgi.api"),
        answers.web("neutron"),
        (DATABASES, "rabbitmq"),
        _files(
            OS_NEUTRON_CONFIG_DIR="{etc}/neutron", OS_NEUTRON_CONFIG_FILES="neutron.conf;ml2.conf"
        ),
        ports=("neutron",),
    ),
    Service(
        "neutron-rpc-server",
        "Neutron's ear for agents",
        _program("neutron-rpc-server", *_NEUTRON),
        answers.forked("neutron-rpc-server"),
        (DATABASES, "rabbitmq"),
    ),
    Service(
        "nova-scheduler",
        "Nova's scheduler",
        _program("nova-scheduler", *_NOVA),
        answers.nova("nova-scheduler"),
        (DATABASES, "rabbitmq"),
    ),
    _nova_compute(_FIRST),
    Service(
        "nova-serialproxy",
        "serial consoles over websockets",
        _program("nova-serialproxy", *_NOVA),
        answers.web("serial"),
        # It asks nova-compute and the database.
        (DATABASES, "rabbitmq"),
        ports=("serial",),
    ),
    _dpm_agent(_FIRST),
    Service(
        "neutron-dhcp-agent",
        "DHCP on the lab's networks",
        _program("neutron-dhcp-agent", _AGENT, "neutron/dhcp-agent.conf"),
        answers.neutron_agent("neutron-dhcp-agent"),
        ("hmc", "neutron-rpc-server"),
        obstacle=wires.obstacle,
    ),
    Service(
        "neutron-metadata-agent",
        "the way from guests to metadata",
        _program("neutron-metadata-agent", _AGENT, "neutron/metadata-agent.conf"),
        answers.neutron_agent("neutron-metadata-agent"),
        ("neutron-rpc-server",),
        obstacle=wires.obstacle,
    ),
    Service(
        "glance",
        "Glance's API",
        _web("glance", "glance.wsgi.api"),
        answers.web("glance"),
        (DATABASES,),
        _files(OS_GLANCE_CONFIG_DIR="{etc}/glance"),
        ports=("glance",),
    ),
    Service(
        "cinder-api",
        "Cinder's API",
        _web("cinder", "cinder.wsgi.api", "--config-file", "{etc}/cinder/cinder.conf"),
        answers.web("cinder"),
        (DATABASES, "rabbitmq"),
        ports=("cinder",),
    ),
    Service(
        "cinder-scheduler",
        "Cinder's scheduler",
        _program("cinder-scheduler", _CINDER),
        answers.cinder("cinder-scheduler"),
        (DATABASES, "rabbitmq"),
    ),
    Service(
        "cinder-volume",
        "Cinder with the lab's storage",
        _program("cinder-volume", _CINDER),
        answers.volumes,
        (DATABASES, "rabbitmq"),
    ),
    Service(
        "neutron-periodic-workers",
        "Neutron's clock",
        _program("neutron-periodic-workers", *_NEUTRON),
        answers.runs,
        (DATABASES, "rabbitmq", "neutron-api"),
    ),
)
BY_NAME: Mapping[str, Service] = {each.name: each for each in SERVICES}


def services(place: Place) -> tuple[Service, ...]:
    """Return the services of a cloud."""
    further = [make(host) for host in place.hosts[1:] for make in (_nova_compute, _dpm_agent)]
    return (*SERVICES, *further)


def here(place: Place) -> tuple[Service, ...]:
    """Return the services of a cloud that this machine can have."""
    return tuple(each for each in services(place) if not each.obstacle())
