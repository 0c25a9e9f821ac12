"""What is tried again, how often, and with which pauses."""

from __future__ import annotations

import pytest

from dpm_hmc.errors import HmcError, Kind
from dpm_hmc.tries import ATTEMPTS, Tries
from tests.unit.dpm_hmc.simulated import SimulatedTime

BUSY_TIMEOUT = 10.0


def failed(kind: Kind) -> HmcError:
    error = HmcError("no")
    error.kind = kind
    return error


def attempts(tries: Tries, kind: Kind) -> int:
    """How often something is done that always ends so."""
    done = 1
    try:
        while done < 1000:
            tries.next(failed(kind))
            done += 1
    except HmcError as error:
        assert error.kind is kind
    return done


#: How often what can be done twice is done, and what cannot.
AGAIN = {
    Kind.SESSION_GONE: (ATTEMPTS, ATTEMPTS),
    Kind.NOT_SENT: (ATTEMPTS, ATTEMPTS),
    Kind.UNANSWERED: (ATTEMPTS, 1),
    Kind.FAILED: (ATTEMPTS, 1),
}


@pytest.mark.parametrize("kind", [each for each in Kind if each is not Kind.BUSY])
def test_a_failure_is_tried_again_where_that_is_safe(kind: Kind) -> None:
    found = tuple(
        attempts(Tries(SimulatedTime(), BUSY_TIMEOUT, repeatable), kind)
        for repeatable in (True, False)
    )

    assert found == AGAIN.get(kind, (1, 1))
    assert ATTEMPTS == 4


@pytest.mark.parametrize("repeatable", [True, False])
def test_what_is_busy_is_tried_for_a_while(repeatable: bool) -> None:
    clock = SimulatedTime()
    begin = clock.now

    attempts(Tries(clock, BUSY_TIMEOUT, repeatable), Kind.BUSY)

    assert BUSY_TIMEOUT <= clock.now - begin < BUSY_TIMEOUT + 1


def test_without_a_time_to_be_busy_it_is_tried_once() -> None:
    assert attempts(Tries(SimulatedTime(), 0), Kind.BUSY) == 1


def test_the_pauses_grow_with_the_failures_and_a_logon_needs_none() -> None:
    clock = SimulatedTime()
    tries = Tries(clock, BUSY_TIMEOUT)
    for kind in (Kind.SESSION_GONE, Kind.BUSY, Kind.NOT_SENT, Kind.BUSY, Kind.FAILED):
        tries.next(failed(kind))

    assert clock.pauses == pytest.approx([0.3, 0.6, 0.6, 0.9])


def test_an_expired_session_takes_no_try_away_from_the_failures() -> None:
    tries = Tries(SimulatedTime(), BUSY_TIMEOUT)
    for _ in range(ATTEMPTS - 1):
        tries.next(failed(Kind.SESSION_GONE))

    assert attempts(tries, Kind.UNANSWERED) == ATTEMPTS
