"""OpenStack's own tests, as far as they apply to a host of this driver."""

from __future__ import annotations

import pytest

from dpm_lab.__main__ import main
from tests.cloud.user import User


def _counted(user: User, capsys: pytest.CaptureFixture[str], *asked: str) -> tuple[int, list[int]]:
    """Run a selection. Return the exit status, and how many were selected, passed, and so on."""
    status = main(["cloud", "--folder", str(user.place.folder), "tempest", "--quiet", *asked])
    shown = capsys.readouterr().out
    row = next((line for line in shown.splitlines() if line.startswith("all ")), "")
    print(shown)  # seen where a test fails
    return status, [int(word) for word in row.split()[1:5]]


@pytest.mark.long
def test_a_few_of_tempests_tests_pass(user: User, capsys: pytest.CaptureFixture[str]) -> None:
    status, counts = _counted(user, capsys, "smoke")

    assert counts == [3, 3, 0, 0]
    assert status == 0
