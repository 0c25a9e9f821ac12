"""How the lab is told to behave as one HMC or another."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from dpm_lab import __main__ as dpm_lab
from dpm_lab.hmc import HmcServer
from dpm_lab.hmc.api.behaviour import Behaviour
from dpm_lab.hmc.api.jobs import DURATIONS
from dpm_lab.hmc.errors import ControlError
from tests.hmc.lab.client import Lab

PAGE = Path(__file__).parents[3] / "doc/source/lab-hmc.rst"


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


def test_a_reset_puts_back_how_long_things_took_at_the_start() -> None:
    with HmcServer("z16", durations={"start": 0}, behaviour={"after-start": "none"}) as hmc:
        lab = Lab(hmc)
        lab.control.set_duration("start", 60)
        lab.control.reset()
        partition = lab.partition()

        partition.start(wait_for_completion=False)

        assert lab.status(partition) == "active"


def test_a_reset_puts_back_how_it_was_started() -> None:
    with HmcServer("z17", behaviour={"network-express-wants-type": "no"}) as hmc:
        lab = Lab(hmc)
        given = {"network-adapter-port-uri": lab.port("NETX-01").uri}
        lab.control.set_behaviour(network_express_wants_type=True)
        lab.control.reset()

        lab.partition().nics.create({"name": "a", **given})
        with pytest.raises(ControlError, match="colour"):
            lab.control.set_behaviour(colour="red")
