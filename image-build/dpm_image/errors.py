"""The errors of this package: what a person can do something about."""

from __future__ import annotations

from dpm_image.plain import plain


class ImageError(Exception):
    """Base of all errors of ``dpm_image``; its text says what failed and what to do."""

    def __str__(self) -> str:
        """Return the text, with what an image or a guest may have put into it made plain."""
        return plain(super().__str__(), keep="\n\t")
