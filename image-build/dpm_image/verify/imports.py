"""Whether what the agent imports is in an image: by the files there, nothing of which is run.

What the image's Python would find is looked up where it would look, and read with this Python's
parser. Left out is what files do not show: an extension module whose code is damaged.
"""

from __future__ import annotations

import ast
import re
import struct
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dpm_image.disk.files import Files
from dpm_image.errors import ImageError

#: Where the agent is.
AGENT = "usr/lib/dpm-guest"

_PYTHON = "usr/bin/python3"
_VERSION = re.compile(r"python(3\.\d+)$")
_PYUDEV = re.compile(r"/pyudev-([\w.]+?)(?:-py[\d.]+)?\.(?:dist|egg)-info/")

#: Where an ELF file begins, 64 bits and big endian, and where it names the machine.
_ELF, _MACHINE_AT, _S390 = b"\x7fELF\2\2", 18, 22

#: Without these Python does not start.
_START = ("encodings", "codecs", "io", "os", "site")

#: pyudev calls a library in C, by an extension module that is always a file.
_UDEV = ("usr/lib64/libudev.so.1", "usr/lib/libudev.so.1", "usr/lib/*/libudev.so.1")

#: The largest module that is read. The standard library's largest has a fifth of it.
_MODULE = 2**20
_PROGRAM = 2**28


class ImportsError(ImageError):
    """Something that the agent imports is missing or damaged."""


@dataclass(frozen=True)
class Python:
    """The Python of an image."""

    version: str
    #: Where it looks for modules.
    folders: tuple[str, ...]


def check(tree: Files) -> str:
    """Return the versions of Python and pyudev.

    Raises:
        ImportsError: one is missing.
    """
    python = find_python(tree)
    modules = (name.rpartition("/")[2] for name in tree.matching(f"{AGENT}/dpm_guest/*.py"))
    agent = [f"dpm_guest.{name.removesuffix('.py')}" for name in modules]
    _follow(tree, python, ("dpm_guest", "pyudev", *agent, *_START))
    if not any(tree.matching(f"{folder}/_ctypes.*so") for folder in python.folders):
        raise ImportsError("No module named '_ctypes', which pyudev needs")
    if not any(tree.is_file(name) for name in tree.matching(*_UDEV)):
        raise ImportsError("libudev.so.1 is missing, which pyudev needs")
    return f"Python {python.version}, pyudev {_version(tree, python)}"


def find_python(tree: Files) -> Python:
    """Return the Python that ``python3`` is."""
    path = tree.path(_PYTHON)
    match = _VERSION.search(path.name)
    status = tree.status(_PYTHON)
    if match is None or status is None or not status.st_mode & 0o111:
        raise ImportsError(f"/{_PYTHON} is missing, or not a program of a version")
    with tree.open(_PYTHON, _PROGRAM) as stream:
        start = stream.read(64)
    if not start.startswith(_ELF) or struct.unpack_from(">H", start, _MACHINE_AT) != (_S390,):
        raise ImportsError(f"/{_PYTHON} is no program for s390x")
    homes = [
        f"{lib}/python{match[1]}"
        for lib in ("usr/lib", "usr/lib64", "usr/local/lib", "usr/local/lib64")
    ]
    below = ("", "/lib-dynload", "/site-packages", "/dist-packages")
    folders = [f"{home}{folder}" for home in homes for folder in below]
    return Python(match[1], (AGENT, *folders, "usr/lib/python3/dist-packages"))


def _follow(tree: Files, python: Python, names: Iterable[str]) -> None:
    """Look for modules, and for all that they import, but for what the standard library does."""
    waiting, seen = [(name, "the agent") for name in names], set[str]()
    while waiting:
        name, by = waiting.pop()
        top = name.partition(".")[0]
        standard = top in sys.stdlib_module_names
        name = top if standard else name
        if name in seen:
            continue
        seen.add(name)
        file = _file(tree, python, name)
        if file is None:
            if standard and _compiled_in(name):
                continue
            raise ImportsError(f"No module named {name!r}, which {by} imports")
        waiting += [(parent, by) for parent in [name.rpartition(".")[0]] if parent]
        if file.endswith(".py") and not standard:
            for imported, of_it in _imports(tree, name, file):
                waiting.append((imported, file))
                # What comes out of a package is a module of it, or a name in its __init__.
                inside = (f"{imported}.{one}" for one in of_it)
                waiting += [(one, file) for one in inside if _file(tree, python, one)]


def _file(tree: Files, python: Python, name: str) -> str | None:
    """Return the file of a module; its package's, where it is one."""
    path = name.replace(".", "/")
    for folder in python.folders:
        for ending in ("/__init__.py", ".py"):
            if tree.is_file(f"{folder}/{path}{ending}"):
                return f"/{folder}/{path}{ending}"
        if found := tree.matching(f"{folder}/{path}.*so"):
            return found[0]
    return None


def _compiled_in(name: str) -> bool:
    # The standard library's modules in C are files, or a part of the program: that differs from
    # one distribution to the next. Those in Python are files.
    here = Path(sysconfig.get_path("stdlib"), name)
    is_python = here.with_suffix(".py").exists() or here.is_dir()
    return not is_python


def _imports(tree: Files, name: str, file: str) -> list[tuple[str, list[str]]]:
    """Return the modules that a module imports as it is imported itself, and what out of them."""
    try:
        parsed = ast.parse(tree.content(file, _MODULE), file)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ImportsError(f"{file}: {error}") from error
    # The agent's functions import what only they need. Elsewhere that, and what is in a condition
    # or a try, may well be missing.
    nodes = _running(parsed) if file.startswith(f"/{AGENT}/") else parsed.body
    package = name.split(".") if file.endswith("/__init__.py") else name.split(".")[:-1]
    found: list[tuple[str, list[str]]] = []
    for node in nodes:
        if isinstance(node, ast.Import):
            found += [(alias.name, []) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *filter(None, [node.module])])
            found.append((module, [alias.name for alias in node.names]))
    return found


def _running(module: ast.Module) -> Iterator[ast.AST]:
    """Yield all that is in a module but for what only a checker of types looks at."""
    waiting: list[ast.AST] = [module]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting += node.orelse
        else:
            waiting += ast.iter_child_nodes(node)


def _version(tree: Files, python: Python) -> str:
    for folder in python.folders:
        for name in tree.matching(f"{folder}/pyudev-*-info/*"):
            if match := _PYUDEV.search(name):
                return match[1]
    return "of an unknown version"
