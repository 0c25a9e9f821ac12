"""Running programs that end by themselves."""

from __future__ import annotations

import os
import subprocess

from dpm_lab.errors import ToolError


def run(command: list[str], hint: str) -> str:
    """Run a program to its end and return what it printed.

    Raises:
        ToolError: it is missing or failed.
    """
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin:/usr/sbin:/sbin"])
    try:
        answer = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PATH": path, "LC_ALL": "C.UTF-8"},
        )
    except FileNotFoundError as error:
        raise ToolError(f"no program {command[0]}; 'make setup' installs it") from error
    if answer.returncode:
        said = "\n".join((answer.stdout + answer.stderr).splitlines()[-12:])
        raise ToolError(f"{command[0]} ended with {answer.returncode}: {said}\n{hint}")
    return answer.stdout
