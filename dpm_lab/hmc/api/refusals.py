"""How the HMC says no: HTTP status and reason.

The numbers are those of "Common request validation reason codes" of the HMC's Web Services API, as
far as zhmcclient's source, documents and mock, zhmc-ansible-modules and reports of their users tell
them. Where none of them gives the pair for a case, this table or the place that raises it says
*guessed*; the page ``doc/source/lab-hmc.rst`` lists those.
"""

from __future__ import annotations

from enum import Enum
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


class Reason(Enum):
    """Why a request is refused: status and reason. Called with a message, it is the refusal."""

    BAD_REQUEST = (400, 1)
    NO_BODY = (400, 3)
    BAD_TYPE = (400, 4)
    MISSING = (400, 5)
    UNKNOWN = (400, 6)
    BAD_VALUE = (400, 7)
    NOT_UNIQUE = (400, 8)
    NO_JSON = (400, 9)
    BAD_LENGTH = (400, 11)
    NO_PROPERTY = (400, 14)
    #: python-zhmcclient issue 258
    INCONSISTENT = (400, 15)
    ROLES_ARE_FIXED = (400, 314)

    #: messages of zhmcclient's users have it: "403,0: Login failed"
    LOGON_FAILED = (403, 0)
    NO_PERMISSION = (403, 1)
    #: the two upon which zhmcclient logs on again (``_session.py``)
    NO_SESSION = (403, 4)
    SESSION_IS_OVER = (403, 5)
    USER_IS_DISABLED = (403, 40)
    USER_HAS_NO_API = (403, 41)

    NOT_FOUND = (404, 1)
    REFERENCE_NOT_FOUND = (404, 2)
    JOB_GOES_ON = (404, 4)

    WRONG_STATE = (409, 1)
    BUSY = (409, 2)
    NOT_IN_DPM_MODE = (409, 5)
    WRONG_CPC_STATE = (409, 6)
    #: zhmcclient, ``Job.delete`` and ``Job.cancel``
    JOB_RUNS = (409, 40)
    JOB_HAS_ENDED = (409, 41)
    JOB_IS_ENDING = (409, 42)
    #: guessed; that it is a 409 is clear
    TOO_MANY_PARTITIONS = (409, 102)
    #: these three are guessed
    DEVICE_NUMBER_TAKEN = (409, 113)
    NO_MEMORY = (409, 116)
    NO_PROCESSORS = (409, 117)
    #: tessia-baselib
    CHANNEL_IS_OPEN = (409, 331)
    NO_MESSAGES = (409, 332)
    #: guessed
    CONSOLE_IS_OPEN = (409, 334)
    NO_CANDIDATE = (409, 479)
    #: these two are guessed
    CANDIDATE_IN_USE = (409, 480)
    IS_FULFILLED = (409, 481)
    IS_CANDIDATE = (409, 483)
    #: zhmcclient, ``_cpc.py``; that the status is 409 is guessed
    NO_TARGET = (409, 484)
    NO_LUN = (409, 485)
    #: these are guessed; that the last one fails is known
    GROUP_IS_ATTACHED = (409, 487)
    GROUP_OF_OTHER_CPC = (409, 488)
    GROUP_NOT_SHARED = (409, 489)
    GROUP_NOT_ATTACHED = (409, 490)
    GROUP_IN_USE = (409, 491)

    #: that of a z17, and that of a z16 (`nics`)
    INTERNAL_WITHOUT_REASON = (500, 0)
    INTERNAL = (500, 12)
    NOTHING_LOADED = (500, 263)
    FAULT_OF_LAB = (500, 999)

    def __call__(self, message: str, stack: str | None = None) -> Refusal:
        """Return the refusal for this reason."""
        return Refusal(*self.value, message, stack)


def missing(name: str) -> Refusal:
    """400, 5: a field is missing (zhmcclient.mock)."""
    return Reason.MISSING(f"The request body has no field {name!r}, which is required")


def unknown(name: str) -> Refusal:
    """400, 6: a field is not known or cannot be set (zhmcclient.mock)."""
    return Reason.UNKNOWN(f"The field {name!r} is not known, or cannot be set")


def bad(name: str, value: object, cure: str) -> Refusal:
    """400, 7: a value is out of its range."""
    return Reason.BAD_VALUE(f"The field {name!r} cannot be {value!r}: {cure}")


def not_unique(name: str, value: object, where: str) -> Refusal:
    """400, 8: a name must be unique."""
    return Reason.NOT_UNIQUE(f"The field {name!r} must be unique in {where}; {value!r} is taken")


def inconsistent(message: str) -> Refusal:
    """400, 15: a field does not go with another one (python-zhmcclient issue 258)."""
    return Reason.INCONSISTENT(message)


def not_found(uri: object) -> Refusal:
    """404, 1: the object of the request's URI is unknown."""
    return Reason.NOT_FOUND(f"There is no object {uri}")


def reference_not_found(name: str, uri: object) -> Refusal:
    """404, 2: an object named in the body is unknown (zhmcclient.mock, for adapters)."""
    return Reason.REFERENCE_NOT_FOUND(f"The field {name!r} names no object that exists: {uri!r}")


def wrong_state(message: str) -> Refusal:
    """409, 1: the object's status does not allow it."""
    return Reason.WRONG_STATE(message)


def busy(message: str) -> Refusal:
    """409, 2: the object is busy with another operation."""
    return Reason.BUSY(message)
