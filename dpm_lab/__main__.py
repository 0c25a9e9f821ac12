"""The command ``dpm-lab``: one subcommand for each part of the lab."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast

from dpm_lab import signals
from dpm_lab.errors import LabError, UsageError

#: Subcommands and their modules, in the order in which ``--help`` lists them.
COMMANDS = {"osa": "dpm_lab.guests.hercules.command", "hmc": "dpm_lab.hmc.command"}


class Command(Protocol):
    """What a subcommand's module has to offer."""

    def add_parser(self, subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
        """Add the subcommand's parser; its name is the key in `COMMANDS`."""

    def run(self, args: argparse.Namespace) -> int:
        """Do it. Return the exit status; raise :class:`LabError` for what a person can fix."""


def commands() -> dict[str, Command]:
    """Return the subcommands by name; one whose libraries are not installed can only say so."""
    found: dict[str, Command] = {}
    for name, module in COMMANDS.items():
        try:
            found[name] = cast(Command, import_module(module))
        except ModuleNotFoundError as error:
            if error.name is None or error.name.startswith("dpm_"):
                raise
            found[name] = _Lacking(name, error.name.partition(".")[0])
    return found


class _Lacking:
    """A subcommand that needs a library of the extra ``lab``, which is not installed."""

    def __init__(self, name: str, library: str) -> None:
        self._name = name
        self._says = f"needs {library}, which is not installed: pip install 'nova-dpm[lab]'"

    def add_parser(self, subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
        parser = subparsers.add_parser(
            self._name, help=self._says, description=self._says, prefix_chars="\0", add_help=False
        )
        parser.add_argument("any", nargs="*", help=argparse.SUPPRESS)

    def run(self, _args: argparse.Namespace) -> int:
        raise LabError(self._says)


def parser(available: dict[str, Command]) -> argparse.ArgumentParser:
    """Return the parser with all subcommands."""
    top = argparse.ArgumentParser(
        prog="dpm-lab", description="What an IBM Z machine in DPM mode does, on a desk."
    )
    subparsers = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in available.values():
        command.add_parser(subparsers)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand. Exit status: its own, 1 failed, 2 usage, 128 + N ended by signal N."""
    available = commands()
    args = parser(available).parse_args(argv)
    try:
        with signals.ending():
            return available[args.command].run(args)
    except UsageError as error:
        print(f"dpm-lab {args.command}: {error}", file=sys.stderr)
        return 2
    except LabError as error:
        print(f"dpm-lab {args.command}: {error}", file=sys.stderr)
        return 1
    except signals.Ended as end:
        print(f"dpm-lab {args.command}: {end}", file=sys.stderr)
        return end.status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


if __name__ == "__main__":
    sys.exit(main())
