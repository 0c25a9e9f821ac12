"""``dpm-lab cloud tempest``."""

from __future__ import annotations

import argparse
from pathlib import Path

from dpm_lab.cloud.place import Place
from dpm_lab.progress import Progress

_DESCRIPTION = """\
Run what applies to such a host of Tempest, OpenStack's own tests, against the cloud, which has to
be up. Tempest gets a virtual environment of its own, and the folder 'tempest' in the cloud's.

Groups, tests and exclusions with their reasons are in dpm_lab/cloud/tempest/selection.yaml. Two
things differ from Tempest as it comes: servers boot from volumes, as partitions do, and nobody
logs on to a server, since partitions of the lab boot nothing."""

_EXAMPLES = """\
examples:
  dpm-lab cloud tempest                       # all groups
  dpm-lab cloud tempest smoke                 # three tests
  dpm-lab cloud tempest ports volumes         # two groups
  dpm-lab cloud tempest test_attach_volume    # the tests that have this in their name
  dpm-lab cloud tempest --list                # what would run, and what not, and why

Tracebacks and requests of the last run: 'stestr last' of Tempest's environment
(~/.cache/nova-dpm/cloud/tempest-*/bin), in the folder 'tempest' of the cloud's.
"""


def add_parser(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser."""
    parser = actions.add_parser(
        "tempest",
        help="run what applies of OpenStack's own tests",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "selection",
        nargs="*",
        metavar="SELECTION",
        help="a group, or a regular expression of tests in the groups (default: all groups)",
    )
    parser.add_argument(
        "--list", action="store_true", help="show what would run, and what is excluded and why"
    )
    # Most of a test's time is spent waiting for a partition.
    parser.add_argument(
        "--workers", type=int, default=2, metavar="N", help="tests at a time (default: 2)"
    )
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def run(folder: Path, args: argparse.Namespace) -> int:
    """Do it. Return 0 where no test failed, 1 where one did."""
    from dpm_lab.cloud.tempest import run as runs
    from dpm_lab.cloud.tempest import table
    from dpm_lab.cloud.tempest.selection import Selection

    place = Place.read(folder)
    progress = Progress(quiet=args.quiet)
    selection = Selection.load()
    runs.prepare(place, progress)
    progress.line("Tempest lists its tests")
    chosen = selection.choose(runs.tests(place), args.selection)
    if args.list:
        progress.clear()
        print("\n".join(table.listing(chosen)))
        return 0
    progress.line(f"{len(chosen.tests)} tests, {len(chosen.excluded)} more are excluded")
    results = runs.run(place, chosen, progress, args.workers)
    progress.clear()
    print("\n".join(table.lines(results, selection.groups)))
    return int(any(each.end == "failed" for each in results.all()))
