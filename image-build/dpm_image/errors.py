"""The errors of this package: what a person can do something about."""

from __future__ import annotations

from dpm_lab.errors import LabError


class ImageError(LabError):
    """Base of all errors of ``dpm_image``; its text says what failed and what to do."""
