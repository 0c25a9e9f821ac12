"""What the documents say that the driver does is what it does."""

from __future__ import annotations

import configparser
from inspect import signature
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("nova", reason="Nova is not installed (extra: driver)")

from nova import exception
from nova.virt.driver import ComputeDriver

from nova_dpm.driver import DPMDriver

FILE = Path(__file__).parents[4] / "doc" / "source" / "support-matrix.ini"
KEYS = {"title", "area", "command", "state", "has", "lacks", "refuses", "note"}

# Overridden, but no feature of their own: the frame around all of them.
FRAME = {"__init__", "init_host", "cleanup_host", "plug_vifs", "unplug_vifs", "capabilities"} | {
    "get_host_uptime"  # only words
}


def _rows() -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(FILE, encoding="utf-8")
    return {name: dict(parser[name]) for name in parser.sections()}


ROWS = _rows()


def _is_there(name: str) -> bool:
    """Whether the driver claims a capability, or overrides a method."""
    if name in ComputeDriver.capabilities:
        return bool(DPMDriver.capabilities[name])
    assert hasattr(ComputeDriver, name), f"Nova has no {name}"
    return name in vars(DPMDriver)


def _named(key: str) -> set[str]:
    return {name for row in ROWS.values() for name in row.get(key, "").split()}


@pytest.mark.parametrize("name", ROWS)
def test_a_row_says_what_the_driver_has_and_lacks(name: str) -> None:
    row = ROWS[name]

    assert set(row) <= KEYS
    assert row["state"] in ("complete", "partial", "missing")
    assert all(_is_there(each) for each in row.get("has", "").split())
    assert not any(_is_there(each) for each in row.get("lacks", "").split())


@pytest.mark.parametrize("name", ROWS)
def test_the_state_follows_from_it(name: str) -> None:
    row = ROWS[name]

    if row["state"] == "complete":
        assert row.get("has")
        assert not row.get("lacks")
    elif row["state"] == "partial":
        assert row.get("note")
    else:
        assert not row.get("has")
        assert row.get("note"), "a reader wants to know why, or what to do instead"


def test_whatever_the_driver_overrides_is_in_a_row() -> None:
    overridden = {
        name
        for name in vars(DPMDriver)
        if hasattr(ComputeDriver, name) and not name.startswith("__")
    }

    assert overridden - FRAME == _named("has") - set(ComputeDriver.capabilities) | _named("refuses")


def test_whatever_the_driver_claims_is_in_a_row() -> None:
    claimed = {name for name, value in DPMDriver.capabilities.items() if value}

    assert claimed == _named("has") & set(ComputeDriver.capabilities)


@pytest.mark.parametrize("name", sorted(_named("refuses")))
def test_what_is_there_to_refuse_refuses(name: str) -> None:
    driver = object.__new__(DPMDriver)
    method: Any = getattr(driver, name)

    with pytest.raises(exception.NovaException):
        method(*[None] * len(signature(method).parameters))
