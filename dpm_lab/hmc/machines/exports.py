"""What ``zhmc cpc dpm-export`` writes, put into the form of an HMC definition.

The file has the fields of the operation "Import DPM Configuration": flat lists of resources, which
name their parent (zhmcclient, ``_cpc.py``, ``export_dpm_configuration``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

#: Any of these tells that a file is an export.
FIELDS = frozenset({"cpc-properties", "se-version", "available-api-features-list", "network-ports"})

#: Fields of an export, and where they are in a definition.
_OF_PARTITION = {"nics": "nics", "hbas": "hbas", "virtual-functions": "virtual_functions"}
_OF_GROUP = {
    "storage-volumes": "storage_volumes",
    "virtual-storage-resources": "virtual_storage_resources",
}
_USED = {
    *FIELDS,
    *_OF_PARTITION,
    *_OF_GROUP,
    "adapters",
    "available-features-list",
    "capacity-groups",
    "partitions",
    "storage-groups",
    "storage-ports",
    "virtual-switches",
}
#: zhmccli's own notes: who exported it, when, and from which CPC.
_META = "zhmccli-meta-"


def definition(export: dict[str, Any]) -> dict[str, Any]:
    """Return an export as what ``hmc_definition`` of zhmcclient would be."""
    console: dict[str, Any] = {
        "storage_groups": [
            _resource(group, export, _OF_GROUP) for group in _list(export, "storage-groups")
        ]
    }
    for name, value in export.items():
        if name not in _USED and not name.startswith(_META) and value:
            console[name] = value
    cpc = {
        "properties": {
            "object-id": _cpc_id(export),
            "name": _cpc_name(export),
            "dpm-enabled": True,
            **export.get("cpc-properties", {}),
            **{
                name: export[name]
                for name in (
                    "se-version",
                    "available-features-list",
                    "available-api-features-list",
                )
                if name in export
            },
        },
        "adapters": [
            {"properties": adapter, "ports": list(_ports(export, adapter))}
            for adapter in _list(export, "adapters")
        ],
        "virtual_switches": [{"properties": each} for each in _list(export, "virtual-switches")],
        "partitions": [
            _resource(each, export, _OF_PARTITION) for each in _list(export, "partitions")
        ],
        "capacity_groups": [{"properties": each} for each in _list(export, "capacity-groups")],
    }
    return {"consoles": [console], "cpcs": [cpc]}


def _list(export: dict[str, Any], name: str) -> list[dict[str, Any]]:
    value = export.get(name) or []
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _resource(
    properties: dict[str, Any], export: dict[str, Any], children: dict[str, str]
) -> dict[str, Any]:
    uri = properties.get("object-uri")
    resource: dict[str, Any] = {"properties": properties}
    for name, place in children.items():
        resource[place] = [
            {"properties": item} for item in _list(export, name) if item.get("parent") == uri
        ]
    return resource


def _ports(export: dict[str, Any], adapter: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name in ("network-ports", "storage-ports"):
        for port in _list(export, name):
            if port.get("parent") == adapter.get("object-uri"):
                yield {"properties": port}


def _cpc_id(export: dict[str, Any]) -> str | None:
    """Return the CPC's object id, which nothing but its children tell."""
    for name in ("adapters", "partitions", "virtual-switches", "storage-groups"):
        for item in _list(export, name):
            for uri in (item.get("parent"), item.get("cpc-uri")):
                match = re.fullmatch(r"/api/cpcs/([^/]+)", str(uri))
                if match:
                    return match[1]
    return None


def _cpc_name(export: dict[str, Any]) -> str:
    names = [export.get(f"{_META}exported-from-cpc-name")]
    names += [item.get("cpc-name") for item in _list(export, "partitions")]
    return next((str(name) for name in names if name), "EXPORT")
