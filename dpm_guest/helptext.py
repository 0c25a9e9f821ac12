"""Help, man page and shell completion, made from the tables in `dpm_guest.options`."""

from __future__ import annotations

import sys

from dpm_guest import __version__
from dpm_guest.options import COMMANDS, OPTIONS, Option

SUMMARY = "bring the network devices of a DPM partition up as the kernel command line says"

FORMAT = """\
The kernel command line names each NIC of the partition by <devno>,<port>[,<mac>]; with devno the
first of its three device numbers (4 hex digits), port the adapter's port (0-15) and mac the MAC
that its interface shall have (12 hex digits): 0001,1,0a0000000011;0004,0;"""

EXIT = (
    ("0", "everything is as wanted"),
    ("1", "something is not; the output says what and why"),
    ("2", "the command was not understood"),
)

OFF = """\
dpm_guest=off on the kernel command line keeps the units and the udev rule from doing anything. \
dpm_guest=no-auto keeps them away from NICs that neither it nor a file in /etc/dpm-guest.d names. \
The commands still work by hand."""

FILES = (
    ("/run/systemd/network/70-dpm-*.link", "made from the tuples; by them udev sets the MACs"),
    ("/run/dpm-guest/", "a file for each NIC that the udev rule takes care of"),
    ("/run/dpm-guest/retry/", "a file for each NIC that was not right in time"),
    (
        "/etc/dpm-guest.d/*.conf",
        "tuples of an administrator for NICs that the kernel command line does not name, with a "
        "blank or a new line between them; # begins a comment",
    ),
    ("dpm-guest.service", "runs 'configure' at boot, before network-pre.target and cloud-init"),
    ("dpm-guest@.service", "a NIC that comes later, or comes back"),
    ("dpm-guest-retry.service", "runs 'retry' for NICs that were not right in time"),
    ("80-dpm-guest.rules", "starts dpm-guest@.service"),
)


def help_text() -> str:
    """What ``dpm-guest --help`` shows."""
    lines = [f"dpm-guest: {SUMMARY}", "", "Usage:"]
    lines += [
        f"  dpm-guest {' '.join(filter(None, (c.name, c.operands)))} [OPTION...]" for c in COMMANDS
    ]
    lines += ["", "Commands:"]
    lines += _columns([(c.name, c.summary) for c in COMMANDS])
    lines += ["", "Options:"]
    lines += _columns([(_names(o), _text(o)) for o in OPTIONS])
    lines += ["", *_wrap(FORMAT, ""), "", "Exit codes:"]
    lines += _columns(list(EXIT))
    lines += ["", *_wrap(OFF, ""), "", "More: man dpm-guest"]
    return "\n".join(lines)


def man_page() -> str:
    """``dpm-guest(8)`` in roff."""
    out = [f'.TH DPM-GUEST 8 "" "nova-dpm {__version__}" "System Administration"']
    out += [".SH NAME", f"dpm-guest \\- {_roff(SUMMARY)}", ".SH SYNOPSIS"]
    for command in COMMANDS:
        out += [
            ".B dpm-guest " + command.name,
            _roff(f"{command.operands} [OPTION...]".strip()),
            ".br",
        ]
    out += [".SH DESCRIPTION", _roff(FORMAT), ".SH COMMANDS"]
    for command in COMMANDS:
        out += [".TP", f".B {command.name} {_roff(command.operands)}".rstrip()]
        out += [_roff(f"{command.summary[0].upper()}{command.summary[1:]}. {command.text}")]
    out += [".SH OPTIONS"]
    for option in OPTIONS:
        out += [".TP", f".B {_roff(_names(option))}", _roff(f"{_text(option)}.")]
    out += [".SH EXIT STATUS"]
    for code, text in EXIT:
        out += [".TP", f".B {code}", _roff(f"{text}.")]
    out += [".SH KERNEL COMMAND LINE", _roff(OFF), ".SH FILES"]
    for path, text in FILES:
        out += [".TP", f".I {_roff(path)}", _roff(f"{text}.")]
    out += [".SH EXAMPLES", ".nf"]
    out += [_roff(line) for line in ("dpm-guest status", "dpm-guest configure --dry-run")]
    out += [_roff("dpm-guest configure 0.0.1003,1"), _roff("dpm-guest setmac 0.0.0600")]
    out += [_roff("dpm-guest report report.tar.gz"), ".fi"]
    out += [".SH SEE ALSO", r"systemd.link(5), chzdev(8), lszdev(8), lsqeth(8)"]
    return "\n".join(out) + "\n"


def completion() -> str:
    """Completion for bash."""
    names = " ".join(command.name for command in COMMANDS)
    common = " ".join(_all_names(tuple(o for o in OPTIONS if not o.commands)))
    cases = []
    for command in COMMANDS:
        own = _all_names(tuple(o for o in OPTIONS if command.name in o.commands))
        if own:
            cases.append(f'        {command.name}) words="$words {" ".join(own)}" ;;')
    values = {"FILE": "compgen -f", "DIR": "compgen -d", "SECONDS": ""}
    arguments = []
    for option in OPTIONS:
        if option.metavar:
            action = values[option.metavar]
            reply = (
                f'mapfile -t COMPREPLY < <({action} -- "$current")' if action else "COMPREPLY=()"
            )
            arguments.append(f"        {option.name}) {reply}; return ;;")
    return "\n".join(
        [
            "# bash completion for dpm-guest, made from its options",
            "_dpm_guest() {",
            '    local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}"',
            f'    local words="{common}" command="" word',
            '    case "$previous" in',
            *arguments,
            "    esac",
            '    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
            f"        case $word in {names.replace(' ', '|')}) command=$word; break ;; esac",
            "    done",
            '    case "$command" in',
            f'        "") words="$words {names}" ;;',
            *cases,
            "    esac",
            '    if [ "$command" = setmac ] && [[ $current != -* ]]; then',
            '        words="$(ls /sys/class/net 2>/dev/null)"',
            '    elif [ "$command" = report ] && [[ $current != -* ]]; then',
            '        mapfile -t COMPREPLY < <(compgen -f -- "$current"); return',
            "    fi",
            '    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")',
            "}",
            "complete -F _dpm_guest dpm-guest",
            "",
        ]
    )


def _names(option: Option) -> str:
    name = f"{option.short}, {option.name}" if option.short else option.name
    return f"{name} {option.metavar}" if option.metavar else name


def _all_names(options: tuple[Option, ...]) -> list[str]:
    return [name for option in options for name in (option.short, option.name) if name]


def _text(option: Option) -> str:
    return f"{', '.join(option.commands)}: {option.text}" if option.commands else option.text


def _columns(rows: list[tuple[str, str]]) -> list[str]:
    width = max(len(left) for left, _ in rows) + 4
    lines = []
    for left, right in rows:
        first, *rest = _wrap(right, " " * width)
        lines += [f"  {left}".ljust(width) + first.lstrip(), *rest]
    return lines


def _wrap(text: str, indent: str) -> list[str]:
    import textwrap

    return textwrap.wrap(
        text, 88, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )


def _roff(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-").replace("\n", " ")


if __name__ == "__main__":
    sys.stdout.write({"man": man_page, "completion": completion, "help": help_text}[sys.argv[1]]())
