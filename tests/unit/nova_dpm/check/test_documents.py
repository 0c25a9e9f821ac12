"""The messages that the page "Messages and cures" explains are those that the driver has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parents[4]
PAGE = TOP / "doc" / "source" / "operators" / "messages.rst"

# Nova's, and names of options.
NOT_OURS = {
    "No valid host was found",
    "Exhausted all hosts available",
    "Exceeded maximum number of retries",
    "Binding failed for port",
    "host",
}


def _documented() -> Iterator[str]:
    """The literals in the first columns of the page's tables."""
    text = PAGE.read_text(encoding="utf-8")
    for cell in re.findall(r"^   \* - (.*?)^     - ", text, re.MULTILINE | re.DOTALL):
        for message in re.findall(r"``(.*?)``", " ".join(cell.split())):
            if message not in NOT_OURS:
                yield message


def _texts(path: Path) -> Iterator[str]:
    """The strings of a module; what is put into them is one blank character."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


SOURCE = "\n".join(
    " ".join(text.split())
    for package in ("dpm_hmc", "networking_dpm", "nova_dpm")
    for path in (TOP / package).rglob("*.py")
    for text in _texts(path)
)


@pytest.mark.parametrize("message", list(_documented()))
def test_a_message_of_the_page_is_one_of_the_driver(message: str) -> None:
    """``...`` in the page is any text."""
    fragments = [each.strip(" =,:") for each in message.split("...")]

    assert all(fragment in SOURCE for fragment in fragments)
