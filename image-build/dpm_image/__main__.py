"""The command ``dpm-image``: one module for each subcommand, with ``add_parser`` and ``run``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast

from dpm_lab import signals
from dpm_lab.errors import LabError

#: Subcommands and their modules, in the order in which ``--help`` lists them.
COMMANDS = {
    "list": "dpm_image.build.list",
    "build": "dpm_image.build.command",
    "verify": "dpm_image.verify.verify",
    "compare": "dpm_image.compare",
    "boot": "dpm_image.boot",
    "demo": "dpm_image.demo",
}


class Command(Protocol):
    """What a subcommand's module has to offer."""

    def add_parser(self, subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
        """Add the subcommand's parser; its name is the key in `COMMANDS`."""

    def run(self, args: argparse.Namespace) -> int:
        """Do it. Return the exit status; raise :class:`LabError` for what a person can fix."""


def commands() -> dict[str, Command]:
    """Return the subcommands that this installation has, by name."""
    return {name: cast(Command, import_module(module)) for name, module in COMMANDS.items()}


def parser(available: dict[str, Command]) -> argparse.ArgumentParser:
    """Return the parser with all subcommands."""
    top = argparse.ArgumentParser(
        prog="dpm-image",
        description="Build, check and boot disk images for DPM partitions.",
        epilog="The whole way for a RHEL image: dpm-image build --help",
    )
    subparsers = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in available.values():
        command.add_parser(subparsers)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand. Exit status: 0 right, 1 wrong, 2 usage, 128 + N ended by signal N."""
    available = commands()
    args = parser(available).parse_args(argv)
    try:
        with signals.ending():
            return available[args.command].run(args)
    except LabError as error:
        print(f"dpm-image {args.command}: {error}", file=sys.stderr)
        return 1
    except signals.Ended as end:
        print(f"dpm-image {args.command}: {end}", file=sys.stderr)
        return end.status
    except BrokenPipeError:
        # `dpm-image verify X | head`: nobody reads on; keep the interpreter's exit quiet too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        # A disk that is full, a folder that may not be written to: for a person, not for us.
        print(f"dpm-image {args.command}: {_sentence(error)}", file=sys.stderr)
        return 1


def _sentence(error: OSError) -> str:
    names = [os.fsdecode(name) for name in (error.filename, error.filename2) if name is not None]
    return ": ".join([*names, error.strerror or str(error)])


if __name__ == "__main__":
    sys.exit(main())
