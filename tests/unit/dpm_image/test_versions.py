"""Which boot entry has the newest kernel: the table that the hooks' own program is held to, too."""

from __future__ import annotations

import json
import subprocess
from itertools import permutations, product
from pathlib import Path
from typing import Any

import pytest

from dpm_image.disk.versions import compare, in_zipls_order, newest

CASES = json.loads((Path(__file__).parents[2] / "data/boot-entries.json").read_text())

_BY_NAME = [pytest.param(case, id=case["name"]) for case in CASES]


@pytest.mark.parametrize("case", _BY_NAME)
def test_the_newest_kernel_is_the_tables(case: dict[str, Any]) -> None:
    for names in permutations(case["entries"]):
        assert newest(names) == case["newest"]


@pytest.mark.parametrize("case", _BY_NAME)
def test_the_folder_of_the_entries_decides_nothing(case: dict[str, Any]) -> None:
    folder = "/boot/loader/entries/"

    for names in permutations(case["entries"]):
        found = newest([folder + name for name in names])
        assert (found and found.removeprefix(folder)) == case["newest"]


@pytest.mark.parametrize("case", _BY_NAME)
def test_zipls_first_entry_is_the_tables(case: dict[str, Any]) -> None:
    for names in permutations(case["entries"]):
        assert [*in_zipls_order(names), None][0] == case["zipl"]


VERSIONS = (
    *("1.0~rc1", "1.0", "1.0^git1", "1.0.1", "1.0a", "1.0.a", "1.00", "1_0", "1.010", "1.9", "2"),
    *("a", "~", "^", "1.0~", "1.0^", "1.0~~", "5.14.0", "70.13.1.el9_0", "570.12.1.el9_6", "0"),
    *("1.0~^", "1.0^~", "A", "é", "1é0", "00", "0a", "a0", "el9", "el10", "s390x", "s390x+debug"),
)


_VERCMP = """%{{lua:
local versions = {{{versions}}}
for _, one in ipairs(versions) do
    for _, two in ipairs(versions) do print(rpm.vercmp(one, two), "") end
end
}}"""


def test_versions_are_compared_as_rpm_compares_them() -> None:
    script = _VERCMP.format(versions=", ".join(f'"{version}"' for version in VERSIONS))
    answer = subprocess.run(["rpm", "--eval", script], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr[-500:]
    pairs = list(product(VERSIONS, repeat=2))

    ours = {pair: compare(*pair) for pair in pairs}

    assert ours == dict(zip(pairs, map(int, answer.stdout.split()), strict=True))
