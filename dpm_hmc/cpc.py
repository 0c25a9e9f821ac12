"""The CPC behind an OpenStack host: found, known by its features, and up or not."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

from dpm_hmc import answers
from dpm_hmc.answers import Properties
from dpm_hmc.client import Hmc
from dpm_hmc.errors import ConfigError, DpmError, HttpError

STORAGE_MANAGEMENT = "dpm-storage-management"
ALWAYS_STORAGE_MANAGEMENT = (2, 23)
"""API version from which a CPC that lists no firmware features has storage management anyway."""

NETWORK_EXPRESS = "network-express-support"
LISTS_FEATURES = (4, 10)
"""API version of the operation "List CPC API Features" (zhmcclient 1.26, ``_utils.py``)."""

WELL = frozenset({"active", "operating"})
UP = WELL | {"degraded", "exceptions", "service-required"}
"""Statuses of a CPC that works, and of one that can be worked with."""

_PROPERTIES = (
    *("name", "status", "dpm-enabled", "se-version", "processor-count-ifl", "storage-customer"),
    *("machine-type", "machine-model", "maximum-partitions", "available-features-list"),
)
"""What is asked of a CPC. All its properties want a task that nova-compute's user does not need
(zhmc-prometheus-exporter 2.4.0: "Manage Secure Execution Keys"), and fail with 409,272 where the
time server cannot be asked (zhmc-ansible-modules, issue 566)."""

_FIRST_WITHOUT_SWITCHES = "2.17.0"

_NAMED_AT_MOST = 8
"""How many CPCs or adapters a message names."""


@dataclass(frozen=True)
class Cpc:
    """What the HMC says of the CPC.

    Args:
        uri: path in the Web Services API
        name: for messages
        se_version: of its firmware, such as ``2.16.0``
        processors: shared IFLs that partitions can use
        memory: MiB that partitions can use
        maximum_partitions: how many it can have
        has_storage_management: storage groups instead of HBAs
        has_virtual_switches: or adapter ports (z17)
        api_version: of the HMC
        is_dpm: whether it is in DPM mode
        status: as the HMC says
        machine: type and model, such as ``3931-A01``; "" where the HMC does not say
    """

    uri: str
    name: str
    se_version: str
    processors: int
    memory: int
    maximum_partitions: int | None
    has_storage_management: bool
    has_virtual_switches: bool
    api_version: tuple[int, int]
    is_dpm: bool = True
    status: str = "active"
    machine: str = ""


def version_number(se_version: str) -> int:
    """Return the number by which Nova compares hypervisor versions.

    >>> version_number("2.16.0")
    2016000
    """
    number = 0
    parts = [int(part) for part in re.findall(r"[0-9]{1,9}", se_version)[:3]]
    for part in parts + [0] * (3 - len(parts)):
        number = number * 1000 + part
    return number


def find_cpc(hmc: Hmc, cpc_object_id: str) -> Cpc:
    """Ask the HMC for the CPC.

    HMC permission: access to the CPC. HMC version: each; with API 4.10 the CPC's features are read.

    Raises:
        ConfigError: it shows no such CPC.
        HmcError: it cannot be asked.
    """
    api_version = hmc.api_version()
    uri = f"/api/cpcs/{cpc_object_id}"
    try:
        properties = _properties(hmc, uri)
    except HttpError as error:
        if not error.is_hidden:
            raise
        problem = f"shows no such CPC to this user; it shows {shown_cpcs(hmc)}"
        if error.status == HTTPStatus.FORBIDDEN:
            problem = f"refuses to show it to this user (403,{error.reason})"
        raise ConfigError(
            "cpc_object_id",
            cpc_object_id,
            f"HMC {hmc.address} {problem}",
            "Take the object id of a CPC that it shows, or give the user access to it",
        ) from None
    is_dpm = properties.get("dpm-enabled") is True
    status = answers.text(properties, "status")
    se_version = answers.optional_text(properties, "se-version")
    features = _api_features(hmc, uri, api_version) if is_dpm and status in UP else []
    return Cpc(
        uri=uri,
        name=answers.text(properties, "name"),
        se_version=se_version,
        processors=answers.optional_number(properties, "processor-count-ifl") or 0,
        memory=answers.optional_number(properties, "storage-customer") or 0,
        maximum_partitions=answers.optional_number(properties, "maximum-partitions"),
        has_storage_management=_has_storage_management(properties, api_version),
        has_virtual_switches=_has_virtual_switches(features, se_version),
        api_version=api_version,
        is_dpm=is_dpm,
        status=status,
        machine="-".join(
            filter(
                None,
                (
                    answers.optional_text(properties, "machine-type"),
                    answers.optional_text(properties, "machine-model"),
                ),
            )
        ),
    )


def shown_cpcs(hmc: Hmc) -> str:
    """Return names and object ids of the CPCs that the HMC shows, as a sentence's part."""
    try:
        shown = answers.objects(hmc.get("/api/cpcs"), "cpcs")
        return listing((answers.text(each, "name"), object_id(each)) for each in shown)
    except DpmError as error:
        return f"none ({error.finding})"


def require_dpm_mode(cpc: Cpc) -> None:
    """Make sure that a CPC is in DPM mode.

    Raises:
        ConfigError: it is not.
    """
    if not cpc.is_dpm:
        raise ConfigError(
            "cpc_object_id",
            cpc.uri.rsplit("/", 1)[-1],
            f"CPC {cpc.name} is not in DPM mode",
            "Choose a CPC in DPM mode, or enable DPM on this one",
        )


def listing(named: Iterable[tuple[str, str]]) -> str:
    """Return names and ids of things, the first few of them, as a sentence's part."""
    listed = [f"{value} ({name})" for name, value in named]
    if len(listed) > _NAMED_AT_MOST:
        listed[_NAMED_AT_MOST:] = [f"{len(listed) - _NAMED_AT_MOST} more"]
    return ", ".join(listed) or "none"


def object_id(listed: Properties) -> str:
    """Return the object id of something that the HMC listed."""
    return answers.uri(listed, "object-uri").rsplit("/", 1)[-1]


def _has_storage_management(properties: Properties, api_version: tuple[int, int]) -> bool:
    if properties.get("available-features-list") is None:
        return api_version >= ALWAYS_STORAGE_MANAGEMENT and _is_z14_or_later(properties)
    features = answers.objects(properties, "available-features-list")
    return any(
        answers.text(each, "name") == STORAGE_MANAGEMENT and each.get("state") is True
        for each in features
    )


def _is_z14_or_later(properties: Properties) -> bool:
    # A z13 has SE version 2.13, whatever HMC manages it.
    return version_number(answers.optional_text(properties, "se-version")) >= version_number(
        "2.14.0"
    )


def _properties(hmc: Hmc, cpc_uri: str) -> Properties:
    """Return what is used of a CPC's properties, where the machine has all of them."""
    asked = f"{cpc_uri}?properties="
    try:
        return hmc.get(asked + ",".join(_PROPERTIES))
    except HttpError as error:
        if error.status != HTTPStatus.BAD_REQUEST:
            raise
    # A machine of before storage management has neither the last two of them.
    try:
        return hmc.get(cpc_uri)
    except HttpError:
        return hmc.get(asked + ",".join(_PROPERTIES[:-2]))


def _has_virtual_switches(features: list[str] | None, se_version: str) -> bool:
    if features is None:
        return version_number(se_version) < version_number(_FIRST_WITHOUT_SWITCHES)
    return NETWORK_EXPRESS not in features


def _api_features(hmc: Hmc, cpc_uri: str, api_version: tuple[int, int]) -> list[str] | None:
    """Return the names of the CPC's API features, or None where the HMC does not say them."""
    if api_version < LISTS_FEATURES:
        return []
    try:
        answer = hmc.get_list(f"{cpc_uri}/operations/list-features")
    except HttpError as error:
        if not error.is_hidden:
            raise
        return None
    return [str(each) for each in answer]
