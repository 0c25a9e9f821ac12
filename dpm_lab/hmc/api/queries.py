"""Requests that only ask: versions, properties, features, several requests in one."""

from __future__ import annotations

from typing import Any

from dpm_lab.hmc.api.calls import Accepted, Call
from dpm_lab.hmc.api.listings import SECRETS
from dpm_lab.hmc.api.refusals import Reason, Refusal, bad, missing, not_found, unknown
from dpm_lab.hmc.api.resources import public
from dpm_lab.hmc.api.tree import NAME

#: Since HMC 2.16.0: a list of API features, which zhmcclient takes for empty where the URI is
#: unknown.
_API_FEATURES = (4, 10)
#: Query parameters of "Get ... Properties", where there are any.
_QUERIES = {
    "console": ("properties",),
    "cpc": ("properties", "cached-acceptable", "group-uri"),
    "partition": ("properties",),
}


def version(call: Call) -> Any:
    """Query API Version."""
    major, minor = call.tree.api_version
    return {
        "hmc-name": NAME,
        "hmc-version": call.tree.hmc_version,
        "api-major-version": major,
        "api-minor-version": minor,
    }


def properties(call: Call) -> Any:
    """Get the properties of a resource, all or those that are asked for.

    Raises:
        Refusal: 400, 14: it has no property of that name (zhmcclient.mock).
    """
    resource = call.tree.find(call.path)
    texts = call.query(*_QUERIES.get(resource.kind, ())).get("properties", [])
    names = [name for text in texts for name in text.split(",") if name]
    for name in names:
        if name not in resource.properties:
            raise Reason.NO_PROPERTY(f"{call.path} has no property {name!r}")
    return {
        name: value
        for name, value in public(resource.properties).items()
        if name not in SECRETS and (not names or name in names)
    }


def update(call: Call) -> None:
    """Update the properties of a resource that has no rules of its own.

    Raises:
        Refusal: 400, 6: it has no property of that name, or it says what and where it is.
    """
    resource = call.tree.find(call.path)
    body = call.object()
    for name in body:
        fixed = name in {"class", "parent"} or name.endswith(("-id", "-uri", "-uris"))
        if fixed or name not in resource.properties:
            raise unknown(name)
    resource.properties.update(body)


def cpc_features(call: Call) -> Any:
    """List CPC API Features."""
    if call.tree.api_version < _API_FEATURES:
        raise not_found(call.path)
    return list(call.tree.machine(call.tree.find(call.base)).api_features)


def console_features(call: Call) -> Any:
    """List Console API Features: none."""
    if call.tree.api_version < _API_FEATURES:
        raise not_found(call.path)
    return []


def connected_nics(call: Call) -> Any:
    """Get Connected VNICs of a Virtual Switch."""
    switch = call.tree.find(call.base)
    return {"connected-vnic-uris": list(switch.properties["connected-vnic-uris"])}


def metrics(call: Call) -> Any:
    """Create Metrics Context: one without any metrics, so that an HMC can be dumped."""
    return {"metrics-context-uri": f"{call.path}/lab", "metric-group-infos": []}


def submit(call: Call) -> Any:
    """Submit Requests: several in one, one after the other, each checked by itself."""
    answers = []
    requests = call.object("requests")["requests"]
    if not isinstance(requests, list) or not all(isinstance(item, dict) for item in requests):
        raise bad("requests", requests, "it is no list of objects")
    for item in requests:
        for name in ("method", "uri"):
            if not isinstance(item.get(name), str):
                raise missing(name)
        status, body = _one(call, item)
        answer = {"status": status, "headers": [], "body": body}
        if item.get("id"):
            answer["id"] = item["id"]
        answers.append(answer)
    return answers


def _one(call: Call, item: dict[str, Any]) -> tuple[int, Any]:
    method, uri = item["method"], item["uri"]
    try:
        result = call.perform(method, uri, item.get("body"))
    except Refusal as refusal:
        return refusal.status, refusal.body(method, uri)
    if isinstance(result, Accepted):
        return 202, {"job-uri": result.job.uri} if result.job else None
    return (204, None) if result is None else (200, result)
