"""The options of section ``[dpm]`` of nova.conf, and their values, read once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from oslo_config import cfg, types

from dpm_hmc import names
from dpm_hmc import options as hmc
from dpm_hmc.errors import ConfigError
from dpm_hmc.options import EXAMPLE_ID, UUID
from dpm_hmc.settings import HmcSettings

GROUP = cfg.OptGroup(
    hmc.SECTION,
    title="IBM Z and LinuxONE machines in DPM mode",
    help="""
Options of the Nova driver for IBM Z and LinuxONE machines in DPM (Dynamic Partition Manager) mode.

A machine is called a CPC (Central Processor Complex). It is managed over the Web Services API of an
HMC (Hardware Management Console). One nova-compute runs the servers of one OpenStack host, which is
a subset of one CPC: these options name the CPC, the HMC, and the limits of the subset. The driver
is chosen by ``[DEFAULT] compute_driver = dpm.DPMDriver``.
""",
)


@dataclass(frozen=True)
class StoragePort:
    """A port of an FCP adapter: object id of the adapter, element id of the port."""

    adapter_id: str
    port: int

    @property
    def adapter_uri(self) -> str:
        """Path of the adapter in the Web Services API."""
        return f"/api/adapters/{self.adapter_id}"

    @property
    def uri(self) -> str:
        """Path of the port in the Web Services API."""
        return f"{self.adapter_uri}/storage-ports/{self.port}"

    def __str__(self) -> str:
        return f"{self.adapter_id}:{self.port}"


class StoragePortType(types.ConfigType):
    """``<object id of an FCP adapter>:<port>``."""

    def __init__(self, type_name: str = "adapter object id:port") -> None:
        super().__init__(type_name=type_name)

    def __call__(self, value: object) -> StoragePort:
        """Return the port. Raises ValueError where `value` names none."""
        match = re.fullmatch(rf"({UUID}):([0-9])", str(value).strip().lower())
        if not match:
            raise ValueError(
                f"{value!r} is no adapter and port such as {EXAMPLE_ID}:0 "
                "(the adapter's object id, a colon, the port)"
            )
        return StoragePort(match.group(1), int(match.group(2)))

    def _formatter(self, value: object) -> str:
        return str(value)


class WwpnType(types.ConfigType):
    """A world-wide port name: 16 hex digits, with or without ``0x`` or colons."""

    def __init__(self, type_name: str = "WWPN") -> None:
        super().__init__(type_name=type_name)

    def __call__(self, value: object) -> str:
        """Return 16 lower case hex digits. Raises ValueError where `value` is no WWPN."""
        text = str(value).strip().lower().removeprefix("0x").replace(":", "")
        if not re.fullmatch(r"[0-9a-f]{16}", text):
            raise ValueError(f"{value!r} is no WWPN: 16 hex digits are")
        return text

    def _formatter(self, value: object) -> str:
        return str(value)


LEAST_MEMORY = 512
"""MiB that a partition has at least."""

OPTIONS: Sequence[cfg.Opt] = (
    *hmc.OPTIONS,
    cfg.IntOpt(
        "max_processors",
        min=1,
        help="""
Number of shared physical IFL processors of the CPC that the servers of this host may use at most. A
single server cannot have more; all together can have ``[DEFAULT] cpu_allocation_ratio`` times as
many virtual ones.
""",
    ),
    cfg.IntOpt(
        "max_memory",
        min=LEAST_MEMORY,
        help="Memory of the CPC in MiB that the servers of this host may use at most.",
    ),
    cfg.MultiOpt(
        "physical_storage_adapter_mappings",
        item_type=StoragePortType(),
        sample_default=f"{EXAMPLE_ID}:0",
        help="""
A port of an FCP adapter of the CPC: object id of the adapter, a colon, the port. Can be given
several times. Each server gets one HBA on each of these ports or, on a machine with storage
groups, one virtual storage resource.
""",
    ),
    cfg.ListOpt(
        "target_wwpn_ignore_list",
        item_type=WwpnType(),
        default=[],
        help="""
World-wide port names of storage targets that no server is booted from, such as the file modules'
ports that a V7000 Unified names besides its own.
""",
    ),
)


NEEDED = {
    **hmc.NEEDED,
    "max_processors": "how many processors this host may use",
    "max_memory": "how much memory (MiB) this host may use",
}


@dataclass(frozen=True)
class Settings:
    """Section ``[dpm]``, complete and well-formed; whether it fits the CPC is another question."""

    host: str
    hmc: HmcSettings
    cpc_object_id: str
    max_processors: int
    max_memory: int
    storage_ports: tuple[StoragePort, ...]
    ignored_wwpns: frozenset[str]


def register(conf: cfg.ConfigOpts) -> None:
    """Make the options known to `conf`."""
    # A group of its own: one that is registered twice shares its values (oslo.config copies it
    # shallowly).
    conf.register_group(cfg.OptGroup(GROUP.name, title=GROUP.title, help=GROUP.help))
    conf.register_opts(OPTIONS, group=GROUP.name)


def list_opts() -> list[tuple[cfg.OptGroup, list[cfg.Opt]]]:
    """Return the options for ``oslo-config-generator`` (entry point ``oslo.config.opts``)."""
    return [(GROUP, list(OPTIONS))]


def read(conf: cfg.ConfigOpts) -> Settings:
    """Read the section.

    Raises:
        ConfigError: an option is missing or malformed.
    """
    settings, errors = read_all(conf)
    for error in errors.values():
        raise error
    return settings


def read_all(conf: cfg.ConfigOpts) -> tuple[Settings, dict[str, ConfigError]]:
    """Read the section, as much of it as can be read.

    Returns:
        The settings, in which what is wrong is empty; and what is wrong, by the option's name.
    """
    reader = hmc.Reader(conf, OPTIONS, NEEDED, "the driver needs it", "nova.conf")
    host = reader.value("host", "")
    if len(host) > names.LONGEST_HOST:
        reader.errors["host"] = ConfigError(
            "host",
            host,
            f"it has {len(host)} characters, and with more than {names.LONGEST_HOST} the "
            f"names of its partitions would have more than {names.LONGEST}",
            "Set it to a shorter name, before the host has any server",
            section="DEFAULT",
        )
    values = reader.section()
    settings = Settings(
        host=host,
        hmc=hmc.hmc_settings(values),
        cpc_object_id=values["cpc_object_id"],
        max_processors=values["max_processors"],
        max_memory=values["max_memory"],
        storage_ports=tuple(dict.fromkeys(values["physical_storage_adapter_mappings"])),
        ignored_wwpns=frozenset(values["target_wwpn_ignore_list"]),
    )
    return settings, reader.errors
