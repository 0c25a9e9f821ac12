"""The statuses of a partition (zhmcclient, ``_partition.py``), and what each of them allows."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """What a partition's `status` is."""

    STOPPED = "stopped"
    STARTING = "starting"
    ACTIVE = "active"
    DEGRADED = "degraded"
    PAUSED = "paused"
    TERMINATED = "terminated"
    STOPPING = "stopping"
    RESERVATION_ERROR = "reservation-error"
    COMMUNICATIONS_NOT_ACTIVE = "communications-not-active"
    STATUS_CHECK = "status-check"


#: No resources are taken: a partition can be started and deleted (zhmc-ansible-modules,
#: ``common.py``: `pull_partition_status`, `start_partition`, `stop_partition`).
AT_REST = frozenset({Status.STOPPED, Status.RESERVATION_ERROR})
#: Between others: a partition cannot be changed (zhmcclient.mock).
TRANSITIONAL = frozenset({Status.STARTING, Status.STOPPING})
#: The operating system is at work.
WITH_SYSTEM = frozenset({Status.ACTIVE, Status.DEGRADED})
#: It was started and can be stopped, restarted or dumped.
STARTED = WITH_SYSTEM | {Status.PAUSED, Status.TERMINATED}
#: It holds its processors and memory.
RUNNING = STARTED | TRANSITIONAL
#: Storage groups come and go (reference of zhmcclient).
ATTACHABLE = STARTED | {Status.STOPPED}
