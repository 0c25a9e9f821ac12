"""What each status of a partition means."""

from __future__ import annotations

import pytest

from dpm_hmc.statuses import Status

RUNNING = {"active", "degraded"}
STOPPED = {"stopped", "reservation-error"}
HALTED = {"paused", "terminated"}
ON_THE_WAY = {"starting", "stopping"}
UNKNOWN = {"status-check", "communications-not-active"}


@pytest.mark.parametrize("status", sorted(RUNNING | STOPPED | HALTED | ON_THE_WAY | UNKNOWN))
def test_a_status_is_one_thing_at_most(status: str) -> None:
    found = Status(status)

    assert found.is_running is (status in RUNNING)
    assert found.is_stopped is (status in STOPPED)
    assert found.is_halted is (status in HALTED)
    assert found.is_settled is (status not in ON_THE_WAY)


def test_all_statuses_of_the_book_are_there() -> None:
    assert set(Status) == RUNNING | STOPPED | HALTED | ON_THE_WAY | UNKNOWN


def test_a_status_that_nobody_knows_keeps_its_text_and_is_settled() -> None:
    unknown = Status("dozing")

    assert unknown == "dozing"
    assert f"it is {unknown}" == "it is dozing"
    assert (unknown.is_running, unknown.is_stopped, unknown.is_halted) == (False, False, False)
    assert unknown.is_settled
    assert unknown not in set(Status)


def test_what_is_no_text_is_no_status() -> None:
    with pytest.raises(ValueError, match="5 is not a valid Status"):
        Status(5)  # type: ignore[arg-type]
