"""What nova.conf and Neutron's agent know of a machine of the lab."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dpm_lab.hmc import HmcProcess, Machine

HOST = "compute-1"
PROCESSORS = 8
MEMORY = 32768


def on(*machines: str) -> pytest.MarkDecorator:
    """Have a test run on these machines; pytest puts the tests of a machine together."""
    return pytest.mark.parametrize("machine", machines, indirect=True, scope="session")


def adapter_id(machine: Machine, name: str) -> str:
    """Return the object id of an adapter, by its name."""
    found = {
        each["properties"]["name"]: str(each["properties"]["object-id"])
        for each in machine.resource()["adapters"]
    }
    return found[name]


def switch_id(machine: Machine, port: int) -> str:
    """Return the object id of the virtual switch on a port of the OSA adapter."""
    return next(
        str(each["properties"]["object-id"])
        for each in machine.resource()["virtual_switches"]
        if each["properties"]["type"] == "osd" and each["properties"]["port"] == port
    )


def binding(machine: Machine, port: int) -> dict[str, Any]:
    """Return how Neutron binds a port to a port of the machine's OSA adapter."""
    if machine.has_virtual_switches:
        return {
            "binding:vif_type": "dpm_vswitch",
            "binding:vif_details": {"object_id": switch_id(machine, port)},
        }
    return {
        "binding:vif_type": "dpm_adapter",
        "binding:vif_details": {"object_id": adapter_id(machine, "OSA-A"), "port": port},
    }


def options(hmc: HmcProcess, machine: Machine) -> dict[str, Any]:
    """Return section ``[dpm]`` of nova.conf; a list is an option that is given several times."""
    return {
        "hmc": hmc.host,
        "hmc_port": hmc.port,
        "hmc_username": hmc.userid,
        "hmc_password": hmc.password,
        "hmc_ca_file": hmc.ca_file,
        "hmc_busy_timeout": 5,
        "hmc_operation_timeout": 30,
        "cpc_object_id": machine.cpc_object_id,
        "max_processors": PROCESSORS,
        "max_memory": MEMORY,
        "physical_storage_adapter_mappings": [
            f"{adapter_id(machine, 'FCP-A')}:0",
            f"{adapter_id(machine, 'FCP-B')}:0",
        ],
    }


def write_conf(path: Path, sections: Mapping[str, Mapping[str, Any]]) -> Path:
    """Write a configuration file as an operator would; options that are None are left out."""
    lines: list[str] = []
    for section, values in sections.items():
        lines.append(f"[{section}]")
        for name, value in values.items():
            given = value if isinstance(value, list) else [value]
            lines += [f"{name} = {each}" for each in given if each is not None]
    path.touch(mode=0o600)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
