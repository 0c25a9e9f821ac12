"""Query, delete and cancel jobs."""

from __future__ import annotations

from typing import Any

from dpm_lab.hmc.api.calls import Accepted, Call


def query(call: Call) -> Any:
    """Query Job Status."""
    return call.tree.jobs.find(call.id).to_dict()


def delete(call: Call) -> Any:
    """Delete Completed Job Status."""
    call.tree.jobs.delete(call.id)


def cancel(call: Call) -> Any:
    """Cancel Job: 202 without a body (zhmcclient, Session.post)."""
    call.tree.jobs.cancel(call.id)
    return Accepted()
