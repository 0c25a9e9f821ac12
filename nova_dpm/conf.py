"""The options of section ``[dpm]`` of nova.conf, and their values, read once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from oslo_config import cfg, types

from dpm_hmc import names
from dpm_hmc.errors import ConfigError
from dpm_hmc.settings import HmcSettings

GROUP = cfg.OptGroup(
    "dpm",
    title="IBM Z and LinuxONE machines in DPM mode",
    help="""
Options of the Nova driver for IBM Z and LinuxONE machines in DPM (Dynamic Partition Manager) mode.

A machine is called a CPC (Central Processor Complex). It is managed over the Web Services API of an
HMC (Hardware Management Console). One nova-compute runs the servers of one OpenStack host, which is
a subset of one CPC: these options name the CPC, the HMC, and the limits of the subset. The driver
is chosen by ``[DEFAULT] compute_driver = dpm.DPMDriver``.
""",
)

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


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


class HmcHostType(types.ConfigType):
    """Host name or IP address of an HMC, without a port."""

    def __init__(self, type_name: str = "host name or IP address") -> None:
        super().__init__(type_name=type_name)
        self._domain = types.HostDomain()

    def __call__(self, value: object) -> str:
        """Return the address, IPv6 in brackets as in a URL. Raises ValueError where it is none."""
        text = str(value).strip()
        if re.fullmatch(r"([^:]+|\[.*\]):[0-9]*", text):
            raise ValueError(f"{value!r} names a port; hmc_port does that, for all HMCs")
        address: str = self._domain(text.removeprefix("[").removesuffix("]"))
        return f"[{address}]" if ":" in address else address

    def _formatter(self, value: object) -> str:
        return str(value)


class ObjectIdType(types.ConfigType):
    """The object id of something on the HMC: a UUID in lower case."""

    def __init__(self, type_name: str = "object id") -> None:
        super().__init__(type_name=type_name)

    def __call__(self, value: object) -> str:
        """Return the id. Raises ValueError where `value` is none."""
        text = str(value).strip().lower()
        if not re.fullmatch(_UUID, text):
            raise ValueError(f"{value!r} is no object id such as {_EXAMPLE_ID}")
        return text

    def _formatter(self, value: object) -> str:
        return str(value)


class StoragePortType(types.ConfigType):
    """``<object id of an FCP adapter>:<port>``."""

    def __init__(self, type_name: str = "adapter object id:port") -> None:
        super().__init__(type_name=type_name)

    def __call__(self, value: object) -> StoragePort:
        """Return the port. Raises ValueError where `value` names none."""
        match = re.fullmatch(rf"({_UUID}):([0-9])", str(value).strip().lower())
        if not match:
            raise ValueError(
                f"{value!r} is no adapter and port such as {_EXAMPLE_ID}:0 "
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


_EXAMPLE_ID = "439da232-b18d-11e6-9c12-42f2e9ef1641"

OPTIONS: Sequence[cfg.Opt] = (
    cfg.ListOpt(
        "hmc",
        item_type=HmcHostType(),
        default=[],
        sample_default="hmc1.example.com,hmc2.example.com",
        help="""
Host names or IP addresses of the HMC that manages the CPC, and of its alternates. The first one
that answers is used; when it stops to answer, the first of the list that does.
""",
    ),
    cfg.PortOpt("hmc_port", default=6794, help="Port of the HMC's Web Services API."),
    cfg.StrOpt("hmc_username", help="User name for the HMC."),
    cfg.StrOpt(
        "hmc_password",
        secret=True,
        help="""
Password for the HMC. Write ``$$`` for each ``$`` in it: one alone means the value of another option
there, and is refused.
""",
    ),
    cfg.BoolOpt(
        "hmc_verify_certificate",
        default=True,
        help="""
Whether the HMC's certificate is verified. Where this is false, whoever answers at the HMC's address
is given user name and password.
""",
    ),
    cfg.StrOpt(
        "hmc_ca_file",
        sample_default="/etc/nova/hmc-ca.pem",
        help="""
File (PEM) or folder of the certificates that the HMC's certificate is verified against. Where it is
not set, the certificates that Python's requests library brings along are used, which know no HMC
that signed its own. Nothing of the environment counts, such as ``REQUESTS_CA_BUNDLE``.
""",
    ),
    cfg.IntOpt(
        "hmc_connect_timeout",
        default=10,
        min=1,
        help="Seconds in which an HMC has to take a connection.",
    ),
    cfg.IntOpt(
        "hmc_read_timeout",
        default=300,
        min=1,
        help="Seconds in which an HMC has to answer a request.",
    ),
    cfg.IntOpt(
        "hmc_operation_timeout",
        default=900,
        min=1,
        help="""
Seconds in which starting or stopping a partition, fulfilling a volume and other jobs of the HMC
have to be done.
""",
    ),
    cfg.IntOpt(
        "hmc_busy_timeout",
        default=120,
        min=0,
        help="""
Seconds for which a request is repeated while the HMC says that it, or the object, is busy (409 with
reason 2, 503).
""",
    ),
    cfg.IntOpt(
        "hmc_outage_timeout",
        default=600,
        min=0,
        help="""
Seconds for which an operation on a server (build, start, stop, reboot, delete, ports) waits for an
HMC while none answers, as when it restarts, which takes minutes. What only reads, such as the
periodic audit, does not wait.
""",
    ),
    cfg.Opt(
        "cpc_object_id",
        type=ObjectIdType(),
        sample_default=_EXAMPLE_ID,
        help="Object id of the CPC (``zhmc cpc list --uri`` shows it).",
    ),
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
        min=512,
        help="Memory of the CPC in MiB that the servers of this host may use at most.",
    ),
    cfg.MultiOpt(
        "physical_storage_adapter_mappings",
        item_type=StoragePortType(),
        sample_default=[f"{_EXAMPLE_ID}:0"],
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
    errors: dict[str, ConfigError] = {}

    def value(name: str, otherwise: Any, section: str = GROUP.name) -> Any:
        written = _written(conf, name, section)
        problem = _unreadable(name, written)
        try:
            if problem is None:
                return conf[section][name] if section == GROUP.name else conf[name]
        except (cfg.Error, ValueError, RecursionError) as error:
            problem = _problem(error, written)
        assert problem is not None
        errors[name] = ConfigError(name, *problem, section)
        return otherwise

    def needed(name: str, meaning: str, otherwise: Any) -> Any:
        found = value(name, otherwise)
        if name not in errors and found in (None, "", []):
            errors[name] = ConfigError(
                name, "(not set)", "the driver needs it", f"Set it to {meaning}"
            )
            return otherwise
        return found

    host = value("host", "", _DEFAULT)
    if len(host) > names.LONGEST_HOST:
        errors["host"] = ConfigError(
            "host",
            host,
            f"it has {len(host)} characters, and with more than {names.LONGEST_HOST} the "
            f"names of its partitions would have more than {names.LONGEST}",
            "Set it to a shorter name, before the host has any server",
            section=_DEFAULT,
        )
    verify: bool | str = value("hmc_verify_certificate", True)
    ca_file = value("hmc_ca_file", None)
    settings = Settings(
        host=host,
        hmc=HmcSettings(
            hosts=tuple(needed("hmc", "the HMC's host name", ())),
            port=value("hmc_port", 0),
            username=needed("hmc_username", "the user name for the HMC", ""),
            password=needed("hmc_password", "the password for the HMC", ""),
            verify=ca_file if verify and ca_file else verify,
            connect_timeout=value("hmc_connect_timeout", 0),
            read_timeout=value("hmc_read_timeout", 0),
            operation_timeout=value("hmc_operation_timeout", 0),
            busy_timeout=value("hmc_busy_timeout", 0),
            outage_timeout=value("hmc_outage_timeout", 0),
        ),
        cpc_object_id=needed("cpc_object_id", "the object id of the CPC", ""),
        max_processors=needed("max_processors", "how many processors this host may use", 0),
        max_memory=needed("max_memory", "how much memory (MiB) this host may use", 0),
        storage_ports=tuple(dict.fromkeys(value("physical_storage_adapter_mappings", ()) or ())),
        ignored_wwpns=frozenset(value("target_wwpn_ignore_list", ())),
    )
    return settings, errors


class _Unsubstituted(cfg.ConfigOpts):
    """Options as they are written: oslo.config takes ``$name`` for the value of another option."""

    class Template(cfg.ConfigOpts.Template):
        """Text in which nothing is put."""

        def safe_substitute(self, *arguments: Any, **named: Any) -> str:
            """Return the text as it is; oslo.config has made ``$$`` of each ``\\$``."""
            return self.template


_DEFAULT = "DEFAULT"
_NOT_SHOWN = "(not shown)"
_SECRET = "hmc_password"
_LISTS = frozenset(option.name for option in OPTIONS if isinstance(option, cfg.ListOpt))
_ASSIGNMENT = re.compile(rf"\n\s*(?:\w+\s*=|(?:{'|'.join(option.name for option in OPTIONS)})\s*:)")


def _written(conf: cfg.ConfigOpts, name: str, section: str) -> list[str]:
    """Return what the files say for an option, the one that counts last."""
    raw = _Unsubstituted()
    raw.register_opt(cfg.MultiStrOpt(name, default=[]), group=section)
    raw([], default_config_files=conf.config_file or [], default_config_dirs=conf.config_dir or [])
    return list(raw[section][name])


def _unreadable(name: str, written: Sequence[str]) -> tuple[str, str, str] | None:
    """Return what is wrong with text that may hold, or may make, another password than is meant.

    Such text is not shown: what it goes on with may be ``hmc_password`` itself. A list may go on
    in further lines, if none of them is an option.

    Returns:
        value, problem and cure of a `ConfigError`; None: nothing is wrong
    """
    if any(_ASSIGNMENT.search(each) or ("\n" in each and name not in _LISTS) for each in written):
        return (
            _NOT_SHOWN,
            "an indented line after it goes on with its value",
            "Begin each option of nova.conf at the start of its line",
        )
    if name == _SECRET and any(map(_substitutes, written[-1:])):
        return (
            _NOT_SHOWN,
            "a $ in it means the value of another option there",
            "Write $$ for each $ of the password",
        )
    return None


def _problem(error: Exception, written: Sequence[str]) -> tuple[str, str, str]:
    """Return value, problem and cure of a `ConfigError` for what oslo.config cannot read."""
    shown = ", ".join(written) or "(unreadable)"
    if any(map(_substitutes, written)):
        # oslo.config's error may show the other option's value, which may be the password.
        return (
            shown,
            "a $ in it means the value of another option there, which cannot be read",
            "Write $$ for each $ that belongs to the value",
        )
    # oslo.config wraps it in "Value for option ... from LocationInfo(...) is not valid: ".
    cause = str(error).partition(" is not valid: ")[2] or str(error)
    return shown, cause, "Correct it in nova.conf"


def _substitutes(written: str) -> bool:
    """Whether oslo.config puts the value of another option into a text."""
    found = cfg.ConfigOpts.Template.pattern.finditer(written)
    return any(each["named"] or each["braced"] for each in found)
