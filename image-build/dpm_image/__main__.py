"""The command ``dpm-image``: one subcommand per module, each with ``add_parser`` and ``run``."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast

from dpm_image.errors import ImageError

#: Modules of this package that are subcommands, in the order in which ``--help`` lists them.
COMMANDS = ("list", "build", "verify", "compare", "boot", "demo")


class Command(Protocol):
    """What a subcommand's module has to offer."""

    def add_parser(self, subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
        """Add the subcommand's parser; its name is the module's."""

    def run(self, args: argparse.Namespace) -> int:
        """Do it. Return the exit status; raise :class:`ImageError` for what a person can mend."""


def commands() -> dict[str, Command]:
    """Return the subcommands that this installation has, by name."""
    return {
        name: cast(Command, import_module(f"dpm_image.{name}"))
        for name in COMMANDS
        if importlib.util.find_spec(f"dpm_image.{name}")
    }


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
    """Run one subcommand. Exit status: 0 right, 1 wrong, 2 usage, 130 interrupted."""
    available = commands()
    args = parser(available).parse_args(argv)
    try:
        return available[args.command].run(args)
    except ImageError as error:
        print(f"dpm-image {args.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"dpm-image {args.command}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # `dpm-image verify X | head`: nobody reads on; keep the interpreter's exit quiet too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


if __name__ == "__main__":
    sys.exit(main())
