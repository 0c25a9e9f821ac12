"""Programs of subcommands, ``dpm-lab`` and ``dpm-image``: one module for each subcommand."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, cast

from dpm_lab import signals
from dpm_lab.errors import LabError, UsageError


class Command(Protocol):
    """What a subcommand's module has to offer."""

    def add_parser(self, subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
        """Add the subcommand's parser; its name is the key in `Program.modules`."""

    def run(self, args: argparse.Namespace) -> int:
        """Do it. Return the exit status; raise :class:`LabError` for what a person can fix."""


@dataclass(frozen=True)
class Program:
    """A program.

    Attributes:
        extra: the extra of the distribution that its libraries come with
        modules: its subcommands by name, in the order in which ``--help`` lists them
    """

    name: str
    extra: str
    description: str
    modules: Mapping[str, str]
    epilog: str = ""

    def main(self, argv: Sequence[str] | None = None) -> int:
        """Run a subcommand. Exit status: its own, 1 failed, 2 usage, 128 + N ended by signal N."""
        commands = self._commands()
        args = self._parser(commands).parse_args(argv)
        said, status = "", 1
        try:
            with signals.ending():
                return commands[args.command].run(args)
        except LabError as error:
            said, status = str(error), 2 if isinstance(error, UsageError) else 1
        except signals.Ended as end:
            said, status = str(end), end.status
        except BrokenPipeError:
            # `dpm-image verify X | head`: nobody reads on; keep the interpreter's exit quiet too.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except OSError as error:
            # A disk that is full, a folder that may not be written to: for a person, not for us.
            said = _sentence(error)
        print(f"{self.name} {args.command}: {said}", file=sys.stderr)
        return status

    def _commands(self) -> dict[str, Command]:
        """Return the subcommands; one whose libraries are not installed can only say so."""
        found: dict[str, Command] = {}
        for name, module in self.modules.items():
            try:
                found[name] = cast(Command, import_module(module))
            except ModuleNotFoundError as error:
                if error.name is None or error.name.startswith("dpm_"):
                    raise
                found[name] = _Lacking(name, error.name.partition(".")[0], self.extra)
        return found

    def _parser(self, commands: Mapping[str, Command]) -> argparse.ArgumentParser:
        top = argparse.ArgumentParser(
            prog=self.name, description=self.description, epilog=self.epilog or None
        )
        subparsers = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
        for command in commands.values():
            command.add_parser(subparsers)
        return top


class _Lacking:
    """A subcommand that needs a library which is not installed."""

    def __init__(self, name: str, library: str, extra: str) -> None:
        self._name = name
        self._says = f"needs {library}, which is not installed: pip install 'nova-dpm[{extra}]'"

    def add_parser(self, subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
        parser = subparsers.add_parser(
            self._name, help=self._says, description=self._says, prefix_chars="\0", add_help=False
        )
        parser.add_argument("any", nargs="*", help=argparse.SUPPRESS)

    def run(self, _args: argparse.Namespace) -> int:
        raise LabError(self._says)


def _sentence(error: OSError) -> str:
    names = [os.fsdecode(name) for name in (error.filename, error.filename2) if name is not None]
    return ": ".join([*names, error.strerror or str(error)])
