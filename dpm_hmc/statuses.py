"""The statuses of a partition (HMC Web Services API, Partition object), and what each means."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """A partition's status, spelled as the HMC does.

    >>> Status("degraded").is_running, Status("paused").is_halted
    (True, True)

    One that a later HMC may have keeps its text, and is none of the things that can be asked.

    >>> str(Status("dozing")), Status("dozing") == "dozing", Status("dozing").is_running
    ('dozing', True, False)
    """

    STOPPED = "stopped"
    STARTING = "starting"
    ACTIVE = "active"
    DEGRADED = "degraded"
    STOPPING = "stopping"
    PAUSED = "paused"
    TERMINATED = "terminated"
    RESERVATION_ERROR = "reservation-error"
    STATUS_CHECK = "status-check"
    COMMUNICATIONS_NOT_ACTIVE = "communications-not-active"

    @classmethod
    def _missing_(cls, value: object) -> Status | None:
        if not isinstance(value, str):
            return None
        unknown = str.__new__(cls, value)
        unknown._name_, unknown._value_ = "UNKNOWN", value
        return unknown

    @property
    def is_running(self) -> bool:
        """Whether an operating system runs, as far as the HMC knows."""
        return self in (Status.ACTIVE, Status.DEGRADED)

    @property
    def is_stopped(self) -> bool:
        """Whether the partition can be started or deleted as it is.

        Of one that could not have its resources, Stop is refused, and Start and Delete are not
        (zhmc-ansible-modules, ``common.py``, ``stop_partition``).
        """
        return self in (Status.STOPPED, Status.RESERVATION_ERROR)

    @property
    def is_halted(self) -> bool:
        """Whether no operating system runs, and the partition must be stopped to be started."""
        return self in (Status.PAUSED, Status.TERMINATED)

    @property
    def is_settled(self) -> bool:
        """Whether it stays until somebody does something, as far as the HMC knows."""
        return self not in (Status.STARTING, Status.STOPPING)
