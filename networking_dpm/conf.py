"""The options of Neutron's agent and of the mechanism driver, and the agent's values, read once."""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from oslo_config import cfg, types

from dpm_hmc import options as hmc
from dpm_hmc.errors import ConfigError
from dpm_hmc.options import EXAMPLE_ID, UUID
from dpm_hmc.settings import HmcSettings

MAPPINGS = "physical_network_adapter_mappings"
FILE = "neutron_dpm_agent.conf"

GROUP = cfg.OptGroup(
    hmc.SECTION,
    title="IBM Z and LinuxONE machines in DPM mode",
    help="""
Options of Neutron's agent for IBM Z and LinuxONE machines in DPM (Dynamic Partition Manager) mode.

There is one agent for each OpenStack host, which is a subset of one CPC. The options that say which
HMC and which CPC are those of nova-compute.
""",
)


@dataclass(frozen=True)
class Mapping:
    """What an operator says is behind a physical network.

    Args:
        physical_network: its name in Neutron
        object_id: of an adapter, or of a virtual switch
        port: of the adapter; None where none is written
    """

    physical_network: str
    object_id: str
    port: int | None = None

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        return f"{self.physical_network}:{self.object_id}{port}"


class MappingType(types.ConfigType):
    """``<physical network>:<object id>[:<port>]``."""

    def __init__(self, type_name: str = "physical network:object id[:port]") -> None:
        super().__init__(type_name=type_name)

    def __call__(self, value: object) -> Mapping:
        """Return the mapping. Raises ValueError where `value` is none."""
        # networking-dpm 3.0.0 took a colon without a port, too (``conf/types.py``).
        pattern = rf"([^:]+):({UUID})(?::([0-9]|1[0-5])?)?"
        match = re.fullmatch(pattern, str(value).strip(), re.IGNORECASE)
        if not match or not match[1].strip():
            raise ValueError(
                f"{value!r} is no mapping such as physnet1:{EXAMPLE_ID}:0 (the physical network, a "
                "colon, the object id of its adapter, and, where it is not 0, a colon and the port)"
            )
        return Mapping(match[1].strip(), match[2].lower(), int(match[3]) if match[3] else None)

    def _formatter(self, value: object) -> str:
        return str(value)


OPTIONS: Sequence[cfg.Opt] = (
    *hmc.OPTIONS,
    cfg.MultiOpt(
        MAPPINGS,
        item_type=MappingType(),
        sample_default=f"physnet1:{EXAMPLE_ID}:1",
        help="""
What is behind a physical network of Neutron for servers of this host: its name, a colon, the object
id of an OSA, HiperSockets or Network Express adapter of the CPC, and a colon and the port where it
is not 0. Can be given several times, once for each physical network; several may have the same
adapter and port. In place of an adapter's, the object id of a virtual switch can be given, without
a port (``neutron-dpm-agent --check`` and ``nova-dpm-check`` show the ids).
""",
    ),
    cfg.IntOpt(
        "mapping_check_interval",
        default=300,
        min=10,
        help="""
Seconds between two looks at the HMC whether what is behind the physical networks is still there.
Between them the agent asks the HMC nothing.
""",
    ),
)

NEEDED = {**hmc.NEEDED, MAPPINGS: "a physical network and what is behind it"}

SERVER_GROUP = cfg.OptGroup(
    "ml2_dpm",
    title="Mechanism driver dpm",
    help="Options of mechanism driver ``dpm``, in the configuration of neutron-server.",
)
SERVER_OPTIONS: Sequence[cfg.Opt] = (
    cfg.BoolOpt(
        "refuse_port_security",
        default=False,
        help="""
Whether a port with port security or security groups is refused. Nothing stands between a partition
and its adapter, so nobody enforces them. Where this is false, such a port is bound, and the log of
neutron-server says so, once for each network.
""",
    ),
)

REPORT_INTERVAL = cfg.FloatOpt(
    "report_interval", default=30, min=1, help="Seconds between two heartbeats."
)
"""As Neutron's own, of section ``[AGENT]`` (neutron 29, ``conf/agent/common.py``)."""


@dataclass(frozen=True)
class Settings:
    """What the agent is told; whether it fits the CPC is another question."""

    host: str
    hmc: HmcSettings
    cpc_object_id: str
    mappings: tuple[Mapping, ...]
    check_interval: float
    report_interval: float


def register(conf: cfg.ConfigOpts) -> None:
    """Make the agent's options known to `conf`."""
    conf.register_opt(cfg.HostDomainOpt("host", default=socket.gethostname()))
    conf.register_opt(REPORT_INTERVAL, group="AGENT")
    # A group of its own: one that is registered twice shares its values.
    conf.register_group(cfg.OptGroup(GROUP.name, title=GROUP.title, help=GROUP.help))
    conf.register_opts(OPTIONS, group=GROUP.name)


def list_opts() -> list[tuple[cfg.OptGroup, list[cfg.Opt]]]:
    """Return the options for ``oslo-config-generator`` (entry point ``oslo.config.opts``)."""
    return [(GROUP, list(OPTIONS)), (SERVER_GROUP, list(SERVER_OPTIONS))]


def read_all(conf: cfg.ConfigOpts) -> tuple[Settings, dict[str, ConfigError]]:
    """Read the agent's options, as much of them as can be read.

    Returns:
        The settings, in which what is wrong is empty; and what is wrong, by the option's name.
    """
    reader = hmc.Reader(conf, OPTIONS, NEEDED, "the agent needs it", FILE)
    host = reader.value("host", "")
    report_interval = reader.value("report_interval", 0.0, "AGENT")
    values = reader.section()
    mappings = tuple(dict.fromkeys(values[MAPPINGS]))
    names = [each.physical_network for each in mappings]
    twice = [each for each in mappings if names.count(each.physical_network) > 1]
    if twice:
        reader.errors[MAPPINGS] = ConfigError(
            MAPPINGS,
            ", ".join(map(str, twice)),
            f"physical network {twice[0].physical_network} is there twice",
            "Name each physical network once; a second adapter is another physical network",
        )
    settings = Settings(
        host=host,
        hmc=hmc.hmc_settings(values),
        cpc_object_id=values["cpc_object_id"],
        mappings=mappings,
        check_interval=values["mapping_check_interval"],
        report_interval=report_interval,
    )
    return settings, reader.errors


def read(conf: cfg.ConfigOpts) -> Settings:
    """Read the agent's options.

    Raises:
        ConfigError: one is missing or malformed.
    """
    settings, errors = read_all(conf)
    for error in errors.values():
        raise error
    return settings
