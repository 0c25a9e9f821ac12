"""The errors of this package: what a person can do something about."""

from __future__ import annotations


class ImageError(Exception):
    """Base of all errors of ``dpm_image``; its text says what failed and what to do."""
