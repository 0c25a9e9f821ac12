"""A NIC whose device number is not free, or that has nothing to be plugged into."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from dpm_guest.ids import Mac
from dpm_hmc.client import Hmc
from dpm_hmc.cpc import Cpc
from dpm_hmc.errors import HttpError
from dpm_lab.hmc import Fault
from nova_dpm.check import start
from nova_dpm.errors import RefusedError
from nova_dpm.network import Abilities, Networks, Nic, WantedNic
from nova_dpm.partition import Partitions
from tests.driver.lab import HOST, Lab

UUID_1 = "6e3c1c62-6d5b-4f63-9c5c-5d4ea7d5bd2a"
PORT = "0f0f1b2c-0d8c-4a4e-9d1f-0f5f7b1f4a11"
TAKEN = Fault("POST", ".*/nics", status=409, reason=8)


def made(lab: Lab, hmc: Hmc, cpc: Cpc) -> list[Nic]:
    uri = Partitions(hmc, cpc.uri, HOST).create(UUID_1, 2, 4096).uri
    wanted = WantedNic(PORT, Mac.parse("0a0000000005"), "dpm_vswitch", lab.switches[1])
    return Networks(hmc, HOST, Abilities.of(cpc)).create_all(uri, [wanted])


def shown(lab: Lab) -> list[dict[str, Any]]:
    [partition] = lab.control.inventory()["partitions"].values()
    return list(partition["nics"])


def test_it_has_the_number_that_the_hmc_gives_it(lab: Lab, hmc: Hmc, cpc: Cpc) -> None:
    lab.control.add_fault(TAKEN)

    [nic] = made(lab, hmc, cpc)

    [there] = shown(lab)
    assert nic.devno == there["device-number"].lower() != "1000"
    assert (nic.uri, nic.name, nic.port) == (there["element-uri"], there["name"], 1)


def test_where_the_hmc_does_not_tell_that_number_no_nic_is_left(
    lab: Lab, hmc: Hmc, cpc: Cpc
) -> None:
    lab.control.add_fault(TAKEN)
    lab.control.add_fault(Fault("GET", ".*/nics/.*", status=500, reason=12, times=None))

    with pytest.raises(HttpError, match="500,12"):
        made(lab, hmc, cpc)

    assert shown(lab) == []


def test_a_virtual_switch_that_is_not_there_is_refused_with_its_port(
    lab: Lab, hmc: Hmc, cpc: Cpc
) -> None:
    lab.control.add_fault(Fault("GET", "/api/virtual-switches/.*", status=404, reason=1))

    with pytest.raises(RefusedError) as caught:
        made(lab, hmc, cpc)

    assert caught.value.reason == (
        f"port {PORT} wants a virtual switch which the HMC does not show; an operator checks the "
        "physical networks of Neutron's agent"
    )
    assert lab.switches[1] in str(caught.value)


def test_a_virtual_switch_that_cannot_be_read_is_the_hmc_s_failure(
    lab: Lab, hmc: Hmc, cpc: Cpc
) -> None:
    lab.control.add_fault(Fault("GET", "/api/virtual-switches/.*", status=403, reason=1))

    with pytest.raises(HttpError, match="403,1"):
        made(lab, hmc, cpc)


def test_a_z13_gets_no_mac_from_a_newer_hmc_either() -> None:
    """Its SE cannot, whatever its HMC can."""
    with Lab("z13", beside="z16") as lab, contextlib.closing(lab.hmc()) as hmc:
        cpc = start.usable_cpc(hmc, lab.settings())

        made(lab, hmc, cpc)

        [nic] = shown(lab)
    assert nic["mac-address"] != "0a:00:00:00:00:05"
    assert "mac=0a:00:00:00:00:05" in nic["description"]
