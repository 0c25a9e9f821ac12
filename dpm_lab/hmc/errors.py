"""What goes wrong while the lab's HMC is set up. What it refuses a client is in `refusals`."""

from __future__ import annotations

from dpm_lab.errors import LabError


class HmcError(LabError):
    """Base of the errors of ``dpm_lab.hmc``."""


class MachineError(HmcError):
    """A machine file is missing or says something impossible."""


class StartError(HmcError):
    """The HMC does not come up: its port is taken, or its process ended."""


class ControlError(HmcError):
    """An order to the lab was not understood, or the HMC's process does not answer any more."""
