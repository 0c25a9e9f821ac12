"""The NICs of a guest in hercules, as a person writes them down."""

from __future__ import annotations

import pytest

from dpm_guest.bootparams import parse
from dpm_lab.errors import UsageError
from dpm_lab.guests import tuples
from dpm_lab.guests.hercules.cards import MOST_NICS, Nic, check, row


def test_words_say_how_a_card_behaves() -> None:
    nic = Nic.parse("0A00,delay=2.5,ports=1,silent")

    assert nic.bus_id == "0.0.0a00"
    assert (nic.ports, nic.delay, nic.silent) == (1, 2.5, True)
    assert nic.words == "ports=1 delay=2.5 silent"
    assert Nic.parse("0600").words == "ports=2 delay=0"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "600",
        "0x600",
        "0000",
        "ff00",
        "0600,ports=17",
        "0600,delay=",
        "0600,loud",
        "0600,silent=1",
    ],
)
def test_what_is_no_nic_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        Nic.parse(text)


def test_parameters_ask_for_macs_that_are_easily_told_apart() -> None:
    nics = row(3)

    asked = tuples(nics)

    assert asked == "0600,0,0a0000060001;0603,0,0a0000060301;0606,0,0a0000060601;"
    assert parse(asked).nics == tuple(nic.params for nic in nics)
    assert tuples([nics[0].asking(1, "0a0000000011")]) == "0600,1,0a0000000011;"


def test_a_partition_has_no_more_nics_than_it_can_have() -> None:
    assert len(row(MOST_NICS)) == MOST_NICS
    with pytest.raises(UsageError, match="at most 12"):
        row(MOST_NICS + 1)


def test_nics_of_three_devices_each_do_not_overlap() -> None:
    check((Nic.parse("0600"), Nic.parse("0603")))
    with pytest.raises(UsageError, match="device 0602 belongs to 0600 too"):
        check((Nic.parse("0600"), Nic.parse("0602")))
