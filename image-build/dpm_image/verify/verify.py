"""``dpm-image verify``: whether an image is fit to boot in any partition, as a table."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dpm_image.disk.rootfs import mounted, probe
from dpm_image.errors import ImageError

# Importing them is what fills the table of checks, in this order.
from dpm_image.verify import checks, checks_boot, checks_clean, checks_el, checks_guest
from dpm_image.verify.checks import Check, Image, Wrong
from dpm_lab import process
from dpm_lab.errors import LabError
from dpm_lab.guests.disk import qcow2
from dpm_lab.guests.disk.apart import apart
from dpm_lab.guests.disk.rawdisk import exported, root_partition
from dpm_lab.plain import plain
from dpm_lab.source import CHECKOUT

MODULES = (checks_clean, checks_boot, checks_guest, checks_el)

_SELF_CONTAINED = "self-contained"

#: What a check raises where an image is not as it has to be, and what reading it may come to.
_WRONG = (Wrong, LabError, OSError, ValueError, RecursionError)


@dataclass(frozen=True)
class Result:
    """What a check came to."""

    name: str
    right: bool
    found: str


def examine(image: Image, table: Sequence[Check] | None = None) -> list[Result]:
    """Run all checks that hold for the image's distribution."""
    table = checks.CHECKS if table is None else table
    try:
        family, found = image.family, []
    except _WRONG as wrong:
        family, found = "unknown", [Result("distribution", False, str(wrong))]
    return found + [_result(one, image) for one in table if one.holds_for(family)]


def _result(one: Check, image: Image) -> Result:
    try:
        return Result(one.name, True, one.do(image))
    except _WRONG as wrong:
        return Result(one.name, False, str(wrong))


def verify(path: Path) -> list[Result]:
    """Open the qcow2 `path` read-only and run all checks. Needs root, for the mount.

    An image that is not all in its file is not opened: then that is all the answer.
    """
    try:
        qcow2.check(path)
    except qcow2.NotSelfContainedError as wrong:
        return [Result(_SELF_CONTAINED, False, str(wrong))]
    with opened(path) as image:
        contained = Result(_SELF_CONTAINED, True, "no backing file, no data file, not encrypted")
        return [contained, *examine(image)]


@contextmanager
def opened(path: Path) -> Iterator[Image]:
    """Yield the qcow2 `path` as the checks want it."""
    with (
        apart(),
        exported(path) as disk,
        mounted(disk, path) as root,
        tempfile.TemporaryDirectory(prefix="dpm-image-") as agent,
    ):
        process.run([CHECKOUT / "tools/install-guest", agent])
        with disk.open("rb") as stream:
            offset = root_partition(stream, str(path)).offset
        space = os.statvfs(root)
        yield Image(
            root=root,
            info=_asked("info", path),
            map=_asked("map", path),
            disk=disk,
            label=probe(disk, offset, "LABEL"),
            used=(space.f_blocks - space.f_bfree) * space.f_frsize,
            agent=Path(agent),
        )


def _asked(what: str, path: Path) -> Any:
    node = f"json:{json.dumps(qcow2.blockdev(path))}"
    command = ["qemu-img", what, "--force-share", "--output=json", node]
    answer = process.ask(command)
    if answer.code:
        raise ImageError(f"{path}: {answer.errors.removeprefix('qemu-img: ')}")
    return json.loads(answer.output)


def shown(results: Sequence[Result]) -> str:
    """Return the results as a table."""
    head = ("CHECK", "VERDICT", "FOUND")
    rows = [
        head,
        *((one.name, "ok" if one.right else "WRONG", plain(one.found)) for one in results),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return "\n".join(
        f"{name:<{widths[0]}}  {right:<{widths[1]}}  {found}" for name, right, found in rows
    )


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``verify`` to the command's parser."""
    parser = subparsers.add_parser(
        "verify",
        help="check an image",
        description="Look into an image, without changing it and without running anything of it, "
        "and check that it is clean, boots in any partition and has the agent inside. Exit status "
        "0: all is right; 1: something is not.",
    )
    parser.add_argument("image", type=Path, metavar="IMAGE", help="a qcow2")
    parser.add_argument("--json", action="store_true", help="the table as JSON")


def run(args: argparse.Namespace) -> int:
    """Check an image and print the table."""
    results = verify(args.image)
    wrong = [one for one in results if not one.right]
    if args.json:
        json.dump([vars(one) for one in results], sys.stdout, indent=2)
        print()
    else:
        print(shown(results))
        verdict = f"{len(wrong)} of {len(results)} checks" if wrong else "nothing"
        print(f"\n{args.image}: {verdict} wrong")
    return 1 if wrong else 0
