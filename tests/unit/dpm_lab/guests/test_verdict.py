"""What the witnesses say about a guest's NICs, put together."""

from __future__ import annotations

import json

import pytest

from dpm_image.boot import show
from dpm_lab.guests import Result
from dpm_lab.guests.qemu.guest import Outcome
from dpm_lab.guests.qemu.nics import machine_nics, read_tuples
from dpm_lab.guests.qemu.report import CloudInit
from dpm_lab.guests.qemu.verdict import VerdictError, judge

NICS = machine_nics(read_tuples("0001,1,0a0000000011;0600,0,0a0000000012;"))

# As guests say it: a virtio device's path names subchannel and device, a qeth device's the group.
INTERFACES = """\
enc1 0a:00:00:00:00:11 /sys/devices/css0/0.0.0003/0.0.0001/virtio3
enc600 0a:00:00:00:00:12 /sys/devices/qeth/0.0.0600
"""
ADDRESSES = json.dumps(
    [
        {"ifname": "lo", "addr_info": [{"local": "127.0.0.1"}]},
        {"ifname": "enc1", "addr_info": [{"local": "198.18.1.15"}]},
        {"ifname": "enc600", "addr_info": [{"local": "198.18.2.15"}, {"local": "fe80::1"}]},
    ]
)
STATUS = json.dumps(
    {
        "ok": True,
        "nics": [
            {"devno": "0001", "ok": True, "reasons": []},
            {"devno": "0600", "ok": True, "reasons": []},
        ],
    }
)
SEEN: dict[str, tuple[str, ...]] = {"0001": ("0a:00:00:00:00:11",), "0600": ("0a:00:00:00:00:12",)}


def outcome(
    status: str = STATUS,
    interfaces: str = INTERFACES,
    addresses: str = ADDRESSES,
    seen: dict[str, tuple[str, ...]] | None = None,
    errors: tuple[str, ...] | None = (),
    code: int = 0,
) -> Outcome:
    steps = {
        "status": Result(code, "the table\n"),
        "status-json": Result(code, status),
        "interfaces": Result(0, interfaces),
        "addresses": Result(0, addresses),
    }
    return Outcome(CloudInit(errors, "ConfigDrive"), steps, SEEN if seen is None else seen, 60.0)


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
