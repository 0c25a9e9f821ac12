"""The CPC behind an OpenStack host: whether the options fit it, and what it offers to Nova."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus

from nova_dpm.conf import Settings, StoragePort
from nova_dpm.errors import ConfigError, DpmError, HttpError, StateError
from nova_dpm.hmc import Hmc, Properties

STORAGE_MANAGEMENT = "dpm-storage-management"
ALWAYS_STORAGE_MANAGEMENT = (2, 23)
"""API version from which a CPC that lists no firmware features has storage management anyway."""

NETWORK_EXPRESS = "network-express-support"
LISTS_FEATURES = (4, 10)
"""API version of the operation "List CPC API Features" (zhmcclient 1.26, ``_utils.py``)."""

_UP = frozenset({"active", "operating", "degraded", "exceptions", "service-required"})


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


def version_number(se_version: str) -> int:
    """Return the number by which Nova compares hypervisor versions.

    >>> version_number("2.16.0")
    2016000
    """
    number = 0
    parts = [int(part) for part in re.findall(r"\d+", se_version)[:3]]
    for part in parts + [0] * (3 - len(parts)):
        number = number * 1000 + part
    return number


def look(hmc: Hmc, settings: Settings) -> Cpc:
    """Find the CPC, and check that it can be used.

    Raises:
        ConfigError: there is no such CPC, or it is not in DPM mode.
        StateError: it is down.
        HmcError: the HMC cannot be asked.
    """
    api_version = hmc.api_version()
    uri = f"/api/cpcs/{settings.cpc_object_id}"
    try:
        properties = hmc.get(uri)
    except HttpError as error:
        if error.status not in (HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN):
            raise
        raise ConfigError(
            "cpc_object_id",
            settings.cpc_object_id,
            f"HMC {hmc.host} shows no such CPC to user {settings.hmc.username}; it shows "
            f"{_cpcs(hmc)}",
            "Take the object id of a CPC that it shows, or give the user access to it",
        ) from None
    name = str(properties["name"])
    if not properties.get("dpm-enabled", False):
        raise ConfigError(
            "cpc_object_id",
            settings.cpc_object_id,
            f"CPC {name} is not in DPM mode",
            "Choose a CPC in DPM mode, or enable DPM on this one",
        )
    status = str(properties.get("status"))
    if status not in _UP:
        raise StateError(
            f"CPC {name} ([dpm] cpc_object_id = {settings.cpc_object_id}) is {status}. "
            "Start it on the HMC, then start nova-compute again"
        )
    return Cpc(
        uri=uri,
        name=name,
        se_version=str(properties.get("se-version") or ""),
        processors=int(properties.get("processor-count-ifl") or 0),
        memory=int(properties.get("storage-customer") or 0),
        maximum_partitions=properties.get("maximum-partitions"),
        has_storage_management=_has_storage_management(properties, api_version),
        has_virtual_switches=NETWORK_EXPRESS not in _api_features(hmc, uri, api_version),
        api_version=api_version,
    )


def misfits(hmc: Hmc, settings: Settings, cpc: Cpc) -> Iterator[Callable[[], None]]:
    """Yield checks of the options against the CPC; each returns, or raises `DpmError`."""
    yield lambda: _check_limit(
        "max_processors", settings.max_processors, cpc.processors, "IFL processors", cpc
    )
    yield lambda: _check_limit("max_memory", settings.max_memory, cpc.memory, "MiB of memory", cpc)
    yield lambda: _check_has_ports(settings)
    for port in settings.storage_ports:
        yield lambda port=port: check_storage_port(hmc, cpc, port)  # type: ignore[misc]


def check(hmc: Hmc, settings: Settings, cpc: Cpc) -> None:
    """Check the options against the CPC.

    Raises:
        DpmError: of the first one that does not fit.
    """
    for each in misfits(hmc, settings, cpc):
        each()


def check_storage_port(hmc: Hmc, cpc: Cpc, port: StoragePort) -> None:
    """Check that a configured port is an FCP port of the CPC.

    Raises:
        ConfigError: it is not.
        HmcError: the HMC cannot be asked.
    """

    def wrong(problem: str) -> ConfigError:
        return ConfigError(
            "physical_storage_adapter_mappings",
            str(port),
            problem,
            "Name a port of an FCP adapter of the CPC (zhmc adapter list shows them)",
        )

    try:
        adapter = hmc.get(port.adapter_uri)
    except HttpError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        raise wrong(f"there is no such adapter on HMC {hmc.host}") from None
    label = f"adapter {adapter['name']}"
    if adapter.get("parent", cpc.uri) != cpc.uri:
        raise wrong(f"{label} is not one of CPC {cpc.name}")
    if adapter.get("type") != "fcp":
        raise wrong(f"{label} is of type {adapter.get('type')}, not fcp")
    if port.uri not in (adapter.get("storage-port-uris") or ()):
        raise wrong(f"{label} has no port {port.port}")


def _check_limit(option: str, value: int, available: int, what: str, cpc: Cpc) -> None:
    if value > available:
        raise ConfigError(
            option,
            value,
            f"CPC {cpc.name} has {available} {what}",
            f"Set it to {available} or less",
        )


def _check_has_ports(settings: Settings) -> None:
    if not settings.storage_ports:
        raise ConfigError(
            "physical_storage_adapter_mappings",
            "(not set)",
            "servers boot from fibre channel volumes and need at least one port",
            "Set it to <object id of an FCP adapter>:<port>",
        )


def _has_storage_management(properties: Properties, api_version: tuple[int, int]) -> bool:
    features = properties.get("available-features-list")
    if features is None:
        return api_version >= ALWAYS_STORAGE_MANAGEMENT and _is_z14_or_later(properties)
    return any(each["name"] == STORAGE_MANAGEMENT and each["state"] for each in features)


def _is_z14_or_later(properties: Properties) -> bool:
    # A z13 has SE version 2.13, whatever HMC manages it.
    return version_number(str(properties.get("se-version") or "")) >= version_number("2.14.0")


def _api_features(hmc: Hmc, cpc_uri: str, api_version: tuple[int, int]) -> list[str]:
    if api_version < LISTS_FEATURES:
        return []
    try:
        answer: object = hmc.get(f"{cpc_uri}/operations/list-features")
    except HttpError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return []
    return [str(each) for each in answer] if isinstance(answer, list) else []


def _cpcs(hmc: Hmc) -> str:
    try:
        shown = hmc.get("/api/cpcs")["cpcs"]
    except DpmError as error:
        return f"none ({error})"
    listed = [f"{each['name']} ({each['object-uri'].rsplit('/', 1)[-1]})" for each in shown]
    return ", ".join(listed) or "none"
