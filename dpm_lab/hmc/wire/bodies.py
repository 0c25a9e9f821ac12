"""Bodies of requests: from bytes to what handlers can work with."""

from __future__ import annotations

import json
from typing import Any

from dpm_lab.hmc.api.refusals import Reason

#: No request of the API is deeper than six; what handlers copy and compare recurses.
DEEPEST = 32


def parse(content: bytes) -> Any:
    """Return what a body says, None where there is none.

    Raises:
        Refusal: 400, 9: it is no JSON, too deep, or has text or numbers that nothing else can write
            down: half a surrogate pair, NaN, 1e999.
    """
    if not content:
        return None
    try:
        body = json.loads(content)
        json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise Reason.NO_JSON("The request body is no JSON") from None
    if _is_deeper(body, DEEPEST):
        raise Reason.NO_JSON(f"The request body is deeper than {DEEPEST}")
    return body


def _is_deeper(body: Any, most: int) -> bool:
    level = [body]
    for _ in range(most):
        level = [item for container in level for item in _items(container)]
        if not level:
            return False
    return True


def _items(value: Any) -> list[Any]:
    """Return the containers in a container."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [item for item in items if isinstance(item, (dict, list))]
