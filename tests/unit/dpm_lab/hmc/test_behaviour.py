"""How the lab is told to behave, before there is an HMC."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from dpm_lab import __main__ as dpm_lab
from dpm_lab.hmc import Fault
from dpm_lab.hmc.api.behaviour import Behaviour, Shown
from dpm_lab.hmc.api.jobs import DURATIONS
from dpm_lab.hmc.errors import ControlError

PAGE = Path(__file__).parents[4] / "doc/source/lab-hmc.rst"


def test_every_point_is_a_row_of_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert [name for name in Behaviour.names() if f"``{name}``" not in page] == []


def test_the_command_lists_the_points(capsys: pytest.CaptureFixture[str]) -> None:
    assert dpm_lab.main(["hmc", "--behaviour", "list"]) == 0

    said = capsys.readouterr().out.splitlines()
    assert len(said) == len(fields(Behaviour))
    assert "network-express-wants-type=yes; one of yes, no" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour=red", "no behaviour 'colour': there are network-express-wants-type"),
        ("network-express-wants-type", "NAME=VALUE"),
        ("network-express-wants-type=perhaps", "cannot be 'perhaps'"),
    ],
)
def test_a_point_that_cannot_be_so_is_said_in_one_line(
    capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    assert dpm_lab.main(["hmc", "--behaviour", text]) == 1

    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1


def test_the_command_lists_the_durations(capsys: pytest.CaptureFixture[str]) -> None:
    assert dpm_lab.main(["hmc", "--duration", "list"]) == 0

    said = capsys.readouterr().out.splitlines()
    assert len(said) == len(DURATIONS)
    assert "start=0.2" in said


@pytest.mark.parametrize("text", ["begin=1", "start", "start=long", "start=-1", "start=nan"])
def test_a_duration_that_cannot_be_so_is_said_in_one_line(
    capsys: pytest.CaptureFixture[str], text: str
) -> None:
    assert dpm_lab.main(["hmc", "--duration", text]) == 1

    error = capsys.readouterr().err
    assert "duration" in error
    assert len(error.splitlines()) == 1


def test_status_comes_some_seconds_after_the_jobs_where_nothing_else_is_said() -> None:
    behaviour = Behaviour()

    assert behaviour.after_start == Shown("paused", 3.0)
    assert behaviour.after_stop == Shown("stale", 3.0)


def test_a_fault_reads_as_on_the_command_line() -> None:
    text = "POST /api/cpcs/.*/partitions status status=409 reason=2 after=1 times=all"

    assert Fault.parse(text) == Fault(
        "POST", "/api/cpcs/.*/partitions", "status", 409, 2, after=1, times=None
    )
    with pytest.raises(ControlError, match="METHOD URI KIND"):
        Fault.parse("POST")
    with pytest.raises(ControlError, match="often=1"):
        Fault.parse("POST x delay often=1")
