"""Running programs that end by themselves: the one door to them, for ``dpm_image`` too."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dpm_lab.errors import ToolError

#: Of what a program that failed has said, so many lines are shown.
_SHOWN = 12


@dataclass(frozen=True)
class Answer:
    """What became of a program.

    Attributes:
        code: its exit status
        output: what it wrote to standard output
        errors: what it wrote to standard error
    """

    code: int
    output: str
    errors: str


class CommandError(ToolError):
    """A program is missing or failed.

    Attributes:
        command: its words
        answer: what became of it, None where it is missing
    """

    def __init__(self, text: str, command: Sequence[str], answer: Answer | None = None) -> None:
        super().__init__(text)
        self.command = command
        self.answer = answer


def search_path() -> str:
    """Return PATH with the folders of administrators' commands, which few users have in theirs."""
    path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    wanted = ("/usr/local/sbin", "/usr/sbin", "/sbin")
    return os.pathsep.join([*path, *(folder for folder in wanted if folder not in path)])


def as_root(command: Sequence[str]) -> list[str]:
    """Return `command` in a form that runs as root."""
    return [*command] if os.geteuid() == 0 else ["sudo", *command]


def ask(
    command: Sequence[str | Path],
    *,
    given: str = "",
    environment: Mapping[str, str] | None = None,
    path: str | None = None,
    folder: Path | None = None,
) -> Answer:
    """Run a program to its end, whatever that is.

    Args:
        given: its standard input
        environment: default: this process', with the locale C.UTF-8
        path: where programs are looked for (default: `search_path`)
        folder: its working directory (default: this process')

    Raises:
        CommandError: there is no such program.
    """
    words = [str(word) for word in command]
    own = {**os.environ, "LC_ALL": "C.UTF-8"} if environment is None else environment
    try:
        done = subprocess.run(
            words,
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            input=given,
            env={**own, "PATH": search_path() if path is None else path},
            cwd=folder,
        )
    except FileNotFoundError as error:
        raise CommandError(f"no program {words[0]}; 'make setup' installs it", words) from error
    return Answer(done.returncode, done.stdout, done.stderr.strip())


def wait_or_kill(process: subprocess.Popen[Any], seconds: float) -> None:
    """Wait for a process that was told to end, and kill it where it does not within `seconds`."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def run(command: Sequence[str | Path], hint: str = "", *, given: str = "") -> str:
    """Run a program that must succeed and return what it printed.

    Args:
        hint: what to do where it failed

    Raises:
        CommandError: it is missing or failed.
    """
    answer = ask(command, given=given)
    if answer.code:
        said = "\n".join((answer.output + answer.errors).splitlines()[-_SHOWN:])
        words = [str(word) for word in command]
        text = f"{words[0]} ended with {answer.code}: {said}"
        raise CommandError(f"{text}\n{hint}" if hint else text, words, answer)
    return answer.output
