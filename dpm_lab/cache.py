"""What is slow to make is kept, under a name made from its inputs."""

from __future__ import annotations

import ast
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_KEY_LENGTH = 12


def folder(*names: str) -> Path:
    """The path of something in the cache, or of the cache itself, whether it is there or not."""
    top = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return top.joinpath("nova-dpm", *names)


def key(*parts: str | bytes) -> str:
    """A short key of parts: the same parts, the same key."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(b"%d\n" % len(data) + data)
    return total.hexdigest()[:_KEY_LENGTH]


def program(file: str) -> str:
    """What a Python file does, for a key: a comment or a moved import makes nothing anew."""
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    imports = (ast.Import, ast.ImportFrom)
    tree.body = [statement for statement in tree.body if not isinstance(statement, imports)]
    return ast.dump(tree)


@contextmanager
def made_once(path: Path, *, instead_of: str = "") -> Iterator[Path | None]:
    """Give a new folder to fill, which becomes `path`; None where `path` is there already.

    Of several processes one fills it and the others wait. A failure leaves nothing.

    Args:
        instead_of: a pattern of names beside it, whose folders go when this one is made: what was
            made of other inputs
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{path}.lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.is_dir():
            yield None
            return
        new = Path(f"{path}.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        try:
            yield new
            new.rename(path)
        finally:
            shutil.rmtree(new, ignore_errors=True)
        for old in path.parent.glob(instead_of) if instead_of else ():
            if old.is_dir() and old != path and not old.name.endswith(".new"):
                shutil.rmtree(old)
