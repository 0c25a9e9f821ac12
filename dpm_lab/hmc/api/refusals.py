"""How the HMC says no: HTTP status and reason.

The numbers are those of "Common request validation reason codes" of the HMC's Web Services API, as
far as zhmcclient's source and documents, zhmc-ansible-modules and reports of their users tell them.
Where none of them gives the pair for a case, the place that raises it says *guessed*; the page
``doc/source/lab-hmc.rst`` lists those.
"""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """A request is answered with an error."""

    def __init__(self, status: int, reason: int, message: str, stack: str | None = None) -> None:
        super().__init__(message)
        self.stack = stack
        self.status = status
        self.reason = reason
        self.message = message

    def body(self, method: str, uri: str) -> dict[str, Any]:
        """Return the answer's body, as the HMC forms it."""
        return {
            "request-method": method,
            "request-uri": uri,
            "http-status": self.status,
            "reason": self.reason,
            "message": self.message,
            **({} if self.stack is None else {"stack": self.stack}),
        }


def missing(name: str) -> Refusal:
    """400, 5: a field is missing (zhmcclient.mock)."""
    return Refusal(400, 5, f"The request body has no field {name!r}, which is required")


def unknown(name: str) -> Refusal:
    """400, 6: a field is not known or cannot be set (zhmcclient.mock)."""
    return Refusal(400, 6, f"The field {name!r} is not known, or cannot be set")


def bad(name: str, value: object, cure: str) -> Refusal:
    """400, 7: a value is out of its range."""
    return Refusal(400, 7, f"The field {name!r} cannot be {value!r}: {cure}")


def not_unique(name: str, value: object, where: str) -> Refusal:
    """400, 8: a name must be unique."""
    return Refusal(400, 8, f"The field {name!r} must be unique in {where}; {value!r} is taken")


def inconsistent(message: str) -> Refusal:
    """400, 15: a field does not go with another one (python-zhmcclient issue 258)."""
    return Refusal(400, 15, message)


def not_found(uri: object) -> Refusal:
    """404, 1: the object of the request's URI is unknown."""
    return Refusal(404, 1, f"There is no object {uri}")


def reference_not_found(name: str, uri: object) -> Refusal:
    """404, 2: an object named in the body is unknown (zhmcclient.mock, for adapters)."""
    return Refusal(404, 2, f"The field {name!r} names no object that exists: {uri!r}")


def wrong_state(message: str) -> Refusal:
    """409, 1: the object's status does not allow it."""
    return Refusal(409, 1, message)


def busy(message: str) -> Refusal:
    """409, 2: the object is busy with another operation."""
    return Refusal(409, 2, message)
