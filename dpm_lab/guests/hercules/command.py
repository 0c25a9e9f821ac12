"""``dpm-lab osa``: boot a small Linux with real qeth devices and run something in it."""

from __future__ import annotations

import argparse
import sys
import threading

from dpm_lab.errors import GuestError
from dpm_lab.guests.hercules import base, cards
from dpm_lab.guests.hercules.guest import (
    BOOT_TIMEOUT,
    INITS,
    RUN_TIMEOUT,
    Configuration,
    Guest,
    to_stderr,
)
from dpm_lab.progress import Progress

_HEARTBEAT = 15.0

_DESCRIPTION = """\
Boots Debian's own s390x kernel in hercules, with OSA cards that its qeth driver takes for real, and
runs a command in it. The agent of this checkout is installed in the guest. A boot takes 35 s to
60 s; the first one builds the guest's base system, which takes a minute more."""

_EXAMPLES = """\
examples:
  dpm-lab osa --nics 4 -- dpm-guest configure --verbose
  dpm-lab osa --nics 1 --cmdline '0600,1,0a0000000011;' -- sh -c 'dpm-guest configure; ip link'
  dpm-lab osa --systemd --nics 3 --card 0700,silent -- systemctl status dpm-guest
  dpm-lab osa --release newer --card 0700,ports=1,delay=2
      (no command: a shell)
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of ``dpm-lab osa``."""
    parser = subparsers.add_parser(
        "osa",
        help="a Linux guest with real qeth devices",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--nics",
        type=int,
        metavar="N",
        help="NICs 0600, 0603, ... of one card with two ports (default: 1, or 0 with --card)",
    )
    parser.add_argument(
        "--card", action="append", default=[], metavar="SPEC", help=" ".join(cards.HELP.split())
    )
    parser.add_argument(
        "--cmdline",
        metavar="TEXT",
        help="kernel parameters (default: a tuple with port 0 and a MAC for each NIC)",
    )
    parser.add_argument(
        "--release",
        choices=base.RELEASES,
        default=base.RELEASES[0],
        help=f"whose kernel, systemd and udev (default: {base.RELEASES[0]}); {base.ANY_NEWER}: the "
        "first of those between that Debian's archive can give today",
    )
    parser.add_argument(
        "--systemd",
        dest="init",
        action="store_const",
        const="systemd",
        default="minimal",
        help="boot with systemd and our unit; else only udev runs, and nothing was configured",
    )
    parser.add_argument(
        "--package",
        action="append",
        default=[],
        metavar="NAME",
        help="a Debian package to have in the guest",
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=RUN_TIMEOUT,
        metavar="SECONDS",
        help=f"for the command (default: {RUN_TIMEOUT:g}); a boot gets {BOOT_TIMEOUT:g}",
    )
    parser.add_argument(
        "--console", action="store_true", help="show the guest's console too (on standard error)"
    )
    parser.add_argument("--dry-run", action="store_true", help="show what would be booted, and end")
    parser.add_argument(
        "command_line",
        nargs="*",
        metavar="COMMAND",
        help="what to run in the guest, after '--'; its exit status is ours",
    )


def run(args: argparse.Namespace) -> int:
    """Boot, run, end."""
    own = tuple(map(cards.Nic.parse, args.card))
    count = args.nics if args.nics is not None else (0 if own else 1)
    configuration = Configuration(
        nics=cards.row(count) + own,
        cmdline=args.cmdline,
        release=args.release,
        init=args.init,
        packages=tuple(args.package),
    )
    cards.check(configuration.nics)
    if args.dry_run:
        _describe(configuration, args.command_line)
        return 0
    progress = Progress()
    console = to_stderr if args.console or not args.command_line else None
    guest = Guest(configuration, progress=progress, console=console)
    with _Heartbeat(guest, progress) as heartbeat, guest:
        heartbeat.stop()
        if not args.command_line:
            return _shell(guest)
        return guest.run(args.command_line, timeout=args.timeout, output=_pass_on).code


def _pass_on(kind: str, data: bytes) -> None:
    stream = sys.stdout if kind == "out" else sys.stderr
    stream.buffer.write(data)
    stream.flush()


def _describe(configuration: Configuration, command: list[str]) -> None:
    print(f"guest:      Debian {configuration.release}, init: {INITS[configuration.init]}")
    for nic in configuration.nics:
        print(f"NIC:        {nic.bus_id} {nic.words}")
    print(f"parameters: {configuration.parameters}")
    print(f"command:    {' '.join(command) or 'a shell'}")


def _shell(guest: Guest) -> int:
    """Commands from standard input, each in a shell of its own that begins where the last ended."""
    print("A shell in the guest; each line is one command. Ctrl-D ends.", file=sys.stderr)
    folder, code = "/root", 0
    while True:
        if sys.stdin.isatty():
            print(f"lab:{folder}# ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            return code
        if not line.strip():
            continue
        script = 'cd "$0"; eval "$1"; code=$?; pwd > /run/dpm-lab-folder; exit $code'
        try:
            code = guest.run(["bash", "-c", script, folder, line], output=_pass_on).code
            folder = guest.run("cat /run/dpm-lab-folder").output.strip() or folder
        except GuestError as error:
            if not guest.running:
                raise
            print(f"dpm-lab osa: {error}", file=sys.stderr)


class _Heartbeat:
    """Says every while that the boot goes on."""

    def __init__(self, guest: Guest, progress: Progress) -> None:
        self._guest = guest
        self._progress = progress
        self._stop = threading.Event()

    def __enter__(self) -> _Heartbeat:
        threading.Thread(target=self._beat, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._stop.set()

    def _beat(self) -> None:
        self._progress.line("booting")
        while not self._stop.wait(_HEARTBEAT):
            lines = self._guest.console_lines
            self._progress.line(f"booting: {lines[-1] if lines else 'the kernel is unpacked'}")
