"""What an image is made from, as a short key: the same inputs, the same key, the same image."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from dpm_lab.process import run

_IGNORED = ("*.pyc", "*.swp", "*~", "README.rst", "__pycache__")
_KEY_LENGTH = 12


def digest(tree: Path) -> str:
    """Return a digest of the names, modes and contents of the files below `tree` (or of a file)."""
    total = hashlib.sha256()
    for file in _files(tree):
        content = str(file.readlink()).encode() if file.is_symlink() else file.read_bytes()
        mode = file.lstat().st_mode & 0o111
        total.update(f"{file.relative_to(tree)} {mode} {len(content)}\n".encode())
        total.update(content)
    return total.hexdigest()


def agent(checkout: Path) -> str:
    """Return a digest of what the checkout installs into an image: the files, not their sources."""
    with tempfile.TemporaryDirectory(prefix="dpm-image-") as folder:
        run([checkout / "tools/install-guest", folder])
        return digest(Path(folder))


def fingerprint(secret: str) -> str:
    """Return what tells a secret from another one, and is slow to guess it from."""
    return hashlib.pbkdf2_hmac("sha256", secret.encode(), b"nova-dpm", 200_000).hex()


def identity(file: Path) -> str:
    """Return what tells a large file from a former one of its name, without reading it."""
    try:
        found = file.stat()
    except OSError:
        return "missing"
    return f"{found.st_size} {found.st_mtime_ns}"


def key(parts: Mapping[str, str]) -> str:
    """Return a short key of named parts."""
    text = "".join(f"{name}={parts[name]}\0" for name in sorted(parts))
    return hashlib.sha256(text.encode()).hexdigest()[:_KEY_LENGTH]


def _files(tree: Path) -> Iterator[Path]:
    if not tree.is_dir():
        yield from [tree] if tree.exists() else []
        return
    for path, folders, names in os.walk(tree):
        folders[:] = sorted(name for name in folders if not _ignored(name))
        yield from (Path(path, name) for name in sorted(names) if not _ignored(name))


def _ignored(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in _IGNORED)


def builder_version() -> str:
    """Return diskimage-builder's version; it decides about much of an image."""
    try:
        return version("diskimage-builder")
    except PackageNotFoundError:
        return "unknown"
