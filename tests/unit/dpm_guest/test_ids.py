"""Bus ids and MACs at the edge."""

from __future__ import annotations

import doctest

import pytest

from dpm_guest import bootparams, ids
from dpm_guest.errors import InvalidIdError
from dpm_guest.ids import CcwId, Devno, Mac, overlap


@pytest.mark.parametrize("text", ["0.0.0a00", "0A00", "0.0.0A00"])
def test_every_spelling_of_a_bus_id_is_the_kernels(text: str) -> None:
    assert CcwId.parse(text) == "0.0.0a00"


@pytest.mark.parametrize(
    "text", ["", "a00", "0.0.a00", "0.0.0a000", "0.0.0a0g", "0.0", "enc600", "0:0:0a00"]
)
def test_other_texts_are_no_bus_ids(text: str) -> None:
    with pytest.raises(InvalidIdError):
        CcwId.parse(text)


@pytest.mark.parametrize("text", ["", "a00", "00a00", "0a0g", "0.0.0a00", " a00"])
def test_other_texts_are_no_device_numbers(text: str) -> None:
    with pytest.raises(InvalidIdError, match="is no device number: four hex digits are"):
        Devno.parse(text)


def test_a_device_number_is_a_text_and_a_number() -> None:
    assert Devno.parse("0A0F") == Devno.of(0xA0F) == "0a0f"
    assert Devno.parse("0A0F").number == 0xA0F


@pytest.mark.parametrize(
    ("devno", "begins"),
    [("0000", False), ("0001", True), ("fffd", True), ("fffe", False), ("ffff", False)],
)
def test_a_nic_begins_where_its_three_numbers_are_a_partitions(devno: str, begins: bool) -> None:
    assert Devno(devno).begins_a_nic is begins


def test_a_nic_is_of_one_subchannel_set() -> None:
    assert CcwId("1.2.06ff").triple == ("1.2.06ff", "1.2.0700", "1.2.0701")


def test_nics_overlap_where_any_two_of_their_numbers_are_one() -> None:
    first, *others = map(Devno, ("0600", "05fe", "05ff", "0601", "0602"))

    assert overlap(map(Devno, ("0600", "0603", "05fd"))) is None
    assert [overlap([first, other]) for other in others] == [
        ("0600", "05fe", "0600"),
        ("0600", "05ff", "0600"),
        ("0600", "0601", "0601"),
        ("0600", "0602", "0602"),
    ]


@pytest.mark.parametrize(
    "text", ["0a000000001", "0a:00:00:00:00", "0a-00-00-00-00-11", "0a000000001g", ""]
)
def test_other_texts_are_no_macs(text: str) -> None:
    with pytest.raises(InvalidIdError):
        Mac.parse(text)


@pytest.mark.parametrize(
    ("mac", "why"),
    [
        ("0a0000000011", None),
        ("feffffffffff", None),
        ("010000000001", "bit 0x01 of its first octet 01 is set"),
        ("ffffffffffff", "bit 0x01 of its first octet ff is set"),
        ("000000000000", "bit 0x02 of its first octet 00 is not set"),
        ("98be94000001", "bit 0x02 of its first octet 98 is not set"),
    ],
)
def test_a_mac_that_no_card_takes_says_which_bit(mac: str, why: str | None) -> None:
    said = Mac.parse(mac).why_unusable()

    assert said is None if why is None else why in (said or "")


@pytest.mark.parametrize("module", [ids, bootparams])
def test_the_examples_in_the_docstrings_hold(module: object) -> None:
    results = doctest.testmod(module)  # type: ignore[arg-type]

    assert results.attempted > 0
    assert results.failed == 0
