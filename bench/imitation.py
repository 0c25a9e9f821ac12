"""Many slow cards beside one, on the imitated machine (``tests/imitation``)."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from bench.measure import Row
from tests.imitation.cards import Card
from tests.imitation.machine import Machine

CARDS = 12
DELAY = 1.0
ROUNDS = 3


def rows() -> Iterator[Row]:
    one: list[float] = []
    many: list[float] = []
    by_hand: list[float] = []
    for _ in range(ROUNDS):
        one.append(_seconds(1, _configure))
        many.append(_seconds(CARDS, _configure))
        by_hand.append(_seconds(CARDS, _by_hand))
    what = f"configure, {CARDS} cards that answer after {DELAY:g} s (imitated)"
    median = statistics.median(many)
    yield Row(what, "by hand, all at once", median, statistics.median(by_hand), 1.3)
    # Most of what many take longer is the imitation's own time.
    yield Row(what, "one such card", median, statistics.median(one))


def _seconds(count: int, do: Callable[[Machine, list[str]], None]) -> float:
    devnos = [f"{0x600 + 16 * i:04x}" for i in range(count)]
    with Machine([Card(devno, delay=DELAY) for devno in devnos]) as machine:
        start = time.perf_counter()
        do(machine, devnos)
        return time.perf_counter() - start


def _configure(machine: Machine, devnos: list[str]) -> None:
    result = machine.run(
        "configure", tuples="".join(f"{each},1,0a000000{each};" for each in devnos)
    )
    if result.rc:
        raise RuntimeError(result.output)


def _by_hand(machine: Machine, devnos: list[str]) -> None:
    """What an administrator writes, without a MAC; one of them at each card."""

    def write(devno: str) -> None:
        machine.group(devno)
        machine.set(devno, "portno", 1)
        machine.set(devno, "layer2", 1)
        machine.set(devno, "online", 1)

    with ThreadPoolExecutor(len(devnos)) as administrators:
        list(administrators.map(write, devnos))
    for each in devnos:
        machine.wait_for_udev(each)
