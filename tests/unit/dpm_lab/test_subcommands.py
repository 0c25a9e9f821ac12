"""Programs of subcommands: what they say when something is missing or wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dpm_lab.subcommands import Program

_MODULE = """
import os

from dpm_lab.errors import LabError, UsageError


def add_parser(subparsers):
    subparsers.add_parser("try").add_argument("what")


def run(args):
    if args.what == "fail":
        raise LabError("it failed \\x1b[2J")
    if args.what == "misuse":
        raise UsageError("it makes no sense")
    if args.what == "full":
        raise OSError(28, "No space left on device", "/a/file")
    return int(args.what)
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    (tmp_path / "part_of_a_program.py").write_text(_MODULE)
    (tmp_path / "part_that_lacks.py").write_text("import no_such_library.inside\n")
    monkeypatch.syspath_prepend(tmp_path)
    modules = {"try": "part_of_a_program", "other": "part_that_lacks"}
    return Program("program", "some", "It tries.", modules)


@pytest.mark.parametrize(
    ("what", "status", "said"),
    [
        ("0", 0, ""),
        ("7", 7, ""),
        ("fail", 1, "program try: it failed \\x1b[2J\n"),
        ("misuse", 2, "program try: it makes no sense\n"),
        ("full", 1, "program try: /a/file: No space left on device\n"),
    ],
)
def test_an_error_is_a_sentence_and_an_exit_status(
    program: Program, what: str, status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main(["try", what]) == status

    assert capsys.readouterr().err == said


def test_a_subcommand_that_lacks_a_library_says_what_to_install(
    program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main(["other", "--whatever", "it gets"]) == 1

    assert capsys.readouterr().err == (
        "program other: needs no_such_library, which is not installed: "
        "pip install 'nova-dpm[some]'\n"
    )


def test_a_module_of_ours_that_is_missing_is_our_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "broken_part.py").write_text("import dpm_lab.no_such_module\n")
    sys.modules.pop("broken_part", None)

    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        Program("program", "some", "", {"try": "broken_part"}).main(["try"])
