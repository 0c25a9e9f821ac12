"""Which of Tempest's tests apply to a host of this driver: `selection.yaml`, read and applied."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dpm_lab.errors import UsageError

FILE = Path(__file__).with_name("selection.yaml")


@dataclass(frozen=True)
class Group:
    """Tests that are about one thing.

    Attributes:
        patterns: of the names of its tests
        is_extra: its tests are in other groups, too; it runs only where it is asked for
    """

    name: str
    about: str
    patterns: tuple[re.Pattern[str], ...]
    is_extra: bool = False

    def has(self, test: str) -> bool:
        """Whether a test is of this group."""
        return any(each.search(test) for each in self.patterns)


@dataclass(frozen=True)
class Exclusion:
    """Tests that do not apply, and why."""

    why: str
    patterns: tuple[re.Pattern[str], ...]

    def has(self, test: str) -> bool:
        """Whether a test is excluded."""
        return any(each.search(test) for each in self.patterns)


@dataclass(frozen=True)
class Chosen:
    """What is to run.

    Attributes:
        selected: the tests of each group, each test once
        excluded: why each other test of these groups does not run
    """

    selected: Mapping[str, Sequence[str]]
    excluded: Mapping[str, str]

    @property
    def tests(self) -> list[str]:
        """All that run."""
        return [test for tests in self.selected.values() for test in tests]


@dataclass(frozen=True)
class Selection:
    """The groups and the exclusions."""

    groups: tuple[Group, ...]
    exclusions: tuple[Exclusion, ...]

    @classmethod
    def load(cls, file: Path = FILE) -> Selection:
        """Read it."""
        data: Mapping[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
        groups = tuple(
            Group(name, each["about"], _patterns(each["tests"]), bool(each.get("extra")))
            for name, each in data["groups"].items()
        )
        exclusions = tuple(
            Exclusion(each["why"], _patterns(each["tests"])) for each in data["exclude"]
        )
        return cls(groups, exclusions)

    def choose(self, tests: Iterable[str], asked: Sequence[str] = ()) -> Chosen:
        """Return what of all tests is to run.

        Args:
            tests: the names of all tests that there are
            asked: names of groups, or regular expressions of tests in them; nothing: all groups

        Raises:
            UsageError: what is asked for is neither a group nor an expression that a test fits.
        """
        by_name = {each.name: each for each in self.groups}
        named = [by_name[word] for word in asked if word in by_name]
        patterns = _patterns(word for word in asked if word not in by_name)
        usual = [each for each in self.groups if not each.is_extra]
        found: dict[str, list[str]] = {}
        excluded: dict[str, str] = {}
        left = dict.fromkeys(tests)
        fitted: set[re.Pattern[str]] = set()
        for group in [*named, *(usual if patterns or not named else ())]:
            for test in [each for each in left if group.has(each)]:
                fits = {each for each in patterns if each.search(test)}
                fitted |= fits
                if patterns and group not in named and not fits:
                    continue
                del left[test]
                why = next((each.why for each in self.exclusions if each.has(test)), None)
                if why is None:
                    found.setdefault(group.name, []).append(test)
                else:
                    excluded[test] = why
        for pattern in patterns:
            if pattern not in fitted:
                names = ", ".join(by_name)
                raise UsageError(
                    f"{pattern.pattern!r} is no group ({names}), and no test of them has it in its"
                    " name"
                )
        return Chosen(found, excluded)


def _patterns(words: Iterable[str]) -> tuple[re.Pattern[str], ...]:
    try:
        return tuple(re.compile(word) for word in words)
    except re.error as error:
        raise UsageError(f"{error.pattern!r} is no regular expression: {error}") from error
