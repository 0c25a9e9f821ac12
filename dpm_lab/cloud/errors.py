"""What goes wrong with a cloud."""

from __future__ import annotations

from dpm_lab.errors import LabError


class CloudError(LabError):
    """A cloud does not come up, is not there, or does not answer."""


class ApiError(CloudError):
    """A service refused a request, or did not answer it.

    Attributes:
        status: the HTTP status; None where there was no answer
    """

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status
