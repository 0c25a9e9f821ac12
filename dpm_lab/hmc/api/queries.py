"""Requests that only ask: listings, features, several requests in one."""

from __future__ import annotations

from typing import Any

from zhmcclient.mock._urihandler import FakedHTTPError

from dpm_lab.hmc.api import permissions
from dpm_lab.hmc.api.calls import Accepted, Call
from dpm_lab.hmc.api.refusals import Refusal, bad, missing, not_found, of_mock
from dpm_lab.hmc.api.tree import public

#: Since HMC 2.16.0: listings with additional properties (zhmcclient), and a list of API features,
#: which zhmcclient takes for empty where the URI is unknown.
_ADDITIONAL_PROPERTIES = (4, 1)
_UNKNOWN_REFUSED = (2, 20)
_API_FEATURES = (4, 10)


def listing(call: Call) -> Any:
    """List partitions, adapters or virtual switches of a CPC.

    :raises Refusal: 400, 1: ``additional-properties`` before HMC 2.16.0. zhmcclient says that older
        HMCs ignore, and newer ones refuse parameters that they do not know (`_resource.py`); that
        the change was with API 2.20 is guessed.
    """
    tree = call.tree
    if "additional-properties=" in call.uri and tree.api_version < _ADDITIONAL_PROPERTIES:
        if tree.api_version >= _UNKNOWN_REFUSED:
            raise Refusal(400, 1, "The query parameter 'additional-properties' is not supported")
        parameters = call.uri.partition("?")[2].split("&")
        kept = [text for text in parameters if not text.startswith("additional-properties=")]
        return tree.dispatch("GET", f"{call.path}?{'&'.join(kept)}", None)
    return call.mock(None)


def properties(call: Call) -> Any:
    """Get properties of something of which the lab knows more than an HMC tells."""
    return public(call.mock(None))


def cpc_features(call: Call) -> Any:
    """List CPC API Features."""
    if call.tree.api_version < _API_FEATURES:
        raise not_found(call.path)
    return list(call.tree.find(call.base).api_features)


def console_features(call: Call) -> Any:
    """List Console API Features: none."""
    if call.tree.api_version < _API_FEATURES:
        raise not_found(call.path)
    return []


def connected_nics(call: Call) -> Any:
    """Get Connected VNICs of a Virtual Switch: a GET, which the mock has as a POST."""
    switch = call.tree.find(call.base)
    return {"connected-vnic-uris": list(switch.properties["connected-vnic-uris"])}


def submit(call: Call) -> Any:
    """Submit Requests: several in one, one after the other.

    The mock sends them through a session of zhmcclient; here they go the way of all others.
    """
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
        result = permissions.dispatch(call.context.user, call.tree, method, uri, item.get("body"))
    except FakedHTTPError as error:
        refusal = of_mock(error)
        return refusal.status, refusal.body(method, uri)
    except Refusal as refusal:
        return refusal.status, refusal.body(method, uri)
    if isinstance(result, Accepted):
        return 202, {"job-uri": result.job.uri} if result.job else None
    return (204, None) if result is None else (200, result)
