"""The lab's HMC with each machine, and nova-dpm-check run against it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dpm_hmc.finding import FAILED, Finding
from dpm_lab.hmc import HmcServer
from nova_dpm.check.command import main
from tests.driver.haste import HASTY

MACHINES = ("z13", "z16", "z17")


@dataclass
class Bench:
    """An HMC, a nova.conf that fits it, and the command."""

    hmc: HmcServer
    folder: Path
    capsys: pytest.CaptureFixture[str]

    @property
    def cpc_uri(self) -> str:
        return self.hmc.machines[0].uri

    def adapter(self, name: str) -> str:
        """Object id of an adapter of the machine."""
        tree = self.hmc.service.tree
        (found,) = [
            adapter.properties["object-id"]
            for cpc in tree.cpcs()
            for adapter in cpc.of("adapter")
            if adapter.properties["name"] == name
        ]
        return str(found)

    def write(self, **changes: Any) -> Path:
        """Write nova.conf; None leaves an option out, a list repeats it."""
        options = {
            "hmc": self.hmc.host,
            "hmc_port": self.hmc.port,
            "hmc_username": self.hmc.userid,
            "hmc_password": self.hmc.password,
            "hmc_ca_file": self.hmc.ca_file,
            "hmc_connect_timeout": 5,
            "cpc_object_id": self.hmc.machines[0].cpc_object_id,
            "max_processors": 8,
            "max_memory": 65536,
            **changes,
        }
        ports = "physical_storage_adapter_mappings"
        if ports not in options:
            options[ports] = [f"{self.adapter(name)}:0" for name in ("FCP-A", "FCP-B")]
        host = options.pop("host", "lab")
        serial = options.pop("serial_console", False)
        lines = ["[DEFAULT]", "compute_driver = dpm.DPMDriver", f"host = {host}", "[dpm]"]
        for name, value in options.items():
            values = value if isinstance(value, list) else [value]
            lines += [f"{name} = {each}" for each in values if each is not None]
        if serial:
            lines += ["[serial_console]", "enabled = true"]
        path = self.folder / "nova.conf"
        path.write_text("\n".join(lines) + "\n")
        return path

    def check(self, **changes: Any) -> tuple[int, list[Finding]]:
        """Run the command; return exit code and rows. Whatever it prints holds no secret."""
        code = main(["--config-file", str(self.write(**changes)), "--json"], HASTY)
        out, err = self.capsys.readouterr()
        assert err == ""
        assert self.hmc.password not in out
        return code, [Finding(**row) for row in json.loads(out)]

    def failed(self, **changes: Any) -> Finding:
        """Run the command, which has to find one thing wrong; return that row."""
        code, rows = self.check(**changes)
        (row,) = [row for row in rows if row.result == FAILED]
        assert code == 1
        return row


def row_of(rows: list[Finding], check: str) -> Finding:
    """The row of a check."""
    (row,) = [row for row in rows if row.check == check]
    return row


@pytest.fixture(scope="session", params=MACHINES)
def machine(request: pytest.FixtureRequest) -> Iterator[HmcServer]:
    with HmcServer(request.param) as hmc:
        yield hmc


@pytest.fixture
def bench(
    machine: HmcServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[Bench]:
    yield Bench(machine, tmp_path, capsys)
    machine.control.reset()
