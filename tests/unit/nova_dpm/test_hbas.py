"""Booting over HBAs, without an HMC: what is decided of what it has said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from dpm_hmc.answers import Properties
from dpm_hmc.client import Hmc
from nova_dpm import conf
from nova_dpm.errors import RefusedError
from nova_dpm.partition import Partition
from nova_dpm.storage.hbas import Hbas
from nova_dpm.storage.volume import FcVolume
from nova_dpm.storage.ways import Ends
from tests.unit.nova_dpm.settings import loaded

A, B = "50050768000000aa", "50050768000000ab"
I1, I2 = "c05076d08001a700", "c05076d08001a701"
HBA_1, HBA_2 = "/api/partitions/p/hbas/1", "/api/partitions/p/hbas/2"
LUN = "0007000000000000"
VOLUME = FcVolume(((A, LUN), (B, LUN)), {})
ENDS = Ends("/api/partitions/p", {I1: HBA_1, I2: HBA_2})
SET = {
    "object-uri": "/api/partitions/p",
    "name": "p",
    "status": "stopped",
    "hba-uris": [HBA_1, HBA_2],
    "boot-device": "storage-adapter",
    "boot-storage-device": HBA_2,
    "boot-world-wide-port-name": B.upper(),
    "boot-logical-unit-number": LUN,
}


@pytest.fixture
def hbas(tmp_path: Path) -> Hbas:
    """HBAs of a host that boots from target A never."""
    settings = replace(conf.read(loaded(tmp_path)), ignored_wwpns=frozenset({A}))
    return Hbas(cast(Hmc, None), settings)


def test_the_first_hba_that_reaches_a_target_is_booted_over(hbas: Hbas) -> None:
    assert hbas.boot(ENDS, VOLUME).properties == {
        "boot-device": "storage-adapter",
        "boot-storage-device": HBA_1,
        "boot-world-wide-port-name": B,
        "boot-logical-unit-number": LUN,
    }


def test_the_hba_is_the_one_of_the_initiator_whose_zone_it_is(hbas: Hbas) -> None:
    zoned = replace(VOLUME, zones={I2: frozenset({B})})

    assert hbas.boot(ENDS, zoned).properties["boot-storage-device"] == HBA_2


def test_without_hbas_nothing_is_booted(hbas: Hbas) -> None:
    with pytest.raises(RefusedError, match=r"no HBA to boot over"):
        hbas.boot(Ends("/api/partitions/p", {}), VOLUME)


@pytest.mark.parametrize(
    ("changed", "boots"),
    [
        ({}, True),
        ({"boot-logical-unit-number": "000700000000000F"}, False),
        ({"boot-world-wide-port-name": A}, False),
        ({"boot-world-wide-port-name": None}, False),
        ({"boot-storage-device": "/api/partitions/p/hbas/3"}, False),
        ({"boot-device": "none"}, False),
    ],
)
def test_it_boots_from_a_volume_if_device_target_and_lun_are_its_own(
    hbas: Hbas, changed: dict[str, Any], boots: bool
) -> None:
    properties: Properties = {**SET, **changed}

    assert hbas.boots_from(Partition.of(properties), VOLUME) is boots


def test_hex_digits_may_be_of_either_case(hbas: Hbas) -> None:
    volume = FcVolume(((B, "00ab000000000000"),), {})
    properties = {**SET, "boot-logical-unit-number": "00AB000000000000"}

    assert hbas.boots_from(Partition.of(properties), volume)
