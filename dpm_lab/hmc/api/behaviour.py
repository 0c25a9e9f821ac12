"""How this HMC behaves where HMCs differ, or where what is known of them disagrees.

Each field is one such point; its default is what the lab does when nothing was said. Which source a
point rests on stands in ``doc/source/lab-hmc.rst``, a row each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from dpm_lab.hmc.api.statuses import Status
from dpm_lab.hmc.errors import ControlError


def _one_of(*values: str) -> Any:
    """Return a field that is one of some words, the first of them by default."""
    return field(default=values[0], metadata={"values": values})


@dataclass(frozen=True)
class Shown:
    """A status that is shown for a time in the place of the true one.

    `status` "stale": the one that was there before. `seconds` None: it stays.
    """

    status: str
    seconds: float | None

    def __str__(self) -> str:
        """Return what `parse` reads."""
        return self.status if self.seconds is None else f"{self.status}:{self.seconds:g}"

    @classmethod
    def parse(cls, text: Any) -> Shown | None:
        """Read ``STATUS:SECONDS``, ``STATUS`` or ``none``.

        >>> Shown.parse("paused:3")
        Shown(status='paused', seconds=3.0)
        """
        if text in {None, "", "none"}:
            return None
        status, sign, seconds = text.partition(":")
        return cls(status, float(seconds) if sign else None)


@dataclass(frozen=True)
class Behaviour:
    """The points, each with what the lab does by default."""

    #: Whether "Create NIC" demands `type` where the adapter is of the family network-express.
    network_express_wants_type: bool = True
    #: What a partition shows after the job of "Start Partition", and for how long.
    after_start: Shown | None = Shown(Status.PAUSED, 3.0)
    #: The same after "Stop Partition".
    after_stop: Shown | None = Shown("stale", 3.0)
    #: What a start does where nothing can be loaded.
    nothing_to_load: str = _one_of("job-fails", "paused")

    #: When a virtual storage resource gets its port, and whether in the order of the candidates.
    storage_ports: str = _one_of("by-discovery", "by-discovery-otherwise", "at-attach")

    #: What "Create NIC" on a HiperSockets adapter answers.
    hipersockets_nic: str = _one_of("by-feature", "http-500", "made")

    #: What a volume becomes once it is fulfilled.
    fulfilled_as: str = _one_of(
        "complete",
        "overprovisioned",
        "pending-with-mismatches",
        "pending",
        "incomplete",
        "configuration-error",
        "deleting",
    )

    #: Whether "Stop Partition" is taken in reservation-error.
    reservation_error_stops: bool = False
    #: What a partition is after a start that failed for lack of memory or processors.
    lack_of_resources: str = _one_of(Status.STOPPED, Status.RESERVATION_ERROR)

    #: After how many refused logons a user is disabled.
    max_failed_logins: int | None = None
    #: For how many seconds that is.
    disable_delay: int | None = None
    #: What a request for an object answers that its user may not see.
    object_access: str = _one_of("404-1", "403-1")

    #: What a user can read of itself and its roles.
    own_user: str = _one_of("all", "by-list", "without-roles", "hidden")
    #: What the API calls a task.
    task_names: str = _one_of("short", "titles")

    #: How many integrated ASCII consoles there can be at a time.
    ascii_consoles: str = _one_of("one-per-hmc", "one-per-partition")

    #: Among which NICs a MAC must be unique.
    unique_macs: str = _one_of("machines", "partition", "no")

    @classmethod
    def names(cls) -> list[str]:
        """Return the names as they are written on the command line."""
        return [each.name.replace("_", "-") for each in fields(cls)]

    @classmethod
    def lines(cls) -> list[str]:
        """Return a line for each point: its name, its default, what else it can be."""
        lines = []
        for each in fields(cls):
            values = each.metadata.get("values") or {"bool": ("yes", "no")}.get(str(each.type))
            words: dict[Any, str] = {True: "yes", False: "no", None: "none"}
            default: Any = each.default
            default = words.get(default, str(default))
            others = f"; one of {', '.join(values)}" if values else ""
            lines.append(f"{each.name.replace('_', '-')}={default}{others}")
        return lines

    def changed(self, changes: Mapping[str, Any]) -> Behaviour:
        """Return another one with some points changed.

        Names may have hyphens or underscores. A text stands for what it says: ``yes``, ``no``, a
        number, ``none``.

        Raises:
            ControlError: there is no such point, or it cannot be so.
        """
        known = {each.name: each for each in fields(self)}
        values = {}
        for name, value in changes.items():
            key = name.replace("-", "_")
            if key not in known:
                raise ControlError(f"no behaviour {name!r}: there are {', '.join(self.names())}")
            values[key] = _value(name, str(known[key].type), known[key].metadata, value)
        return replace(self, **values)

    @classmethod
    def parse(cls, texts: list[str]) -> dict[str, Any]:
        """Read ``NAME=VALUE``, as on the command line.

        >>> Behaviour.parse(["network-express-wants-type=no"])
        {'network-express-wants-type': 'no'}
        """
        changes = {}
        for text in texts:
            name, sign, value = text.partition("=")
            if not sign:
                raise ControlError(f"a behaviour is NAME=VALUE, not {text!r}")
            changes[name] = value
        cls().changed(changes)
        return changes


_TRUTH = {"yes": True, "no": False, True: True, False: False}


def _value(name: str, kind: str, metadata: Mapping[str, Any], value: Any) -> Any:
    """Return a value in the form that its point has."""
    try:
        if kind == "bool":
            return _TRUTH[value]
        if kind == "int | None":
            return None if value in {None, "none"} else int(value)
        if kind == "Shown | None":
            return Shown.parse(value)
    except (KeyError, TypeError, ValueError) as error:
        raise ControlError(f"behaviour {name!r} cannot be {value!r}") from error
    if value not in metadata["values"]:
        raise ControlError(
            f"behaviour {name!r} cannot be {value!r}: it is one of {', '.join(metadata['values'])}"
        )
    return value
