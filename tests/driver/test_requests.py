"""How many requests an operation makes."""

from __future__ import annotations

import pytest

from tests.driver.counts import counts


@pytest.mark.parametrize("machine", ["z13", "z16", "z17"])
def test_no_operation_makes_more_requests_than_wanted(machine: str) -> None:
    measured = list(counts(machine))

    assert [each for each in measured if each.requests > each.most] == []


@pytest.mark.parametrize("machine", ["z13", "z16"])
def test_no_operation_makes_more_requests_where_there_are_more_partitions(machine: str) -> None:
    by_operation: dict[str, set[int]] = {}
    for each in counts(machine):
        by_operation.setdefault(each.operation, set()).add(each.requests)

    assert all(len(each) == 1 for each in by_operation.values()), by_operation
