"""What a run tells about itself at its end; ``tools/run-tests`` shows it once more.

A line for each: which release of Debian a base system was made of, for example.
"""

from __future__ import annotations

_NOTES: dict[str, None] = {}


def add(text: str) -> None:
    """Have a line shown at the end of the run, once."""
    _NOTES[" ".join(text.split())] = None


def lines() -> list[str]:
    """Return them in the order in which they came."""
    return [f"note: {text}" for text in _NOTES]
