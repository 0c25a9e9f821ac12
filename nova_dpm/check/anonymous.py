"""Answers of an HMC without what is its owner's business: names, addresses, serial numbers, ids.

What stays is what says how the HMC behaves: which properties there are, of which type, and values
that are words of the API (``active``, ``fcp``, ``2.16.0``). All else becomes a word that says its
kind, and is the same for the same value, so that one can still see what belongs together.
"""

from __future__ import annotations

import re
from typing import Any

_KEPT = frozenset(
    {
        "class",
        "type",
        "status",
        "state",
        "adapter-family",
        "detected-card-type",
        "usage",
        "fulfillment-state",
        "boot-device",
        "processor-mode",
        "se-version",
        "hmc-version",
        "machine-type",
        "card-type",
        "acceptable-status",
        "vlan-type",
        "connectivity",
        "physical-channel-status",
        "channel-path-id-status",
        "permitted-object",
        "permitted-object-type",
    }
)
"""Properties whose text is a word of the API. Of all others only their kind is shown."""

_KEPT_IN = frozenset({("tasks", "name")})
"""A list, and a property of its items that is a word of the API, too."""

_SECRET = re.compile("password|secret|key|credential|session|serial", re.IGNORECASE)
_WORD = re.compile(r"[a-z0-9][a-z0-9 .+-]{0,60}", re.ASCII | re.IGNORECASE)
_URI = re.compile(r"/api/[^?]*")
_KINDS = (
    ("id", re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)),
    ("mac", re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", re.IGNORECASE)),
    ("wwpn-or-lun", re.compile(r"(0x)?[0-9a-f]{16}", re.IGNORECASE)),
    ("devno", re.compile(r"[0-9a-f]{4}", re.IGNORECASE)),
    ("number", re.compile(r"[0-9]+")),
)
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}", re.IGNORECASE)


class Anonymous:
    """Replaces values, each by the same word wherever it comes again."""

    def __init__(self) -> None:
        self._words: dict[tuple[str, str], str] = {}

    def answer(self, value: Any, name: str = "") -> Any:
        """Return an answer, or a part of it that is the value of the property `name`."""
        if isinstance(value, dict):
            return {
                str(key): each
                if (name, key) in _KEPT_IN and isinstance(each, str) and _WORD.fullmatch(each)
                else self.answer(each, str(key))
                for key, each in value.items()
            }
        if isinstance(value, list):
            return [self.answer(each, name) for each in value]
        if isinstance(value, str):
            return self._text(value, name)
        if _SECRET.search(name) and value not in (None, True, False):
            return "..."
        return value

    def uri(self, uri: str) -> str:
        """Return a URI whose ids are replaced."""
        return _ID.sub(lambda found: self._word("id", found.group().lower()), uri)

    def _text(self, value: str, name: str) -> str:
        if not value:
            return value
        if _SECRET.search(name):
            return "..."
        if name in _KEPT and _WORD.fullmatch(value):
            return value
        if _URI.fullmatch(value):
            return self.uri(value)
        for kind, pattern in _KINDS:
            if pattern.fullmatch(value):
                return self._word(kind, value.lower())
        return f"{self._word('text', value)} ({len(value)} characters)"

    def _word(self, kind: str, value: str) -> str:
        found = self._words.get((kind, value))
        if found is None:
            number = sum(known == kind for known, _ in self._words) + 1
            found = self._words[kind, value] = f"{kind}-{number}"
        return found
