"""The errors of this package: what a person can do something about."""

from __future__ import annotations

from dpm_lab.plain import plain


class LabError(Exception):
    """Base of all errors of ``dpm_lab``; its text says what failed and what to do."""

    def __str__(self) -> str:
        """Return the text, with what an image or a guest may have put into it made plain."""
        return plain(super().__str__(), keep="\n\t")


class ToolError(LabError):
    """A program that is needed is missing, of an unknown version, or failed."""


class GuestError(LabError):
    """The guest did not boot, or does not answer any more."""


class UsageError(LabError):
    """What was asked for makes no sense."""
