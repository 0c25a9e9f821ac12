"""Medians of things that are measured in turns, so that a busy moment hits all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the table: a subject beside its floor or peer.

    Attributes:
        subject, against: what is compared, in words
        seconds, reference: medians
        most: the ratio that is wanted, None where there is no target
    """

    subject: str
    against: str
    seconds: float
    reference: float
    most: float | None = None

    @property
    def ratio(self) -> float:
        return self.seconds / self.reference

    @property
    def verdict(self) -> str:
        if self.most is None:
            return ""
        return "ok" if self.ratio <= self.most else "MISSED"

    def cells(self) -> tuple[str, ...]:
        wanted = f"{self.most:.1f}" if self.most is not None else "-"
        return (
            self.subject,
            f"{self.seconds * 1000:.0f} ms",
            self.against,
            f"{self.reference * 1000:.0f} ms",
            f"{self.ratio:.2f}",
            wanted,
            self.verdict,
        )


def medians(subjects: Sequence[Callable[[], None]], rounds: int) -> list[float]:
    """Each subject's median seconds over `rounds` turns, after one that is not counted."""
    taken: list[list[float]] = [[] for _ in subjects]
    for turn in range(rounds + 1):
        for seconds, subject in zip(taken, subjects, strict=True):
            start = time.perf_counter()
            subject()
            if turn:
                seconds.append(time.perf_counter() - start)
    return [statistics.median(seconds) for seconds in taken]


def table(rows: Sequence[Row]) -> str:
    """All rows, aligned."""
    headings = ("SUBJECT", "MEDIAN", "AGAINST", "MEDIAN", "RATIO", "WANTED", "VERDICT")
    return aligned([headings, *(row.cells() for row in rows)])


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Lines of cells, in columns."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
