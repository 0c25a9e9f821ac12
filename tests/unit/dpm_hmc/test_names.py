"""Names and descriptions: the contract with what the driver of 2018 made."""

from __future__ import annotations

import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpm_guest.ids import Mac
from dpm_hmc import names

UUID_1 = "6e3c1c62-6d5b-4f63-9c5c-5d4ea7d5bd2a"
HOSTS = st.text("abcdefghijklmnopqrstuvwxyz0123456789.-_()+", min_size=1, max_size=17)


def test_names_are_those_of_the_contract() -> None:
    assert names.partition_name("h1", UUID_1) == f"OpenStack-h1-{UUID_1}"
    assert names.subset_description("h1") == "OpenStack CPCSubset=h1"
    assert names.nic_name(UUID_1) == f"OpenStack_Port_{UUID_1}"
    mac = Mac.parse("0A:00:00:00:00:11")
    assert names.nic_description("h1", mac) == "OpenStack mac=0a:00:00:00:00:11, CPCSubset=h1"


@given(HOSTS, st.uuids())
def test_the_uuid_of_a_name_is_the_one_it_was_made_of(host: str, uuid: UUID) -> None:
    name = names.partition_name(host, str(uuid))

    assert names.instance_uuid(host, name) == str(uuid)
    assert re.fullmatch(names.partition_pattern(host), name)
    assert len(name) <= names.LONGEST


@given(HOSTS, HOSTS, st.uuids())
def test_partitions_of_another_host_are_not_ours(host: str, other: str, uuid: UUID) -> None:
    name = names.partition_name(other, str(uuid))

    found = names.instance_uuid(host, name)

    assert (found == str(uuid)) == (host == other)
    assert (found is None) == (host != other)


@pytest.mark.parametrize(
    "rest",
    [
        UUID_1.replace("-", ""),
        UUID_1.upper(),
        f"{{{UUID_1}}}",
        f"urn:uuid:{UUID_1}",
        UUID_1[:-1],
        "",
        "6e3c1c626d5b4f639c5c5d4ea7d5bd2a----",
    ],
)
def test_a_uuid_that_is_not_written_as_nova_does_is_none(rest: str) -> None:
    assert names.instance_uuid("h1", f"OpenStack-h1-{rest}") is None


@pytest.mark.parametrize(
    ("description", "mac"),
    [
        ("OpenStack mac=0a:00:00:00:00:11, CPCSubset=h1", "0a:00:00:00:00:11"),
        ("OpenStack mac=0A:00:00:00:00:1B, CPCSubset=h1", "0a:00:00:00:00:1b"),
        ("mac=0a:00:00:00:00:11", "0a:00:00:00:00:11"),
        ("OpenStack mac=0a:00:00:00:00:11:22, CPCSubset=h1", None),
        ("OpenStack mac=0a:00:00:00:00, CPCSubset=h1", None),
        ("somebody's own", None),
        ("", None),
    ],
)
def test_a_mac_is_read_from_a_description(description: str, mac: str | None) -> None:
    found = names.mac_in(description)

    assert (None if found is None else str(found)) == mac


@pytest.mark.parametrize("mac", ["0a:00:00:00:00:1:", "01:00:5e:00:00:01", "0a0000000000000:1"])
def test_a_mac_that_no_nic_can_have_is_none(mac: str) -> None:
    assert names.mac_in(f"OpenStack mac={mac}, CPCSubset=h") is None
