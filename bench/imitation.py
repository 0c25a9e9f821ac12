"""Many slow cards beside one, on the imitated machine (``tests/imitation``)."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from bench.measure import Row
from tests.imitation.cards import Card
from tests.imitation.machine import Machine

CARDS = 12
DELAY = 1.0
ROUNDS = 3


def rows() -> Iterator[Row]:
    one: list[float] = []
    many: list[float] = []
    for _ in range(ROUNDS):
        one.append(_configure(1))
        many.append(_configure(CARDS))
    yield Row(
        f"configure, {CARDS} cards that answer after {DELAY:g} s (imitated)",
        "one such card",
        statistics.median(many),
        statistics.median(one),
        1.3,
    )


def _configure(count: int) -> float:
    devnos = [f"{0x600 + 16 * i:04x}" for i in range(count)]
    tuples = "".join(f"{devno},1,0a000000{devno};" for devno in devnos)
    with Machine([Card(devno, delay=DELAY) for devno in devnos]) as machine:
        start = time.perf_counter()
        result = machine.run("configure", tuples=tuples)
        seconds = time.perf_counter() - start
    if result.rc:
        raise RuntimeError(result.output)
    return seconds
