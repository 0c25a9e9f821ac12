"""The command line of ``dpm-guest``: one table that is parsed, and from which help, man page and
shell completion are made (`dpm_guest.helptext`).

Not argparse: importing it makes a bare ``python3`` 1.7 times as slow (9.1 to 15.1 ms), and
``setmac`` and ``status`` do little else than start.
"""

from __future__ import annotations

from dpm_guest.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Command:
    """One command: its name, its operands as shown in the usage line, what it does."""

    def __init__(self, name: str, operands: str, most: int, summary: str, text: str) -> None:
        self.name = name
        self.operands = operands
        self.most_operands = most
        self.summary = summary
        self.text = text

    @property
    def needs_operand(self) -> bool:
        return bool(self.operands) and not self.operands.startswith("[")


class Option:
    """One option: its names, the word for its value ('' for a switch), where it is valid."""

    def __init__(
        self, name: str, short: str, metavar: str, text: str, commands: tuple[str, ...] = ()
    ) -> None:
        self.name = name
        self.short = short
        self.metavar = metavar
        self.text = text
        self.commands = commands


COMMANDS = (
    Command(
        "configure",
        "[BUS-ID[,PORT[,MAC]]...]",
        99,
        "bring all NICs to the state that the kernel command line asks for",
        "Compares each NIC (or only the ones given) with its tuple and changes only what differs: "
        "frees it from cio_ignore, loads qeth, groups it, sets layer 2 and the port, brings it "
        "online, has udev set its MAC and confirms it. All NICs at once; a NIC that fails costs "
        "only itself. A NIC that is there and has no tuple is brought up in layer 2 on port 0, or "
        "as it is given here: 'dpm-guest configure 0.0.1003,1'. A NIC with a tuple on the kernel "
        "command line can't be given another one.",
    ),
    Command(
        "setmac",
        "BUS-ID|INTERFACE",
        1,
        "give one interface the MAC that the kernel command line names",
        "The NIC is given as 0.0.0600, 0600 or by its interface, such as enc600.",
    ),
    Command(
        "retry",
        "",
        0,
        "try NICs again that were not right in time, until they are",
        "Run by dpm-guest-retry.service, in the background: first after 5 s, then after twice as "
        "long each time, at most 5 min. It says what changed, and ends when nothing is left.",
    ),
    Command(
        "status",
        "",
        0,
        "show wanted beside actual for each NIC, and why they differ",
        "Changes nothing. Needs no privileges.",
    ),
    Command(
        "report",
        "[FILE]",
        1,
        "write what the agent's assumptions rest on into an archive for the nova-dpm project",
        "Changes nothing else. Attributes of the NICs, udev's properties, the kernel command line, "
        "versions, what the units said; no host names, addresses, serial numbers or secrets, and "
        "other MACs. Without FILE it is dpm-guest-report.tar.gz in the current folder. A list in "
        "it names what was looked at; with --dry-run only that is shown. 0 means that the archive "
        "was written. Run it as root, else less can be read.",
    ),
)

OPTIONS = (
    Option("--json", "", "", "print JSON instead of a table", ("status",)),
    Option(
        "--timeout",
        "",
        "SECONDS",
        "give up on a NIC after this long without any progress, and on all of them after twice "
        "this long (default: 30)",
        ("configure", "retry"),
    ),
    Option(
        "--unit",
        "",
        "",
        "as the units call it: NICs that are not right in time are left to "
        "dpm-guest-retry.service, and one that nobody names is brought up only where that is not "
        "switched off",
        ("configure",),
    ),
    Option("--force", "-f", "", "replace FILE where it is there", ("report",)),
    Option("--dry-run", "-n", "", "say what would be changed, and change nothing"),
    Option("--verbose", "-v", "", "say each step"),
    Option("--cmdline", "", "FILE", "read this file in place of /proc/cmdline"),
    Option("--local", "", "DIR", "look for files with tuples here in place of /etc/dpm-guest.d"),
    Option("--sysfs", "", "DIR", "look here in place of /sys"),
    Option("--procfs", "", "DIR", "look here in place of /proc"),
    Option("--help", "-h", "", "show this text"),
    Option("--version", "", "", "show the version"),
)

DEFAULT_TIMEOUT = 30.0


class Options:
    """What the user asked for."""

    def __init__(self) -> None:
        self.command = ""
        self.operands: list[str] = []
        self.json = False
        self.timeout = DEFAULT_TIMEOUT
        self.unit = False
        self.force = False
        self.dry_run = False
        self.verbose = False
        self.cmdline = ""
        self.local = "/etc/dpm-guest.d"
        self.sysfs = "/sys"
        self.procfs = "/proc"
        self.help = False
        self.version = False


def parse(argv: Sequence[str]) -> Options:
    """Read the arguments (without the program's name).

    Raises:
        UsageError: an unknown command or option, a missing or superfluous operand.
    """
    options = Options()
    given: list[Option] = []
    words = list(argv)
    while words:
        word = words.pop(0)
        if word == "--":
            options.operands += words
            break
        if not word.startswith("-") or word == "-":
            options.operands.append(word)
            continue
        name, equals, value = word.partition("=")
        option = next((o for o in OPTIONS if name in (o.name, o.short or o.name)), None)
        if option is None:
            raise UsageError(f"unknown option {name}")
        if option.metavar and not equals:
            if not words:
                raise UsageError(f"{name} needs a value: {name} {option.metavar}")
            value = words.pop(0)
        elif equals and not option.metavar:
            raise UsageError(f"{name} takes no value")
        _store(options, option, value)
        given.append(option)
    if not (options.help or options.version):
        _check_command(options, given)
    return options


def _store(options: Options, option: Option, value: str) -> None:
    attribute = option.name[2:].replace("-", "_")
    if not option.metavar:
        setattr(options, attribute, True)
    elif attribute != "timeout":
        setattr(options, attribute, value)
    else:
        try:
            options.timeout = float(value)
        except ValueError:
            options.timeout = -1
        if not 0 < options.timeout <= 3600:
            raise UsageError(f"--timeout {value!r} is not a number of seconds up to 3600")


def _check_command(options: Options, given: list[Option]) -> None:
    names = ", ".join(command.name for command in COMMANDS)
    if not options.operands:
        raise UsageError(f"no command; one of: {names}")
    options.command = options.operands.pop(0)
    command = next((c for c in COMMANDS if c.name == options.command), None)
    if command is None:
        raise UsageError(f"unknown command {options.command!r}; one of: {names}")
    for option in given:
        if option.commands and command.name not in option.commands:
            raise UsageError(f"{option.name} does not belong to {command.name}")
    if len(options.operands) > command.most_operands:
        raise UsageError(f"{command.name}: what is {options.operands[-1]!r}?")
    if command.needs_operand and not options.operands:
        raise UsageError(f"{command.name} needs a {command.operands}")
