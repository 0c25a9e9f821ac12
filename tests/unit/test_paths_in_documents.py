"""Files and folders that README, CONTRIBUTING and the pages for contributors name are there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
PAGES = (
    "README.rst",
    "CONTRIBUTING.rst",
    "doc/source/architecture.rst",
    "doc/source/extend.rst",
)

#: What the commands make in a checkout.
MADE = ("doc/build/", "lab/")


def _paths(text: str) -> Iterator[str]:
    """Return the literals that name something in this repository; ``<...>`` is a blank to fill."""
    for literal in re.findall(r"``([^`\s]+/[^`\s]*)``", text):
        folder = literal.partition("/")[0]
        if folder and (TOP / folder).is_dir() and "<" not in literal:
            yield literal


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_names_is_there(page: str) -> None:
    named = set(_paths((TOP / page).read_text(encoding="utf-8")))

    assert named
    missing = {each for each in named if not (TOP / each).exists()}
    assert {each for each in missing if not each.startswith(MADE)} == set()


def test_paths_are_found() -> None:
    text = "``tests/gone.py``, ``elements/<name>-dpm/``, ``/proc/cmdline``, ``dpm_guest.ids``"

    assert list(_paths(text)) == ["tests/gone.py"]
