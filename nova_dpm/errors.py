"""Errors that are the driver's own; those of the HMC are in `dpm_hmc.errors`."""

from __future__ import annotations

from dpm_hmc.errors import DpmError, StateError
from dpm_hmc.statuses import Status


class RefusedError(DpmError):
    """A server was asked for that this host cannot run; another try would end the same.

    Args:
        reason: for the user, who may see nothing but what is their own
        detail: for the operator's log: what the storage, the HMC or the options have to do with it
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason} ({detail})" if detail else reason)
        self.reason = reason


class NothingRunsError(StateError):
    """A partition was started, and nothing runs in it.

    What is on the boot volume is the user's, and so is what it said on the console: the reason is
    for them, and short, since Nova cuts a fault at 255 characters.

    Args:
        finding: for the operator's log
        status: of the partition
        said: the last line of its console, "" where there is none

    Attributes:
        reason: for the user
    """

    _LONGEST = 60

    def __init__(self, finding: str, status: Status, said: str = "") -> None:
        super().__init__(f"{finding}. It said last: {said}" if said else finding)
        self.status = status
        self.reason = (
            f"its partition is {status} after the start: is its boot volume of an image for s390x, "
            "and one that boots?"
        )
        if said:
            self.reason += f" It said last: {said[: self._LONGEST]}"

    def saying(self, said: str) -> NothingRunsError:
        """Return the same error with what was said last on the console."""
        return NothingRunsError(self.finding, self.status, said)
