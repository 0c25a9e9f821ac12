"""A NIC that an operator made stops no port's, whatever the HMC says of it."""

from __future__ import annotations

from typing import Any

import pytest

from dpm_hmc import names
from dpm_hmc.client import Hmc
from dpm_hmc.cpc import Cpc
from nova_dpm.partition import Partitions
from nova_dpm.servers import Servers
from tests.driver.lab import HOST, Lab

UUID_1 = "6e3c1c62-6d5b-4f63-9c5c-5d4ea7d5bd2a"
PORT = "0f0f1b2c-0d8c-4a4e-9d1f-0f5f7b1f4a11"


@pytest.mark.parametrize(
    "strange",
    [
        {"description": "mac=0a:00:00:00:00:1:"},
        {"description": 5},
        {"device-number": "none"},
        {"device-number": None},
        {"type": []},
        {"virtual-switch-uri": "nowhere"},
    ],
)
def test_a_port_is_attached_and_detached_beside_a_strange_nic(
    lab: Lab, hmc: Hmc, cpc: Cpc, monkeypatch: pytest.MonkeyPatch, strange: dict[str, Any]
) -> None:
    uri = Partitions(hmc, cpc.uri, HOST).create(UUID_1, 2, 4096).uri
    switch = lab.switches[0]
    body = {"name": "operator", "virtual-switch-uri": f"/api/virtual-switches/{switch}"}
    foreign = hmc.create(f"{uri}/nics", body, lambda: None)
    get = hmc.get
    monkeypatch.setattr(
        hmc, "get", lambda asked: {**get(asked), **(strange if asked == foreign else {})}
    )
    servers = Servers(hmc, lab.settings(), cpc)
    vif = {
        "id": PORT,
        "address": "0a:00:00:00:00:05",
        "type": "dpm_vswitch",
        "details": {"object_id": switch},
    }

    servers.attach_nic(UUID_1, vif)
    attached = _nics(lab)
    servers.detach_nic(UUID_1, vif)

    assert attached == [names.nic_name(PORT), "operator"]
    assert _nics(lab) == ["operator"]


def _nics(lab: Lab) -> list[str]:
    [partition] = lab.control.inventory()["partitions"].values()
    return sorted(nic["name"] for nic in partition["nics"])
