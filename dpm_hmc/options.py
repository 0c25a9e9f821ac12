"""The options that say which HMC and which CPC, and how a section of options is read.

They are the same in each program that works with an HMC; each adds its own to them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from oslo_config import cfg, types

from dpm_hmc.errors import ConfigError
from dpm_hmc.settings import HmcSettings

SECTION = "dpm"

NEEDED_TO_ASK = ("hmc", "hmc_port", "hmc_username", "hmc_password", "hmc_verify_certificate")
"""Without them no HMC can be asked."""

UNVERIFIED = (
    "hmc_verify_certificate = false: whoever answers at the HMC's address is given the password. "
    "Set hmc_ca_file, and remove this option"
)
"""What a program says that is told not to verify."""

_LINE = re.compile(r": (['\"]).*\1$", re.DOTALL)
"""The line that oslo.config repeats where it cannot parse it."""

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
EXAMPLE_ID = "439da232-b18d-11e6-9c12-42f2e9ef1641"


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
        if not re.fullmatch(UUID, text):
            raise ValueError(f"{value!r} is no object id such as {EXAMPLE_ID}")
        return text

    def _formatter(self, value: object) -> str:
        return str(value)


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
        "hmc_status_timeout",
        default=60,  # zhmcclient's DEFAULT_STATUS_TIMEOUT (1.26, _constants.py)
        min=1,
        help="""
Seconds after the end of such a job in which a partition has to show the status that it leads to. At
first an HMC may show the one of before, or ``paused``. Where nothing can be loaded from the boot
volume, a build or a start fails after as long.
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
        sample_default=EXAMPLE_ID,
        help="Object id of the CPC (``zhmc cpc list --uri`` shows it).",
    ),
)

NEEDED = {
    "hmc": "the HMC's host name",
    "hmc_username": "the user name for the HMC",
    "hmc_password": "the password for the HMC",
    "cpc_object_id": "the object id of the CPC",
}
"""What to set an option to that no program can do without."""


def hmc_settings(values: Mapping[str, Any]) -> HmcSettings:
    """Return how the HMC is reached, of the values of `OPTIONS`."""
    verify, ca_file = values["hmc_verify_certificate"], values["hmc_ca_file"]
    return HmcSettings(
        addresses=tuple(values["hmc"]),
        port=values["hmc_port"],
        username=values["hmc_username"],
        password=values["hmc_password"],
        verify=ca_file if verify and ca_file else verify,
        connect_timeout=values["hmc_connect_timeout"],
        read_timeout=values["hmc_read_timeout"],
        operation_timeout=values["hmc_operation_timeout"],
        status_timeout=values["hmc_status_timeout"],
        busy_timeout=values["hmc_busy_timeout"],
        outage_timeout=values["hmc_outage_timeout"],
    )


def unread(error: Exception) -> str:
    """Return what is wrong with a configuration file, without its line: a password may be in it."""
    if isinstance(error, UnicodeDecodeError):
        return "a configuration file is not UTF-8"
    text = str(error)
    return _LINE.sub("", text) if isinstance(error, cfg.ConfigFileParseError) else text


class Reader:
    """Reads options, and goes on after one that is wrong.

    Args:
        conf: with the options registered
        options: of the section
        needed: what to set an option to that the program cannot do without
        missing: what is wrong where such an option is not set
        file: that the options are written in, for messages

    Attributes:
        errors: what is wrong, by the option's name
    """

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        options: Sequence[cfg.Opt],
        needed: Mapping[str, str],
        missing: str,
        file: str,
    ) -> None:
        self.errors: dict[str, ConfigError] = {}
        self._conf = conf
        self._options = options
        self._needed = needed
        self._missing = missing
        self._file = file
        self._lists = {option.name for option in options if isinstance(option, cfg.ListOpt)}
        names = "|".join(option.name for option in options)
        self._assignment = re.compile(rf"\n\s*(?:\w+\s*=|(?:{names})\s*:)")

    def section(self) -> dict[str, Any]:
        """Return the values of the section's options; of a wrong one its default, or an empty one.

        Where it fails is in `errors`.
        """
        return {option.name: self._of_section(option) for option in self._options}

    def value(self, name: str, otherwise: Any, section: str = "DEFAULT") -> Any:
        """Return the value of an option; `otherwise` where it is wrong."""
        written = _written(self._conf, name, section)
        problem = self._unreadable(name, written)
        try:
            if problem is None:
                return self._conf[name] if section == "DEFAULT" else self._conf[section][name]
        except (cfg.Error, ValueError, RecursionError) as error:
            problem = self._problem(error, written)
        assert problem is not None
        self.errors[name] = ConfigError(name, *problem, section)
        return otherwise

    def _of_section(self, option: cfg.Opt) -> Any:
        kinds = {cfg.ListOpt: (), cfg.MultiOpt: (), cfg.IntOpt: 0}
        otherwise = kinds.get(type(option), "") if option.default is None else option.default
        value = self.value(option.name, otherwise, SECTION)
        if option.name not in self._needed or value not in (None, "", []):
            return otherwise if value is None else value
        if option.name not in self.errors:
            self.errors[option.name] = ConfigError(
                option.name,
                "(not set)",
                self._missing,
                f"Set it to {self._needed[option.name]}",
            )
        return otherwise

    def _unreadable(self, name: str, written: Sequence[str]) -> tuple[str, str, str] | None:
        """Return what is wrong with text that may hold, or make, another password than is meant.

        Such text is not shown: what it goes on with may be ``hmc_password`` itself. A list may go
        on in further lines, if none of them is an option.

        Returns:
            value, problem and cure of a `ConfigError`; None: nothing is wrong
        """
        if any(
            self._assignment.search(each) or ("\n" in each and name not in self._lists)
            for each in written
        ):
            return (
                _NOT_SHOWN,
                "an indented line after it goes on with its value",
                f"Begin each option of {self._file} at the start of its line",
            )
        if name == _SECRET and any(map(_substitutes, written[-1:])):
            return (
                _NOT_SHOWN,
                "a $ in it means the value of another option there",
                "Write $$ for each $ of the password",
            )
        return None

    def _problem(self, error: Exception, written: Sequence[str]) -> tuple[str, str, str]:
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
        return shown, cause, f"Correct it in {self._file}"


class _Unsubstituted(cfg.ConfigOpts):
    """Options as they are written: oslo.config takes ``$name`` for the value of another option."""

    class Template(cfg.ConfigOpts.Template):
        """Text in which nothing is put."""

        def safe_substitute(self, *arguments: Any, **named: Any) -> str:
            """Return the text as it is; oslo.config has made ``$$`` of each ``\\$``."""
            return self.template


_NOT_SHOWN = "(not shown)"
_SECRET = "hmc_password"


def _written(conf: cfg.ConfigOpts, name: str, section: str) -> list[str]:
    """Return what the files say for an option, the one that counts last."""
    raw = _Unsubstituted()
    raw.register_opt(cfg.MultiStrOpt(name, default=[]), group=section)
    raw([], default_config_files=conf.config_file or [], default_config_dirs=conf.config_dir or [])
    return list(raw[section][name])


def _substitutes(written: str) -> bool:
    """Whether oslo.config puts the value of another option into a text."""
    found = cfg.ConfigOpts.Template.pattern.finditer(written)
    return any(each["named"] or each["braced"] for each in found)
