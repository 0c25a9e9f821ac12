"""Lists of resources, with the parameters that choose among them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from dpm_lab.hmc.api.calls import Call, Operation
from dpm_lab.hmc.api.refusals import Reason
from dpm_lab.hmc.api.resources import KINDS, Resource

_ADDITIONAL = "additional-properties"
#: Since HMC 2.16.0, those of volumes since 2.17.0 (zhmcclient). It says that older HMCs ignore, and
#: newer ones refuse parameters that they do not know (`_resource.py`); that the change was with API
#: 2.20 is guessed.
_SINCE = (4, 1)
_OF_VOLUMES_SINCE = "2.17"
_UNKNOWN_REFUSED = (2, 20)
#: Never shown.
SECRETS = frozenset({"boot-ftp-password", "password", "ssc-master-pw"})
#: What of a CPC is shown of each partition or adapter in a list over all CPCs.
_OF_CPC = {
    "cpc-name": "name",
    "cpc-object-uri": "object-uri",
    "dpm-enabled": "dpm-enabled",
    "se-version": "se-version",
}


def listing(
    kind: str, shown: str, filters: str = "name", *, field: str = "", additional: bool = False
) -> Operation:
    """Return the operation that lists what is below a resource.

    Args:
        kind: of what is listed
        shown: the properties of each, beside its URI
        filters: the query parameters, each a property that must be so
        field: the field of the answer, where it is not called as the collection
        additional: whether more properties can be asked for
    """

    def operation(call: Call) -> Any:
        query = call.query(*filters.split(), *([_ADDITIONAL] if additional else []))
        names = [KINDS[kind].uri_name, *shown.split(), *_more(call, kind, query)]
        above = call.above
        found = call.tree.cpcs() if kind == "cpc" else above.of(kind)
        # Nothing that needs DPM mode is listed of a CPC in another one, and the other way round.
        if above.kind == "cpc" and above.properties["dpm-enabled"] == (kind in _CLASSIC):
            found = []
        return {
            field or KINDS[kind].collection: [
                {name: each.properties.get(name) for name in names}
                for each in found
                if matches(each.properties, query)
            ]
        }

    return operation


def permitted(kind: str, shown: str, filters: str) -> Operation:
    """Return the operation that lists the resources of one kind on all CPCs."""

    def operation(call: Call) -> Any:
        query = call.query(*filters.split(), _ADDITIONAL)
        names = ["object-uri", *shown.split(), *_more(call, kind, query)]
        return {
            KINDS[kind].collection: [
                {name: properties.get(name) for name in names}
                for cpc in call.tree.cpcs()
                for each in cpc.of(kind)
                if matches(properties := _with_cpc(each, cpc), query)
            ]
        }

    return operation


def none(field: str) -> Operation:
    """Return the operation that lists what no HMC of the lab has."""
    return lambda call: {field: []}


_CLASSIC = frozenset(
    {
        "image-activation-profile",
        "load-activation-profile",
        "logical-partition",
        "reset-activation-profile",
    }
)


def _with_cpc(each: Resource, cpc: Resource) -> dict[str, Any]:
    return {**each.properties, **{name: cpc.properties.get(of) for name, of in _OF_CPC.items()}}


def _more(call: Call, kind: str, query: dict[str, list[str]]) -> Iterable[str]:
    """Take the names of additional properties out of a query."""
    texts = query.pop(_ADDITIONAL, [])
    tree = call.tree
    if not texts or (kind != "storage-volume" and tree.api_version < _UNKNOWN_REFUSED):
        return []
    is_late = tree.hmc_version < _OF_VOLUMES_SINCE if kind == "storage-volume" else False
    if is_late or tree.api_version < _SINCE:
        raise Reason.BAD_REQUEST(f"The query parameter {_ADDITIONAL!r} is not supported")
    return [name for text in texts for name in text.split(",") if name not in SECRETS]


def matches(properties: Mapping[str, Any], query: Mapping[str, list[str]]) -> bool:
    """Return whether a resource is one of those that a query asks for."""
    return all(
        any(_is(properties, name, pattern) for pattern in patterns)
        for name, patterns in query.items()
    )


def _is(properties: Mapping[str, Any], name: str, pattern: str) -> bool:
    """Return whether a property is as asked for: texts by regular expressions."""
    if name == "maximum-size":
        return float(properties["size"]) <= float(pattern)
    if name == "minimum-size":
        return float(properties["size"]) >= float(pattern)
    value = properties.get(name)
    if isinstance(value, str):
        return re.fullmatch(pattern, value) is not None
    return name in properties and json.dumps(value) == pattern
