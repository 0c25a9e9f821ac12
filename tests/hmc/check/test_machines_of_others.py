"""nova-dpm-check on machines that others described, and on those that leave out a property."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dpm_hmc.finding import FAILED
from dpm_lab.hmc import HmcServer
from tests.hmc.check.conftest import MACHINES, Bench, row_of
from tests.hmc.lab.test_machines_of_others import DEFINITION, export

#: What is read of a CPC, an adapter, a switch, a port, a partition or a group.
PROPERTIES = (
    *("name", "status", "state", "type", "adapter-family", "port", "parent", "dpm-enabled"),
    *("se-version", "processor-count-ifl", "storage-customer", "maximum-partitions"),
    *("available-features-list", "storage-port-uris", "network-port-uris", "backing-adapter-uri"),
)


@pytest.fixture(params=["definition", "export of a z16", "export of a z17"])
def other(
    request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[Bench]:
    machine = DEFINITION
    if request.param != "definition":
        machine = tmp_path / "export.json"
        version = "2.16.0" if request.param.endswith("z16") else "2.17.0"
        machine.write_text(json.dumps(export(version)))
    with HmcServer(machine) as hmc:
        yield Bench(hmc, tmp_path, capsys)


def of(bench: Bench) -> dict[str, object]:
    """Return options for the machine's CPC in DPM mode; none of its cards may be named as ours."""
    [cpc] = [each for each in bench.hmc.service.tree.cpcs() if each.properties.get("dpm-enabled")]
    fcp = [
        f"{each.properties['object-id']}:0"
        for each in cpc.of("adapter")
        if each.properties["type"] == "fcp"
    ]
    return {
        "cpc_object_id": cpc.id,
        "max_processors": 1,
        "max_memory": 512,
        "physical_storage_adapter_mappings": fcp[:1] or None,
    }


def test_what_is_wrong_is_said_of_a_machine_of_others(other: Bench) -> None:
    options = of(other)

    code, rows = other.check(**options)

    failed = [row for row in rows if row.result == FAILED]
    if options["physical_storage_adapter_mappings"]:
        assert (code, failed) == (0, [])
    else:
        assert [row.check for row in failed] == ["storage port"]
        assert "200 FICON adapters of type not-configured" in failed[0].cure


@pytest.mark.parametrize("name", PROPERTIES)
@pytest.mark.parametrize("machine", [*MACHINES, DEFINITION], ids=[*MACHINES, "definition"])
def test_a_property_that_is_missing_everywhere_is_a_row_and_no_traceback(
    machine: str | Path, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with HmcServer(machine) as hmc:
        bench = Bench(hmc, tmp_path, capsys)
        options = of(bench)
        for resource in hmc.service.tree.resources.values():
            resource.properties.pop(name, None)

        _, rows = bench.check(**options)

        assert row_of(rows, "configuration").result == "ok"
