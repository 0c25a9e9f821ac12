"""The status of a partition after a job: not always at once what it will be.

"Deferred status behavior: it takes a few seconds until the status has reached the desired value (it
still may show status paused)", zhmcclient says of "Start Partition" (``_partition.py``); the old
nova-dpm waited after "Stop Partition" as well.
"""

from __future__ import annotations

from dpm_lab.hmc.api.behaviour import Shown
from dpm_lab.hmc.api.resources import Resource
from dpm_lab.hmc.api.tree import Tree


def settle(tree: Tree, partition: Resource, status: str, before: str, shown: Shown | None) -> None:
    """Give a partition its status, and have another one shown until it is there.

    Args:
        before: what it was before the job
    """
    disturb(tree, partition.uri)
    if shown is None or shown.seconds == 0:
        partition.properties["status"] = status
        return
    partition.properties["status"] = before if shown.status == "stale" else shown.status
    if shown.seconds is None:
        return
    token = tree.settling[partition.uri] = object()

    def done() -> None:
        if tree.settling.get(partition.uri) is token:
            del tree.settling[partition.uri]
            partition.properties["status"] = status

    tree.clock.after(shown.seconds, done)


def disturb(tree: Tree, uri: str) -> None:
    """Forget what a partition's status was about to become: something else happens to it."""
    tree.settling.pop(uri, None)
