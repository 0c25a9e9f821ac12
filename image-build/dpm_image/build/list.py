"""``dpm-image list``: what can be built, and what has been."""

from __future__ import annotations

import argparse
import time

from dpm_image.build import distributions
from dpm_lab import cache
from dpm_lab.source import CHECKOUT


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``list`` to the command's parser."""
    subparsers.add_parser(
        "list",
        help="list what can be built, and the images in the cache",
        description="List the distributions that an image can be built of, with what a build needs "
        "from you, where the elements are, and the images that the cache has.",
    )


def run(_: argparse.Namespace) -> int:
    """Print the lists."""
    rows = [("DISTRIBUTION", "RELEASES", "NEEDS FROM YOU")]
    for name in distributions.names():
        known = distributions.about(name)
        rows.append((name, known.releases, known.needs))
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for first, second, third in rows:
        print(f"{first:<{widths[0]}}  {second:<{widths[1]}}  {third}")
    print(f"\nFor disk-image-create: export ELEMENTS_PATH={CHECKOUT / 'elements'}")
    images = sorted(cache.folder("images").glob("*.qcow2"), key=lambda image: image.stat().st_mtime)
    print("\nIn the cache, the one used last at the end:" if images else "\nThe cache is empty.")
    for image in images:
        found = image.stat()
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(found.st_mtime))
        print(f"  {found.st_size >> 20:5d} MiB  {used}  {image}")
    return 0
