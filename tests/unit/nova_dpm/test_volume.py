"""Cinder's connections, read."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from os_brick.constants import SCSI_ADDRESSING_MODES
from os_brick.initiator.connectors.fibre_channel_s390x import FibreChannelConnectorS390X
from os_brick.initiator.linuxscsi import LinuxSCSI

from nova_dpm.errors import RefusedError
from nova_dpm.storage.volume import FcVolume, Path, fcp_lun

A, B, C = "5005076800000001", "5005076800000002", "5005076800000003"
NO_LUNS: list[Any] = ["1_0", "\u0663", "0b1", 1.0, True, {}, "9" * 5000, Fraction(1)]
I1, I2 = "c05076d08001a700", "c05076d08001a701"


def connection(**data: Any) -> dict[str, Any]:
    return {"driver_volume_type": "fibre_channel", "data": data}


@pytest.mark.parametrize(
    ("data", "targets"),
    [
        ({"target_wwn": A, "target_lun": 1}, [(A, 1)]),
        ({"target_wwn": [A], "target_lun": 1}, [(A, 1)]),
        ({"target_wwn": [A, B], "target_lun": 1}, [(A, 1), (B, 1)]),
        ({"target_wwn": (A, B), "target_lun": "1"}, [(A, 1), (B, 1)]),
        ({"target_wwns": [A, B], "target_luns": [1, 2]}, [(A, 1), (B, 2)]),
        ({"target_wwns": [A, B], "target_luns": [2]}, [(A, 2), (B, 2)]),
        ({"target_wwns": [A, B], "target_lun": 2, "target_wwn": A}, [(A, 2), (B, 2)]),
        ({"target_wwn": "0x" + A.upper(), "target_lun": "0x1"}, [(A, 1)]),
        ({"target_wwn": "50:05:07:68:00:00:00:01", "target_lun": 0}, [(A, 0)]),
    ],
)
def test_targets_are_read_in_every_form_that_cinder_writes(
    data: dict[str, Any], targets: list[tuple[str, int]]
) -> None:
    volume = FcVolume.parse(connection(**data))

    assert volume.targets == tuple((wwpn, f"{lun:04x}000000000000") for wwpn, lun in targets)


@pytest.mark.parametrize(
    ("info", "why"),
    [
        (
            {"driver_volume_type": "iscsi", "data": {}},
            "^the volume is connected over iscsi, and a partition can have fibre_channel only; "
            "choose a volume type of a fibre channel backend$",
        ),
        ({"data": {"target_wwn": A, "target_lun": 1}}, "connected over None"),
        (connection(), "^Cinder's connection of the volume names no target WWPN or no LUN; "),
        (connection(target_wwn=A), "names no target WWPN or no LUN"),
        (connection(target_wwn=[], target_lun=1), "names no target WWPN or no LUN"),
        ({"driver_volume_type": "fibre_channel"}, "names no target WWPN or no LUN"),
        (connection(target_wwns=[A, B, C], target_luns=[1, 2]), "cannot be read"),
        (connection(target_wwn="5005", target_lun=1), "'5005' is no WWPN"),
        (connection(target_wwn="x" * 16, target_lun=1), "cannot be read"),
        (connection(target_wwn=A, target_lun="one"), "cannot be read"),
        (connection(target_wwn=A, target_lun=-1), "out of range"),
        *(
            (connection(target_wwn=bad, target_lun=1), "is no WWPN")
            for bad in ("+123456789012345", "\uff11" * 16, "0x0x12345678901234", 5005076800000001)
        ),
        *((connection(target_wwn=A, target_lun=bad), "is no LUN") for bad in NO_LUNS),
        (connection(target_wwn=A, target_lun=1, initiator_target_map=[A]), "target_map is list"),
        ({"driver_volume_type": "fibre_channel", "data": "text"}, "be read; .* .its data is str."),
        ("text", "^Cinder's connection of the volume cannot be read; .* .it is str.$"),
        (connection(target_wwn=A, target_lun=1 << 32), "out of range"),
        (connection(target_wwn=A, target_lun=1, addressing_mode="SAM9"), "none of os-brick's"),
        (connection(target_wwn=A, target_lun=1, addressing_mode=["SAM"]), "none of os-brick's"),
        (connection(target_wwn=A, target_lun=1, initiator_target_map={"x": [A]}), "no WWPN"),
    ],
)
def test_what_is_no_usable_connection_is_refused(info: dict[str, Any], why: str) -> None:
    with pytest.raises(RefusedError, match=why):
        FcVolume.parse(info)


LUNS = (0, 1, 255, 256, 300, 0x3FFF, 0x4001, 0xFFFF, 0x10000, 0x40104022, 0xBFFFFFFF)


def brick(lun: int, mode: str | None) -> str:
    """Return what os-brick would write to zfcp on s390x."""
    addressed = LinuxSCSI.lun_for_addressing(lun, mode)
    connector = object.__new__(FibreChannelConnectorS390X)
    return str(connector._get_lun_string(addressed)).removeprefix("0x")


@pytest.mark.parametrize("mode", [None, *SCSI_ADDRESSING_MODES])
@pytest.mark.parametrize("lun", LUNS)
def test_a_lun_is_os_bricks_for_s390x(lun: int, mode: str | None) -> None:
    assert fcp_lun(lun, mode) == brick(lun, mode)
    assert fcp_lun(str(lun), mode) == fcp_lun(hex(lun), mode) == brick(lun, mode)


def test_no_mode_is_that_of_a_number_as_it_is() -> None:
    assert fcp_lun(300, "") == fcp_lun(300) == "012c000000000000"


def test_an_example_of_each_length() -> None:
    assert fcp_lun(7) == "0007000000000000"
    assert fcp_lun(0x40104022) == "4010402200000000"
    assert fcp_lun(300, "SAM2") == "412c000000000000"


@given(st.integers(0, (1 << 32) - 1))
def test_every_lun_is_os_bricks_and_has_16_digits(lun: int) -> None:
    written = fcp_lun(lun)

    assert written == brick(lun, None)
    assert len(written) == 16


def test_cinders_addressing_mode_is_part_of_every_targets_lun() -> None:
    volume = FcVolume.parse(
        connection(target_wwns=[A, B], target_luns=[1, 300], addressing_mode="SAM2")
    )

    assert volume.targets == ((A, "0001000000000000"), (B, "412c000000000000"))


@pytest.mark.parametrize(
    ("zones", "ignored", "path"),
    [
        ({}, (), (I1, A)),
        ({}, (A,), (I1, B)),
        ({I1: [B], I2: [A]}, (), (I1, B)),
        ({I1: [B], I2: [A]}, (B,), (I2, A)),
        ({I2: [A, B]}, (), (I2, A)),
        ({I2.upper(): [A.upper()]}, (), (I2, A)),
        ({I2: A}, (), (I2, A)),
    ],
)
def test_the_first_initiator_that_reaches_a_target_is_booted_over(
    zones: dict[str, Any], ignored: tuple[str, ...], path: tuple[str, str]
) -> None:
    volume = FcVolume.parse(connection(target_wwn=[A, B], target_lun=3, initiator_target_map=zones))

    assert volume.path([I1, I2], frozenset(ignored)) == Path(*path, "0003000000000000")


@pytest.mark.parametrize(
    ("zones", "ignored"), [({}, (A, B)), ({I1: [C]}, ()), ({"c05076d08001a7ff": [A]}, ())]
)
def test_a_volume_that_no_way_leads_to_is_refused(
    zones: dict[str, Any], ignored: tuple[str, ...]
) -> None:
    volume = FcVolume.parse(connection(target_wwn=[A, B], target_lun=3, initiator_target_map=zones))

    with pytest.raises(RefusedError, match=f"its targets are {A}, {B}.*target_wwpn_ign") as caught:
        volume.path([I1, I2], frozenset(ignored))

    assert caught.value.reason == (
        "no way to the volume: none of the partition's WWPNs reaches a target of it; an operator "
        "finds zoning and targets to check in the log of nova-compute"
    )
