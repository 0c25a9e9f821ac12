"""NICs that the HMC has made although it said that it failed: which of them is ours."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dpm_hmc import names
from dpm_hmc.client import Hmc
from dpm_hmc.cpc import Cpc
from nova_dpm.network.claim import claim
from nova_dpm.partition import Partitions
from tests.driver.lab import HOST, Lab

UUID_1 = "6e3c1c62-6d5b-4f63-9c5c-5d4ea7d5bd2a"
BODY = {"name": names.nic_name("port"), "description": "ours"}

Make = Callable[[str], str]


@pytest.fixture
def uri(hmc: Hmc, cpc: Cpc) -> str:
    """A partition."""
    return Partitions(hmc, cpc.uri, HOST).create(UUID_1, 2, 4096).uri


@pytest.fixture
def make(lab: Lab, hmc: Hmc, uri: str) -> Make:
    """Makes a NIC of a name in it, of which a z13 tells no MAC."""
    switch = f"/api/virtual-switches/{lab.switches[0]}"

    def make(name: str) -> str:
        body = {"name": name, "virtual-switch-uri": switch}
        return hmc.create(f"{uri}/nics", body, lambda: None)

    return make


def test_where_no_mac_was_asked_for_the_new_one_is_ours(hmc: Hmc, uri: str, make: Make) -> None:
    known, new = make("operator"), make("the HMC's own name")

    assert claim(hmc, uri, [known], BODY) == new

    claimed = hmc.get(new)
    assert (claimed["name"], claimed["description"]) == (BODY["name"], "ours")
    assert hmc.get(known)["name"] == "operator"


def test_one_of_our_name_is_ours_whatever_its_mac(hmc: Hmc, uri: str, make: Make) -> None:
    new = make(BODY["name"])

    assert claim(hmc, uri, [], {**BODY, "mac-address": "0a:00:00:00:00:05"}) == new


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("the HMC's own name", {**BODY, "mac-address": "0a:00:00:00:00:05"}),
        (names.nic_name("another"), BODY),
    ],
)
def test_one_of_another_mac_or_port_is_not_ours(
    hmc: Hmc, uri: str, make: Make, name: str, body: dict[str, str]
) -> None:
    other = make(name)

    assert claim(hmc, uri, [], body) is None

    assert hmc.get(other)["name"] == name


def test_where_all_are_known_there_is_none(hmc: Hmc, uri: str, make: Make) -> None:
    assert claim(hmc, uri, [make("operator")], BODY) is None
