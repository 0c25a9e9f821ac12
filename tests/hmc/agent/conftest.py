"""Machines of the lab, and what Neutron's agent finds there."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dpm_hmc.client import Hmc
from dpm_hmc.settings import HmcSettings
from dpm_lab.hmc import HmcServer
from networking_dpm.agent.watch import Watch
from networking_dpm.conf import Mapping, MappingType
from tests.driver.haste import HASTY


@dataclass
class Bench:
    """An HMC, the agent's options for it, and what the agent says."""

    hmc: HmcServer
    folder: Path
    log: pytest.LogCaptureFixture

    def id_of(self, kind: str, name: str) -> str:
        """Object id of something of the machine, by its name."""
        [found] = [
            each.id
            for cpc in self.hmc.service.tree.cpcs()
            for each in cpc.of(kind)
            if each.properties["name"] == name
        ]
        return str(found)

    def adapter(self, name: str) -> str:
        """Object id of an adapter."""
        return self.id_of("adapter", name)

    def switch(self, name: str) -> str:
        """Object id of a virtual switch."""
        return self.id_of("virtual-switch", name)

    def change(self, uri: str, **properties: Any) -> None:
        """Change something behind the agent's back."""
        named = {name.replace("_", "-"): value for name, value in properties.items()}
        self.hmc.control.set_properties(uri, named)

    def door(self) -> Hmc:
        """A new session."""
        settings = HmcSettings(
            addresses=(self.hmc.host,),
            port=self.hmc.port,
            username=self.hmc.userid,
            password=self.hmc.password,
            verify=str(self.hmc.ca_file),
            connect_timeout=5,
            read_timeout=30,
            operation_timeout=30,
            status_timeout=5,
            busy_timeout=0,
            outage_timeout=0,
        )
        return Hmc(settings, HASTY)

    def watch(self, *mappings: str, hmc: Hmc | None = None) -> Watch:
        """What the agent looks with."""
        read = [_mapping(each) for each in mappings]
        return Watch(hmc or self.door(), self.hmc.machines[0].cpc_object_id, read)

    def said(self, least: int = logging.WARNING) -> list[str]:
        """What the agent has logged since this was asked last."""
        lines = [
            record.getMessage()
            for record in self.log.records
            if record.name.startswith("networking_dpm") and record.levelno >= least
        ]
        self.log.clear()
        return lines

    def write(self, *mappings: str, **changes: Any) -> Path:
        """Write the agent's configuration; None leaves an option out."""
        options = {
            "hmc": self.hmc.host,
            "hmc_port": self.hmc.port,
            "hmc_username": self.hmc.userid,
            "hmc_password": self.hmc.password,
            "hmc_ca_file": self.hmc.ca_file,
            "hmc_connect_timeout": 5,
            "cpc_object_id": self.hmc.machines[0].cpc_object_id,
            **changes,
        }
        lines = ["[DEFAULT]", "host = host1", "[dpm]"]
        lines += [f"{name} = {each}" for name, each in options.items() if each is not None]
        lines += [f"physical_network_adapter_mappings = {each}" for each in mappings]
        path = self.folder / "neutron_dpm_agent.conf"
        path.write_text("\n".join(lines) + "\n")
        return path


def _mapping(text: str) -> Mapping:
    read = MappingType()(text)
    assert isinstance(read, Mapping)
    return read


@pytest.fixture(scope="module")
def _z16() -> Iterator[HmcServer]:
    with HmcServer("z16") as hmc:
        yield hmc


@pytest.fixture(scope="module")
def _z17() -> Iterator[HmcServer]:
    with HmcServer("z17") as hmc:
        yield hmc


@pytest.fixture
def z16(_z16: HmcServer, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Bench]:
    """A z16, which has virtual switches."""
    caplog.set_level(logging.INFO)
    yield Bench(_z16, tmp_path, caplog)
    _z16.control.reset()


@pytest.fixture
def z17(_z17: HmcServer, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Bench]:
    """A z17, which has none."""
    caplog.set_level(logging.INFO)
    yield Bench(_z17, tmp_path, caplog)
    _z17.control.reset()
