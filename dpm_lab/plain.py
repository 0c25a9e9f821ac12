"""Text of an image or a guest, made fit for a table, a terminal and a message."""

from __future__ import annotations

import os
from typing import TextIO


def plain(text: str, *, keep: str = "") -> str:
    r"""Return `text` with everything that does not print as itself escaped, as Python writes it.

    That is what moves the cursor or begins a line (``\n``, ``\x1b``, C1), what turns the direction
    of reading (``\u202e``), and what no encoding has (bytes of a name that is not UTF-8). Of it,
    the characters in `keep` stay.
    """
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() or one in keep else one.encode("unicode_escape").decode()
        for one in text
    )


def cut(text: str, length: int = 200) -> str:
    """Return `text` as :func:`plain` does, and no more of it than `length` characters."""
    return plain(text if len(text) <= length else f"{text[:length]}... ({len(text)} characters)")


def in_colour(stream: TextIO) -> bool:
    """Whether what is written there may have colours: a terminal whose user has nothing against."""
    return stream.isatty() and "NO_COLOR" not in os.environ
