"""Whatever request fails in whatever way: nothing is left, and the next try works.

Each test is a row of the fault matrix (`tests.driver.matrix`): one operation on one machine, one
kind of failure, at each of the operation's requests, once and lasting.
"""

from __future__ import annotations

import pytest

from tests.driver.conftest import Matrix
from tests.driver.matrix import KINDS, SUBJECTS, Outcome, Verdict

JOBLESS = {
    ("z17", "spawn"),
    ("z16", "attach port"),
    ("z17", "attach HiperSockets"),
    ("z16", "detach port"),
}
ROWS = [
    (*subject, kind)
    for subject in SUBJECTS
    for kind in KINDS
    if not (subject in JOBLESS and kind.startswith("job"))
]


@pytest.mark.parametrize(("machine", "operation", "kind"), ROWS)
def test_leaves_nothing_and_the_next_try_works(
    judged: dict[tuple[str, str], list[Outcome]], machine: str, operation: str, kind: str
) -> None:
    row = [each for each in judged[machine, operation] if each.case.kind == kind]

    wrong = [str(each) for each in row if each.verdict is Verdict.WRONG]

    assert row
    assert not wrong, "\n".join(wrong)


PASSING = ("delay", "late", "drop-before", "drop-after", "expired", "503", "busy")
"""What is over soon, and leaves no doubt about what was carried out, or one that can be cleared."""


@pytest.mark.parametrize(("machine", "operation"), SUBJECTS)
def test_what_passes_is_not_noticed(
    judged: dict[tuple[str, str], list[Outcome]], machine: str, operation: str
) -> None:
    passing = [
        each
        for each in judged[machine, operation]
        if not each.case.lasting and each.case.kind in PASSING
    ]

    noticed = [str(each) for each in passing if each.verdict is not Verdict.IN_SPITE]

    assert not noticed, "\n".join(noticed)


def test_the_matrix_has_all_requests_of_an_operation(matrix: Matrix) -> None:
    sizes = {subject: len(futures) for subject, futures in matrix.items()}

    assert set(sizes) == set(SUBJECTS)
    assert min(sizes.values()) > 40, sizes
    assert sum(sizes.values()) > 1000, sizes
