"""What ``dpm-image boot`` and ``demo`` show of a guest in the end."""

from __future__ import annotations

import json

import pytest

from dpm_image.boot import show
from dpm_lab.guests import Result
from dpm_lab.guests.qemu.guest import Outcome
from tests.unit.dpm_lab.guests.outcomes import NICS, outcome


def test_what_a_guest_says_does_nothing_to_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x1b[2J\x9b\u202e"
    status = json.dumps({"nics": [{"devno": "0001", "ok": False, "reasons": [evil]}]})
    said = outcome(
        status, f"enc{evil} {evil} /sys/devices/qeth/0.0.0001\n", errors=(f"a\n{evil}",), code=1
    )
    said.steps["status"] = Result(1, f"a table\n{evil}\n")

    assert show(NICS, said) == 1

    text = capsys.readouterr().out
    assert text.replace("\n", "").isprintable()
    assert text.count(r"\x1b[2J\x9b\u202e") >= 4


def test_a_guest_that_is_right_is_shown_with_exit_status_0(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert show(NICS, outcome()) == 0

    said = capsys.readouterr().out
    assert said.startswith("the table\n")
    assert "All 2 NICs are right" in said


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (outcome(seen={}), "0001: source MACs on the wire: none"),
        (outcome(code=1), "dpm-guest status ended with status 1"),
        (outcome(errors=("Not all expected physical devices present",)), "cloud-init: Not all"),
        (outcome(errors=None), "cloud-init left no result"),
    ],
)
def test_anything_wrong_is_told_and_the_exit_status_is_1(
    capsys: pytest.CaptureFixture[str], result: Outcome, said: str
) -> None:
    assert show(NICS, result) == 1

    output = capsys.readouterr().out
    assert said in output
    assert "are right" not in output
