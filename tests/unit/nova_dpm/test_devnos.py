"""Which device numbers NICs get."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpm_guest.ids import LAST_DEVNO, Devno, overlap
from nova_dpm.network.devnos import devno_at, free_devno


@pytest.mark.parametrize(
    ("taken", "free"),
    [
        ([], "1000"),
        (["0001", "0ffd"], "1000"),
        # The last or the second of somebody's three is the first of ours.
        (["0ffe"], "1003"),
        (["0fff"], "1003"),
        (["1000"], "1003"),
        # The first of somebody's three is our second or last.
        (["1001"], "1006"),
        (["1002"], "1006"),
        (["1003"], "1000"),
        (["1000", "1003", "1009"], "1006"),
    ],
)
def test_the_first_number_whose_three_are_free_is_taken(taken: list[str], free: str) -> None:
    assert free_devno([Devno(each) for each in taken]) == free


@pytest.mark.parametrize(
    ("former", "taken", "chosen"),
    [
        ("2000", [], "2000"),
        ("2000", ["1ffd", "2003"], "2000"),
        ("2000", ["1ffe"], "1000"),
        ("2000", ["2000"], "1000"),
        ("2000", ["2002"], "1000"),
    ],
)
def test_a_nic_that_is_made_anew_keeps_its_number_if_all_three_are_free(
    former: str, taken: list[str], chosen: str
) -> None:
    assert free_devno([Devno(each) for each in taken], Devno(former)) == chosen


@given(st.lists(st.integers(1, LAST_DEVNO), max_size=40).map(lambda all_: [*map(Devno.of, all_)]))
def test_whatever_is_taken_the_new_one_overlaps_nothing(taken: list[Devno]) -> None:
    new = free_devno(taken)

    assert new.begins_a_nic
    assert all(overlap([each, new]) is None for each in taken)


def test_nics_that_are_made_together_lie_side_by_side() -> None:
    places = [devno_at(place) for place in range(3)]

    assert places == ["1000", "1003", "1006"]
