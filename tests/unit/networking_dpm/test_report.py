"""What the agent reports, and what the mechanism driver reads of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dpm_hmc.networks import ADAPTER, VSWITCH
from networking_dpm.report import Backing, Report

REPORT = Report(
    {"a": Backing(VSWITCH, "switch-1", 0), "b": Backing(ADAPTER, "adapter-1", 1)}, {"c": "gone"}
)


def test_what_is_reported_is_read_again() -> None:
    assert Report.of(json.loads(json.dumps(REPORT.configurations()))) == REPORT


def test_neutron_finds_the_physical_networks_under_the_name_that_it_knows() -> None:
    assert REPORT.configurations()["interface_mappings"] == {"a": "switch-1", "b": "adapter-1"}


@pytest.mark.parametrize(
    "configurations",
    [
        None,
        [],
        {"adapter_mappings": {"a": ["switch-1"]}},
        {"dpm_backings": None, "dpm_problems": None},
        {"dpm_backings": {"a": None}, "dpm_problems": {"a": 1}},
        {"dpm_backings": {"a": {"vif_type": "ovs", "object_id": "x", "port": 0}}},
        {"dpm_backings": {"a": {"vif_type": VSWITCH, "object_id": 1, "port": 0}}},
        {"dpm_backings": {"a": {"vif_type": VSWITCH, "object_id": "x", "port": "0"}}},
        {"dpm_backings": {"a": {"vif_type": VSWITCH, "object_id": "x", "port": True}}},
    ],
)
def test_what_cannot_be_read_is_left_out(configurations: Any) -> None:
    assert Report.of(configurations) == Report({}, {})
