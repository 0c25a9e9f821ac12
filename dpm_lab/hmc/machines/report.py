"""What was filled in of somebody else's machine, and what of it is not used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any


class Report:
    """Collects both, and says them in sentences."""

    def __init__(self) -> None:
        self._missing: dict[tuple[str, str], list[Any]] = {}
        self._made: Counter[str] = Counter()
        self._sentences: list[str] = []

    def fill(self, kind: str, properties: dict[str, Any], wanted: Mapping[str, Any]) -> None:
        """Give properties values where they have none."""
        for name, value in wanted.items():
            if name not in properties:
                properties[name] = value
                self._missing.setdefault((kind, name), []).append(value)

    def make(self, kind: str) -> None:
        """Count a resource that was made because there was none."""
        self._made[kind] += 1

    def say(self, sentence: str) -> None:
        """Add a sentence."""
        self._sentences.append(sentence)

    def sentences(self) -> list[str]:
        """Return all, what was filled in first."""
        made = [f"{kind}: {count} made, there were none." for kind, count in self._made.items()]
        return [*made, *self._filled(), *self._sentences]

    def _filled(self) -> list[str]:
        """One sentence for each kind of resource."""
        kinds: dict[str, list[str]] = {}
        for (kind, name), values in self._missing.items():
            times = f" ({len(values)} times)" if len(values) > 1 else ""
            same = all(value == values[0] for value in values)
            value = f" = {values[0]!r}" if same and len(repr(values[0])) < 30 else ""
            kinds.setdefault(kind, []).append(f"{name}{value}{times}")
        return [f"{kind}: filled in {', '.join(names)}." for kind, names in kinds.items()]
