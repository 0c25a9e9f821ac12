"""``dpm-guest``: the command. Imports nothing that the given command does not need."""

from __future__ import annotations

import os
import sys

from dpm_guest.bootparams import Parsed, parse
from dpm_guest.console import Console, discard, words
from dpm_guest.errors import DpmGuestError, InvalidIdError, UsageError
from dpm_guest.ids import CcwId
from dpm_guest.options import Options
from dpm_guest.options import parse as parse_arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0: everything is as wanted, 1: something is not, 2: usage."""
    try:
        options = parse_arguments(sys.argv[1:] if argv is None else argv)
        code = _run(options)
        sys.stdout.flush()
        return code
    except (UsageError, InvalidIdError) as error:
        print(f"dpm-guest: {error}\nTry 'dpm-guest --help'.", file=sys.stderr)
        return 2
    except DpmGuestError as error:
        Console().error(str(error))
        return 1
    except BrokenPipeError:
        discard(sys.stdout)  # `dpm-guest status | head`
        return 1
    except OSError as error:
        discard(sys.stdout)
        Console().error(f"{error.filename or 'standard output'}: {words(error)}")
        return 1


def _run(options: Options) -> int:
    if options.help:
        from dpm_guest.helptext import help_text

        print(help_text())
        return 0
    if options.version:
        from dpm_guest import __version__

        print(f"dpm-guest {__version__}")
        return 0

    from dpm_guest.sysfs import Sysfs

    tree = Sysfs(options.sysfs, options.procfs)
    if options.command == "status":
        from dpm_guest.status import status

        return status(_read_parameters(options), tree, options.json)

    console = Console(options.verbose)
    if os.geteuid() and not options.dry_run:
        raise DpmGuestError(f"{options.command} has to be run as root (or with --dry-run)")
    if options.command == "setmac":
        from dpm_guest.setmac import setmac

        return setmac(
            _read_parameters(options), options.operands[0], tree, console, options.dry_run
        )

    from dpm_guest.configure import configure

    only = tuple(map(CcwId.parse, options.operands))
    return configure(
        _read_parameters(options),
        only,
        tree,
        console,
        timeout=options.timeout,
        dry_run=options.dry_run,
    )


def _read_parameters(options: Options) -> Parsed:
    path = options.cmdline or f"{options.procfs}/cmdline"
    try:
        # One character a byte, as the kernel splits the line.
        with open(path, encoding="iso-8859-1") as file:
            return parse(file.read())
    except OSError as error:
        raise DpmGuestError(f"cannot read {path}: {error.strerror}") from error


if __name__ == "__main__":
    sys.exit(main())
