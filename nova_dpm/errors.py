"""Errors that are the driver's own; those of the HMC are in `dpm_hmc.errors`."""

from __future__ import annotations

from dpm_hmc.errors import DpmError


class RefusedError(DpmError):
    """A server was asked for that this host cannot run; another try would end the same.

    Args:
        reason: for the user, who may see nothing but what is their own
        detail: for the operator's log: what the storage, the HMC or the options have to do with it
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason} ({detail})" if detail else reason)
        self.reason = reason
