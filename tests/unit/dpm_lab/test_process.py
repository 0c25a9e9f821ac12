"""Programs that are run to their end."""

from __future__ import annotations

from pathlib import Path

import pytest

from dpm_lab.process import Answer, CommandError, ask, run, search_path


def test_administrators_folders_are_searched_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/sbin")

    assert search_path() == "/usr/bin:/sbin:/usr/local/sbin:/usr/sbin"


def test_output_errors_and_exit_status_come_apart() -> None:
    answer = ask(["sh", "-c", "cat; echo wrong >&2; exit 3"], given="text\n")

    assert answer == Answer(3, "text\n", "wrong")


def test_a_program_that_fails_is_an_error_with_command_status_and_last_words() -> None:
    script = "for i in $(seq 20); do echo line $i; done; echo why >&2; exit 4"

    with pytest.raises(CommandError) as caught:
        run(["sh", "-c", script], "try again")

    error = caught.value
    assert error.command == ["sh", "-c", script]
    assert error.answer is not None
    assert (error.answer.code, error.answer.errors) == (4, "why")
    assert str(error).startswith("sh ended with 4: line 10\n")
    assert str(error).endswith("\nwhy\ntry again")


def test_a_program_that_is_missing_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")

    with pytest.raises(CommandError, match=f"no program {missing};") as caught:
        ask([missing])

    assert caught.value.answer is None


def test_a_program_is_looked_for_in_the_path_that_is_given(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no program ls"):
        ask(["ls"], path=str(tmp_path))
