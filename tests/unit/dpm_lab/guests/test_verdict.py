"""What the witnesses say about a guest's NICs, put together."""

from __future__ import annotations

import pytest

from dpm_lab.guests.qemu.guest import Outcome
from dpm_lab.guests.qemu.verdict import VerdictError, judge
from tests.unit.dpm_lab.guests.outcomes import ADDRESSES, INTERFACES, NICS, SEEN, STATUS, outcome


def test_a_line_that_names_no_interface_is_an_error() -> None:
    with pytest.raises(VerdictError, match="list of interfaces has a line 'enc1'"):
        judge(NICS, outcome(interfaces="enc1\n"))


def test_an_answer_without_end_is_an_error_of_one_line() -> None:
    with pytest.raises(VerdictError, match="did not answer JSON") as caught:
        judge(NICS, outcome(status="[" * 10**6))

    assert len(str(caught.value)) < 500


def problems(result: Outcome) -> list[tuple[str, ...]]:
    return [verdict.problems for verdict in judge(NICS, result)]


def test_all_witnesses_agree() -> None:
    assert problems(outcome()) == [(), ()]


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (outcome(status='{"nics": [{"devno": "0600", "ok": true}]}'), "does not name it"),
        (
            outcome(status=STATUS.replace('"ok": true, "reasons": []', '"ok": false', 1)),
            "dpm-guest status: no reason",
        ),
        (outcome(interfaces=INTERFACES.replace("0.0.0001", "0.0.0002")), "no interface"),
        (
            outcome(interfaces=INTERFACES.replace(":11 ", ":99 ")),
            "enc1 has the MAC 0a:00:00:00:00:99, not 0a:00:00:00:00:11",
        ),
        (outcome(addresses=ADDRESSES.replace("198.18.1.15", "198.18.9.15")), "198.18.1.15 is not"),
        (
            outcome(seen={**SEEN, "0001": ("52:54:00:dd:00:01", "0a:00:00:00:00:11")}),
            "on the wire: 52:54:00:dd:00:01, 0a:00:00:00:00:11",
        ),
        (outcome(seen={"0600": SEEN["0600"]}), "on the wire: none"),
    ],
)
def test_a_witness_that_disagrees_is_told_and_the_other_nic_is_right(
    result: Outcome, said: str
) -> None:
    first, second = problems(result)

    assert any(said in problem for problem in first), first
    assert second == ()


def test_answers_that_are_no_json_are_an_error() -> None:
    with pytest.raises(VerdictError, match="not found"):
        judge(NICS, outcome(status="sh: dpm-guest: not found"))
