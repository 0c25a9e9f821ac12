"""Looks of several threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from nova_dpm.looks import Looks
from tests.unit.dpm_hmc.simulated import SimulatedTime

PATIENCE = 300


class Slow:
    """A look that ends when it is let."""

    def __init__(self) -> None:
        self.count = 0
        self.begun = threading.Event()
        self.may_end = threading.Event()

    def __call__(self) -> int:
        self.count += 1
        self.begun.set()
        assert self.may_end.wait(PATIENCE)
        return self.count


def test_who_forgets_does_not_wait_for_a_look_and_is_not_answered_by_it() -> None:
    slow = Slow()
    looks = Looks(slow, SimulatedTime())
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(looks.get, 1000.0)
        assert slow.begun.wait(PATIENCE)

        looks.forget()  # would hang here if a lock were held
        slow.may_end.set()

        assert first.result(PATIENCE) == 1
        assert looks.get(1000.0) == 2
        assert looks.get(1000.0) == 2


def test_who_asks_amid_a_look_that_is_young_enough_joins_it() -> None:
    slow = Slow()
    looks = Looks(slow, SimulatedTime())
    with ThreadPoolExecutor(5) as pool:
        asked = [pool.submit(looks.get, 1000.0) for _ in range(5)]
        assert slow.begun.wait(PATIENCE)
        slow.may_end.set()

        assert {each.result(PATIENCE) for each in asked} == {1}


def test_what_failed_is_asked_again() -> None:
    answers = iter([ValueError("no"), None])

    def look() -> str:
        error = next(answers)
        if error is not None:
            raise error
        return "there"

    looks = Looks(look, SimulatedTime())
    with pytest.raises(ValueError, match="no"):
        looks.get(1000.0)

    assert looks.get(1000.0) == "there"


def test_a_look_grows_old() -> None:
    clock = SimulatedTime()
    answers = iter("abc")
    looks = Looks(lambda: next(answers), clock)

    seen = [looks.get(5.0)]
    for seconds in (5.0, 0.1):
        clock.now += seconds
        seen.append(looks.get(5.0))

    assert seen == ["a", "a", "b"]
