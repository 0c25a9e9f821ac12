"""HMC definitions of zhmcclient (``hmc_definition``) as machines of the lab.

They are written by hand for zhmcclient's mock, or dumped from HMCs (``Client.to_hmc_yaml``). The
format is that of ``FAKED_HMC_DEFINITION_SCHEMA`` in zhmcclient's ``mock/_session.py``. It demands
little, and the API has more: what is missing is filled in, and said.
"""

from __future__ import annotations

import copy
import re
import uuid
from typing import Any

from dpm_lab.hmc.errors import MachineError
from dpm_lab.hmc.machines.foreign import (
    cleaned,
    complete_adapters,
    complete_groups,
    complete_switches,
)
from dpm_lab.hmc.machines.foreign_partitions import complete_partitions
from dpm_lab.hmc.machines.machine import Machine
from dpm_lab.hmc.machines.report import Report

_IDS = uuid.UUID("5d1b8a86-5b0f-5f0e-9c6f-0d9c51f7a7c2")
#: SE or HMC version and the API version that came with it, and a machine of that time.
_GENERATIONS = {
    "2.13": ((2, 1), "2964"),
    "2.14": ((2, 40), "3906"),
    "2.15": ((3, 4), "8561"),
    "2.16": ((4, 10), "3931"),
    "2.17": ((4, 40), "9175"),
}
_STORAGE = "dpm-storage-management"
_EXPRESS = "network-express-support"
_CLASSIC = (
    "lpars",
    "reset_activation_profiles",
    "image_activation_profiles",
    "load_activation_profiles",
)
_HAS_USERS = "the lab has users of its own (--users)"
_NO_TAPE = "the lab has no tape"
_FCP_ONLY = "the lab has FCP storage only"
_NOT_THERE = "the lab has no such thing"
_WHY = {
    "users": _HAS_USERS,
    "user_roles": _HAS_USERS,
    "user_patterns": _HAS_USERS,
    "password_rules": _HAS_USERS,
    "tasks": _HAS_USERS,
    "ldap_server_definitions": _HAS_USERS,
    "sso_server_definitions": _HAS_USERS,
    "tape_libraries": _NO_TAPE,
    "tape_links": _NO_TAPE,
    "tape-libraries": _NO_TAPE,
    "tape-links": _NO_TAPE,
    "virtual-tape-resources": _NO_TAPE,
    "storage-sites": _FCP_ONLY,
    "storage-subsystems": _FCP_ONLY,
    "storage-fabrics": _FCP_ONLY,
    "storage-switches": _FCP_ONLY,
    "storage-control-units": _FCP_ONLY,
    "storage-paths": _FCP_ONLY,
}


def machines(definition: dict[str, Any], source: str) -> list[Machine]:
    """Return the CPCs of a definition.

    Raises:
        MachineError: it is not right; says what and where.
    """
    definition = copy.deepcopy(definition)
    cpcs = _resources(definition, "cpcs", source)
    if not cpcs:
        raise MachineError(f"machine file {source}: it has no CPC ('cpcs')")
    consoles = _resources(definition, "consoles", source, optional=True)
    console = consoles[0] if consoles else {"properties": {}}
    reports = [Report() for _ in cpcs]
    versions = _versions(definition, console, cpcs, reports[0])
    groups = _resources(console, "storage_groups", source)
    _rename(cpcs, groups, reports[0], source)
    for name, value in console.items():
        if name not in {"properties", "storage_groups"} and value:
            _say_unused(reports[0], "The HMC", name, value)
    for name, value in definition.items():
        if name not in {"host", "api_version", "consoles", "cpcs"} and value:
            _say_unused(reports[0], "The HMC", name, value)
    made = []
    for cpc, report in zip(cpcs, reports, strict=True):
        made.append(_machine(cpc, groups, versions, report, source, alone=len(cpcs) == 1))
    return made


def _resources(
    owner: dict[str, Any], name: str, source: str, *, optional: bool = False
) -> list[dict[str, Any]]:
    """Return the children of one kind, checked for their form."""
    found = owner.get(name) or []
    if not isinstance(found, list):
        raise MachineError(f"machine file {source}: '{name}' is no list")
    for number, item in enumerate(found):
        if not isinstance(item, dict):
            raise MachineError(f"machine file {source}: {name}[{number}] is no mapping")
        if optional:
            item.setdefault("properties", {})
        if not isinstance(item.get("properties"), dict):
            raise MachineError(f"machine file {source}: {name}[{number}] has no 'properties'")
    owner[name] = found
    return found


def _versions(
    definition: dict[str, Any],
    console: dict[str, Any],
    cpcs: list[dict[str, Any]],
    report: Report,
) -> tuple[tuple[int, int], str]:
    """Return API and HMC version; the one follows from the other where it is missing or wrong."""
    said = [console["properties"].get("version"), definition.get("api_version")]
    said += [cpc["properties"].get("se-version") for cpc in cpcs]
    told = [str(text) for text in said if text]
    hmc = next((text for text in told if re.match(r"2\.1[3-7](\.|$)", text)), "")
    match = re.fullmatch(r"(\d+)\.(\d+)", str(definition.get("api_version")))
    if match and not (hmc and str(definition["api_version"]) == hmc):
        api = (int(match[1]), int(match[2]))
    else:
        api = _GENERATIONS.get(hmc[:4], _GENERATIONS["2.16"])[0]
        report.say(f"The API version is taken for {api[0]}.{api[1]}: the file has none.")
    if not hmc:
        hmc = next(v for v, (least, _) in reversed(_GENERATIONS.items()) if least <= api) + ".0"
        report.say(f"The HMC's version is taken for {hmc}: the file has none.")
    return api, hmc


def _rename(
    cpcs: list[dict[str, Any]],
    groups: list[dict[str, Any]],
    report: Report,
    source: str,
) -> None:
    """Give all objects a UUID for an object id, as HMCs have them, and change all URIs so."""
    collections = [("cpcs", cpcs), ("storage-groups", groups)]
    for cpc in cpcs:
        for name in ("adapters", "virtual_switches", "partitions"):
            collections.append((name.replace("_", "-"), _resources(cpc, name, source)))
    new: dict[str, str] = {}
    for collection, items in collections:
        for item in items:
            properties = item["properties"]
            old = str(properties.get("object-id") or properties.get("name") or len(new))
            key = old if _is_uuid(old) else str(uuid.uuid5(_IDS, f"{collection}/{old}"))
            if key != old:
                new[f"/api/{collection}/{old}"] = f"/api/{collection}/{key}"
            properties["object-id"] = key
            properties.setdefault("name", old)
    if new:
        first, became = next(iter(new.items()))
        report.say(
            f"{len(new)} object ids are no UUIDs, or missing, and became some:"
            f" {first.rpartition('/')[2]} is {became.rpartition('/')[2]}."
        )
    for item in [*cpcs, *groups]:
        renewed = _with(item, new)
        item.clear()
        item.update(renewed)


def _is_uuid(text: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text) is not None


def _with(value: Any, new: dict[str, str]) -> Any:
    """Return a copy with the URIs changed."""
    if isinstance(value, dict):
        return {name: _with(item, new) for name, item in value.items()}
    if isinstance(value, list):
        return [_with(item, new) for item in value]
    if isinstance(value, str) and value.startswith("/api/"):
        match = re.match(r"/api/[^/]+/[^/]+", value)
        if match and match[0] in new:
            return new[match[0]] + value[match.end() :]
    return value


def _say_unused(report: Report, owner: str, name: str, value: Any) -> None:
    count = f" ({len(value)})" if isinstance(value, list | dict) else ""
    what = name.replace("_", " ").replace("-", " ")
    report.say(f"{owner}: {what}{count} not used: {_WHY.get(name, _NOT_THERE)}.")


def _machine(
    cpc: dict[str, Any],
    groups: list[dict[str, Any]],
    versions: tuple[tuple[int, int], str],
    report: Report,
    source: str,
    *,
    alone: bool,
) -> Machine:
    api, hmc = versions
    properties = cleaned(cpc["properties"])
    name = str(properties["name"])
    _fill_cpc(properties, cpc, hmc, report)
    api_features = properties.pop("available-api-features-list", None)
    features = _features(properties, api, hmc, report, name)
    switches = cpc.get("virtual_switches")
    if api_features is None:
        api_features = [_EXPRESS] if hmc >= "2.17" and not switches else []
        if properties["dpm-enabled"] and api >= (4, 10):
            report.say(
                f"CPC {name}: this format has no API features; taken for"
                f" {', '.join(api_features) or 'none'}."
            )
    ready: dict[str, Any] = {"properties": properties, "adapters": []}
    found: list[dict[str, Any]] = []
    if properties["dpm-enabled"]:
        adapters = complete_adapters(cpc.get("adapters") or [], report)
        has_switches = _EXPRESS not in api_features
        ready["adapters"] = adapters
        ready["virtual_switches"] = complete_switches(
            switches or [], adapters, report, present=has_switches
        )
        ready["partitions"] = complete_partitions(
            cpc, ready, report, has_storage=_STORAGE in features, api=api
        )
        if _STORAGE in features:
            found = complete_groups(groups, ready, report, alone=alone)
    known = {"properties", "adapters", "virtual_switches", "partitions"}
    for key, value in cpc.items():
        if key in _CLASSIC and not properties["dpm-enabled"]:
            ready[key] = value
        elif key not in known and value:
            _say_unused(report, f"CPC {name}", key, value)
    kind = "DPM mode" if properties["dpm-enabled"] else "classic mode"
    return Machine(
        name=name,
        description=f"{properties.get('description') or 'no description'} ({kind}; {source})",
        hmc_version=hmc,
        api_version=api,
        cpc=dict(properties),
        features=tuple(features),
        api_features=tuple(map(str, api_features)),
        ready=ready,
        groups=tuple(found),
        notes=tuple(report.sentences()),
    )


def _fill_cpc(properties: dict[str, Any], cpc: dict[str, Any], hmc: str, report: Report) -> None:
    kind = f"CPC {properties['name']}"
    has_dpm = any(cpc.get(name) for name in ("partitions", "adapters", "virtual_switches"))
    report.fill(kind, properties, {"dpm-enabled": has_dpm and not cpc.get("lpars")})
    dpm = properties["dpm-enabled"]
    wanted: dict[str, Any] = {
        "status": "active" if dpm else "operating",
        "description": "",
        "has-unacceptable-status": False,
        "is-locked": False,
        "iml-mode": "dpm" if dpm else "lpar",
        "se-version": hmc,
        "machine-type": _GENERATIONS.get(hmc[:4], _GENERATIONS["2.16"])[1],
        "machine-model": "LAB",
        "machine-serial-number": "000000000LAB",
    }
    if dpm:
        only_cps = bool(properties.get("processor-count-general-purpose"))
        wanted |= {
            "processor-count-ifl": 0 if only_cps else 64,
            "processor-count-general-purpose": 0,
            "storage-customer": 4194304,
            "storage-total-installed": properties.get("storage-customer", 4194304),
            "maximum-partitions": 85,
        }
    report.fill(kind, properties, wanted)


def _features(
    properties: dict[str, Any], api: tuple[int, int], hmc: str, report: Report, name: str
) -> list[str]:
    """Return the firmware features; where nothing tells, a z14 or later has storage groups."""
    listed = properties.get("available-features-list")
    if isinstance(listed, list):
        return [
            str(item["name"])
            for item in listed
            if isinstance(item, dict) and "name" in item and item.get("state")
        ]
    features = [_STORAGE] if properties["dpm-enabled"] and hmc >= "2.14" else []
    if features:
        report.say(f"CPC {name} is taken to have {_STORAGE}: the file has no features.")
    if api >= (2, 23):
        properties["available-features-list"] = [
            {"name": item, "description": item, "state": True} for item in features
        ]
    return features
