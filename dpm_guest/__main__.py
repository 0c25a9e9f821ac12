"""``dpm-guest``: the command. Imports nothing that the given command does not need."""

from __future__ import annotations

import os
import sys

from dpm_guest.bootparams import NicParams
from dpm_guest.console import Console, discard, words
from dpm_guest.errors import DpmGuestError, InvalidIdError, UsageError
from dpm_guest.ids import CcwId
from dpm_guest.options import Options
from dpm_guest.options import parse as parse_arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from dpm_guest.sysfs import Sysfs
    from dpm_guest.wanted import Wanted


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
    console = Console(options.verbose)
    if options.command in ("status", "report"):
        return _look(options, tree, console)
    if os.geteuid() and not options.dry_run:
        raise DpmGuestError(f"{options.command} has to be run as root (or with --dry-run)")
    if options.command == "setmac":
        from dpm_guest.setmac import setmac

        return setmac(_read(options, tree), options.operands[0], tree, console, options.dry_run)
    if options.command == "retry":
        return _retry(options, tree, console)

    from dpm_guest.configure import configure

    return configure(
        _read(options, tree),
        tuple(map(_asked, options.operands)),
        tree,
        console,
        timeout=options.timeout,
        dry_run=options.dry_run,
        unit=options.unit,
    )


def _look(options: Options, tree: Sysfs, console: Console) -> int:
    """The commands that change nothing, so that anybody may run them."""
    if options.command == "report":
        from dpm_guest.report import report

        return report(options, tree, console)

    from dpm_guest.status import status

    return status(_read(options, tree), tree, options.json)


def _retry(options: Options, tree: Sysfs, console: Console) -> int:
    from dpm_guest.retry import remembered, retry

    if options.dry_run:
        left = remembered()
        print("\n".join(left) or "nothing is left to be tried again")
        return 1 if left else 0

    def attempt(wanted: Wanted, nics: tuple[NicParams, ...]) -> None:
        from dpm_guest.jobs import bring_right

        bring_right(nics, wanted, tree, console, options.timeout)

    return retry(lambda: _read(options, tree), attempt, tree, console)


def _asked(operand: str) -> tuple[CcwId, NicParams | None]:
    """A NIC as it is named by hand: ``0.0.0600`` or ``0600``, or with port and MAC: ``0600,1``.

    Raises:
        InvalidIdError: it is neither.
    """
    name, comma, rest = operand.partition(",")
    bus_id = CcwId.parse(name)
    if not comma:
        return bus_id, None
    text = f"{bus_id.devno},{rest.rstrip(';')};"
    try:
        nic = NicParams.parse(text)
    except InvalidIdError as error:
        raise InvalidIdError(f"{text!r}: {error}") from error
    return bus_id, NicParams(bus_id, nic.port, nic.mac)


def _read(options: Options, tree: Sysfs) -> Wanted:
    from dpm_guest.wanted import read_wanted

    return read_wanted(options.cmdline or f"{options.procfs}/cmdline", options.local, tree)


if __name__ == "__main__":
    sys.exit(main())
