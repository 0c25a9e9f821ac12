"""Which of Tempest's tests run, and why others do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from dpm_lab.cloud.tempest.selection import FILE, Selection
from dpm_lab.errors import UsageError

_YAML = r"""
groups:
  servers: {about: servers, tests: ['^tempest\.servers\.']}
  ports: {about: ports, tests: ['\.ports\.', test_port]}
  smoke: {about: a few, extra: true, tests: ['test_boot\[', objects]}
exclude:
  - {why: it has no screen, tests: ['test_console']}
"""
_TESTS = (
    "tempest.servers.A.test_boot[id-1]",
    "tempest.servers.A.test_port[id-2]",
    "tempest.servers.A.test_console[id-3]",
    "tempest.ports.B.test_plug[id-4]",
    "tempest.objects.C.test_boot_not[id-5]",
)
BOOT, PORT, CONSOLE, PLUG, OTHER = _TESTS


@pytest.fixture
def selection(tmp_path: Path) -> Selection:
    """Return a small one."""
    file = tmp_path / "selection.yaml"
    file.write_text(_YAML, encoding="utf-8")
    return Selection.load(file)


def test_each_test_runs_once_in_the_first_group_that_has_it(selection: Selection) -> None:
    chosen = selection.choose(_TESTS)

    assert chosen.selected == {"servers": [BOOT, PORT], "ports": [PLUG]}
    assert chosen.excluded == {CONSOLE: "it has no screen"}


def test_a_group_that_is_asked_for_has_all_of_its_tests(selection: Selection) -> None:
    assert selection.choose(_TESTS, ["ports"]).tests == [PORT, PLUG]
    assert selection.choose(_TESTS, ["smoke"]).selected == {"smoke": [BOOT, OTHER]}


def test_an_expression_chooses_among_the_tests_of_groups(selection: Selection) -> None:
    chosen = selection.choose(_TESTS, ["test_boot|test_console"])

    assert chosen.selected == {"servers": [BOOT]}
    assert chosen.excluded == {CONSOLE: "it has no screen"}


def test_a_group_and_an_expression_choose_what_either_has(selection: Selection) -> None:
    assert selection.choose(_TESTS, ["smoke", "plug"]).tests == [BOOT, OTHER, PLUG]


@pytest.mark.parametrize("asked", ["objects.C", "test_boot_not", "nothing"])
def test_what_no_group_has_is_refused_with_the_groups(selection: Selection, asked: str) -> None:
    with pytest.raises(UsageError, match=r"is no group \(servers, ports, smoke\)"):
        selection.choose(_TESTS, [asked])


def test_what_is_no_expression_is_refused(selection: Selection) -> None:
    with pytest.raises(UsageError, match=r"'\(' is no regular expression"):
        selection.choose(_TESTS, ["("])


def test_what_is_in_the_repository_says_what_and_why() -> None:
    found = Selection.load(FILE)

    assert [each.name for each in found.groups if each.is_extra] == ["smoke"]
    assert all(each.about and each.patterns for each in found.groups)
    assert all(len(each.why) > 20 and each.patterns for each in found.exclusions)
