"""The operation on integrated ASCII consoles: a ticket for one."""

from __future__ import annotations

from typing import Any

from dpm_lab.hmc.api.calls import Call
from dpm_lab.hmc.api.refusals import Reason, bad, not_found, wrong_state
from dpm_lab.hmc.api.statuses import STARTED

_SINCE, _SINCE_API = "2.14", (2, 22)


def get_uri(call: Call) -> Any:
    """Get ASCII Console WebSocket URI (HMC 2.14.0 and API 2.22 and later).

    A takeover breaks what other HMCs have open, and nothing of this one (zhmcclient 1.26,
    ``_partition.py``, `create_os_websocket`).
    """
    tree = call.tree
    partition = tree.find(call.base)
    machine = tree.machine(partition)
    if machine.hmc_version < _SINCE or machine.api_version < _SINCE_API:
        raise not_found(call.path)
    body = call.body or {}
    call.allow("force-takeover")
    takeover = body.get("force-takeover", False)
    if not isinstance(takeover, bool):
        raise bad("force-takeover", takeover, "it is true or false")
    if partition.properties["status"] not in STARTED:
        raise wrong_state(f"Partition {partition.name} has no console while it is not started")
    consoles = tree.ascii_consoles
    if consoles.is_taken(partition.uri, tree.behaviour.ascii_consoles == "one-per-hmc"):
        raise Reason.CONSOLE_IS_OPEN(
            "Another integrated ASCII console is open on this HMC, which cannot be taken over"
        )
    return {"websocket-uri": consoles.issue(call.context.session, partition.uri)}
