"""Which boot entry has the newest kernel: versions compared as rpm does it, and EL's zipl.

``tests/data/boot-entries.json`` has the cases; the hooks' own program (``zipl-dpm-newest`` of the
element zipl-dpm) is held to the same ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cmp_to_key
from itertools import zip_longest
from pathlib import PurePath

_SUFFIX = ".conf"

#: kernel-install names an entry by a machine's id and the kernel's version.
_MACHINE_ID = re.compile(r"([0-9a-f]{32})-(.+)")

#: What rpm compares one after the other; all else only separates (rpmio/rpmvercmp.c).
_SEGMENT = re.compile(r"[0-9]+|[a-zA-Z]+|~|\^", re.ASCII)


def compare(one: str, two: str) -> int:
    """Return -1 where version `one` is older than `two`, 1 where it is newer, as rpm has it."""
    for pair in zip_longest(_SEGMENT.findall(one), _SEGMENT.findall(two)):
        first, second = map(_rank, pair)
        if first != second:
            return -1 if first < second else 1
    return 0


def _rank(segment: str | None) -> tuple[int, int, str]:
    # A tilde is older than the end of a version; a caret is newer than that and older than the
    # rest; a number is newer than a word, and the longer number is the larger one.
    if segment is None:
        return (1, 0, "")
    if segment in "~^":
        return (0 if segment == "~" else 2, 0, "")
    if segment.isdigit():
        digits = segment.lstrip("0")
        return (4, len(digits), digits)
    return (3, 0, segment)


def newest(names: Iterable[str]) -> str | None:
    """Return the entry (by file name) with the newest kernel; a rescue entry never is."""
    found = [name for name in names if name.endswith(_SUFFIX) and "rescue" not in name]
    return max(found, key=cmp_to_key(_by_version), default=None)


def in_zipls_order(names: Iterable[str]) -> list[str]:
    """Return the entries in the order of the menu of EL's zipl; the first one boots by default."""
    found = [name for name in names if name.endswith(_SUFFIX)]
    return sorted(found, key=cmp_to_key(_as_packages), reverse=True)


def machine_id(name: str) -> str:
    """Return the machine's id that an entry is named by, empty where it is by none."""
    match = _MACHINE_ID.fullmatch(PurePath(name).name)
    return match[1] if match else ""


def _by_version(one: str, two: str) -> int:
    versions = []
    for name in (one, two):
        stem = _stem(name)
        match = _MACHINE_ID.fullmatch(stem)
        # What is before the version's own dash: nothing, but for packages of other names.
        versions.append(["", "", *(match[2] if match else stem).rsplit("-", 2)][-3:])
    return _compared(*versions) or compare(machine_id(one), machine_id(two))


def _as_packages(one: str, two: str) -> int:
    """Compare file names like packages' names, the machine's id being the name.

    As in ``s390-tools-zipl-blscfg-rpm-nvr-sort.patch`` of s390utils (split_package_string).
    """
    return _compared(*([*_stem(name).rsplit("-", 2), "", ""][:3] for name in (one, two)))


def _stem(name: str) -> str:
    return PurePath(name).name.removesuffix(_SUFFIX)


def _compared(one: Sequence[str], two: Sequence[str]) -> int:
    orders = (compare(first, second) for first, second in zip(one, two, strict=True))
    return next((order for order in orders if order), 0)
