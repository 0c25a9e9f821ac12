"""Whoever follows the README has every program that this project calls by name.

A program belongs to a package of ``tools/debian-packages.txt``, to Debian's essential set, or to
the virtual environment. Looked at is what runs on the machine of whoever builds and tests: Python,
and shell outside of images. What hooks call inside an image comes from the image's own packages.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

TOP = Path(__file__).parents[2]

#: What a minimal Debian 12 has, and what the README asks for.
ASSUMED = {"apt", "dpkg", "git", "make"}

#: Folders of elements whose hooks run outside of the image (diskimage-builder's manual).
OUTSIDE = {"root.d", "extra-data.d", "block-device.d", "cleanup.d", "environment.d", "bin"}

#: Programs that run another one, which is named after options and assignments.
PREFIXES = {"env", "exec", "command", "nohup", "sudo", "quietly", "as_root", "run"}

#: What is called by name on another machine, or has no need to be there, and why.
ELSEWHERE = {
    "awk": "of mawk or gawk: base-files, which is essential, needs one of them",
    "bats_require_minimum_version": "a function of bats",
    "get_image_element_array": "a function of diskimage-builder",
    "update-ca-trust": "in an image: rhel-dpm-rhsm is run there",
    "zipl": "in an image: zipl-dpm-run is run there",
}

_NAME = re.compile(r"[a-z][a-z0-9._+-]*[a-z0-9]")
_DOORS = {"run", "_run", "_try", "as_root", "_root_command", "ask"}
_MODULES = {"subprocess", "shutil"}
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _files() -> list[str]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(command, cwd=TOP, check=True, capture_output=True, text=True)
    return [name for name in files.stdout.splitlines() if (TOP / name).is_file()]


def python_calls(text: str) -> Iterator[str]:
    """The programs that Python code runs: first words of what goes through a door, or is a command.

    What is run by something's method, ``guest.run(["ip"])``, is run elsewhere; a module's own
    ``run`` runs a command of ours.
    """
    tree = ast.parse(text)
    own = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)} & {"run"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _is_door(node.func, own):
            # What a door is given first may be where to look for the program.
            for argument in [one for one in node.args if not isinstance(one, ast.Name)][:1]:
                yield from _first_word(argument)
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.List)
            and any(
                isinstance(target, ast.Name) and "command" in target.id for target in node.targets
            )
        ):
            yield from _first_word(node.value)
        if isinstance(node, ast.FunctionDef) and "command" in node.name:
            for inner in ast.walk(node):
                if isinstance(inner, ast.Return) and isinstance(inner.value, ast.List):
                    yield from _first_word(inner.value)


def _is_door(function: ast.expr, own: set[str]) -> bool:
    if isinstance(function, ast.Attribute):
        return isinstance(function.value, ast.Name) and function.value.id in _MODULES
    return isinstance(function, ast.Name) and function.id in _DOORS - own


def _first_word(value: ast.expr) -> Iterator[str]:
    if isinstance(value, ast.List | ast.Tuple) and value.elts:
        value = value.elts[0]
    if (
        isinstance(value, ast.Constant)
        and isinstance(value.value, str)
        and _NAME.fullmatch(value.value)
    ):
        yield value.value


def shell_calls(text: str, dialect: str = "bash") -> set[str]:
    """The programs that a shell script runs, but for builtins and its own functions."""
    command = ["shfmt", "--to-json", "-ln", dialect]
    parsed = subprocess.run(command, input=text, check=True, capture_output=True, text=True)
    called, functions = set[str](), set[str]()
    waiting: list[Any] = [json.loads(parsed.stdout)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            waiting += node.values()
            if node.get("Type") == "CallExpr":
                called |= set(_words([_literal(word) for word in node.get("Args") or ()]))
            elif node.get("Type") == "FuncDecl":
                functions.add(node["Name"]["Value"])
    return called - functions - _builtins()


def _literal(word: dict[str, Any]) -> str | None:
    parts = word["Parts"]
    return parts[0]["Value"] if len(parts) == 1 and parts[0]["Type"] == "Lit" else None


def _words(words: list[str | None]) -> Iterator[str]:
    for word in words:
        if word is None:
            return
        if word.startswith("-") or "=" in word:
            continue
        if _NAME.fullmatch(word):
            yield word
        if word not in PREFIXES:
            return


@cache
def _builtins() -> frozenset[str]:
    command = ["bash", "-c", "compgen -b; compgen -k"]
    words = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return frozenset(words) | {"run", "load", "setup", "teardown", "skip", "local"}


@cache
def calls() -> dict[str, set[str]]:
    """All programs that are called by name, with the files that do."""
    found = defaultdict[str, set[str]](set)
    for name in _files():
        path = TOP / name
        if name.endswith(".py"):
            for program in python_calls(path.read_text(encoding="utf-8")):
                found[program].add(name)
        elif dialect := _dialect(path):
            for program in shell_calls(path.read_text(encoding="utf-8"), dialect):
                found[program].add(name)
    return found


def _dialect(path: Path) -> str | None:
    parts = path.relative_to(TOP).parts
    if parts[0] == "elements" and not (len(parts) > 2 and parts[2] in OUTSIDE):
        return None
    if parts[0] in ("doc", "releasenotes", "dpm_lab", "systemd", "udev"):
        return None
    with path.open("rb") as stream:
        first = stream.readline()
    if path.suffix == ".bats" or b"bats" in first:
        return "bats"
    if "environment.d" in parts or re.match(rb"#!.*\bbash\b", first):
        return "bash"
    return "posix" if re.match(rb"#!.*\bsh\b", first) else None


def _listed() -> set[str]:
    text = (TOP / "tools/debian-packages.txt").read_text(encoding="utf-8")
    return {line.split("#")[0].strip() for line in text.splitlines()} - {""}


def owners(programs: Iterable[str]) -> dict[str, str]:
    """The Debian packages that have programs; one that this machine does not have is left out."""
    paths = defaultdict[str, list[str]](list)
    for program in programs:
        if path := shutil.which(program, path=_PATH):
            # Which of the names a package was made with, since /bin and /usr/bin are one?
            for name in (path, os.path.realpath(path)):
                plain = name.removeprefix("/usr")
                paths[program] += [plain, f"/usr{plain}"]
    command = ["dpkg-query", "--search", *(name for names in paths.values() for name in names)]
    said = subprocess.run(command, check=False, capture_output=True, text=True).stdout
    lines = [line for line in said.splitlines() if not line.startswith("diversion ")]
    packages = {path: package for package, _, path in (line.partition(": ") for line in lines)}
    return {
        program: next(packages[name] for name in names if name in packages)
        for program, names in paths.items()
        if not packages.keys().isdisjoint(names)
    }


def _essential() -> set[str]:
    command = ["dpkg-query", "--show", "--showformat=${Essential} ${Package}\n"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {line.removeprefix("yes ") for line in said.splitlines() if line.startswith("yes ")}


def test_a_program_that_is_called_by_name_is_installed_by_the_lists() -> None:
    environment = TOP / ".venv/bin"
    programs = [one for one in calls() if not (one in ELSEWHERE or (environment / one).exists())]
    installed = _listed() | ASSUMED | _essential()

    found = owners(programs)

    wrong = [
        f"{program}, called in {', '.join(sorted(calls()[program]))}: "
        + (f"of {found[program]}" if program in found else "no package here has it")
        for program in sorted(programs)
        if found.get(program) not in installed
    ]
    assert not wrong, "tools/debian-packages.txt lists no package of: " + "; ".join(wrong)


def test_what_a_build_asks_for_is_in_the_list() -> None:
    from dpm_image.build import host

    packages = {*host.TOOLS.values()}.union(*(one.values() for one in host.BASE_TOOLS.values()))

    assert packages - _listed() == set()


def test_the_calls_and_the_owners_are_found() -> None:
    """So that the test of all of them cannot pass by finding none."""
    python = "subprocess.run(['ls', x]); command = ['du']; guest.run(['ip']); _run(path, 'rm')"
    shell = 'f() { sudo -n sort; }; f | wc -l && X=1 env A=b df "$x"; "$y" z; echo $(uniq)'

    assert set(python_calls(python)) == {"ls", "du", "rm"}
    assert shell_calls(shell) == {"sudo", "sort", "wc", "env", "df", "uniq"}
    assert {"qemu-img", "sfdisk", "kpartx", "mmdebstrap", "update-binfmts"} <= calls().keys()
    assert owners(["ls", "no-such-program"]) == {"ls": "coreutils"}
