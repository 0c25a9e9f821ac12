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
from dpm_lab import signals

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
    """Run one subcommand. Exit status: 0 right, 1 wrong, 2 usage, 128 + N ended by signal N."""
    available = commands()
    args = parser(available).parse_args(argv)
    try:
        with signals.ending():
            return available[args.command].run(args)
    except ImageError as error:
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
