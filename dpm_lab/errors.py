"""The errors of this package: what a person can do something about."""

from __future__ import annotations


class LabError(Exception):
    """Base of all errors of ``dpm_lab``; its text says what failed and what to do."""


class ToolError(LabError):
    """A program that is needed is missing, of an unknown version, or failed."""


class GuestError(LabError):
    """The guest did not boot, or does not answer any more."""


class UsageError(LabError):
    """What was asked for makes no sense."""
