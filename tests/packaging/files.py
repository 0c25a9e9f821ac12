"""What is installed: each file with its mode and content, as a package and as an image have it."""

from __future__ import annotations

import gzip
import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.packaging import TOP

#: What a distribution's rules add to a package: the licence, the changelog.
_DOCUMENTS = ("usr/share/doc/nova-dpm-guest/", "usr/share/licenses/nova-dpm-guest")


@dataclass(frozen=True)
class File:
    """A file's permissions and the digest of its content."""

    mode: int
    digest: str


def below(root: Path) -> dict[str, File]:
    """Return the files below a folder, without what only a package has.

    A package may compress the manual page: it counts as what it is when it is read.
    """
    found: dict[str, File] = {}
    for path in sorted(root.rglob("*")):
        name, content = str(path.relative_to(root)), b""
        if path.is_dir() or name.startswith(_DOCUMENTS):
            continue
        content = path.read_bytes()
        if name.startswith("usr/share/man/"):
            content = gzip.decompress(content) if name.endswith(".gz") else content
            name = name.removesuffix(".gz")
        found[name] = File(path.stat().st_mode & 0o7777, hashlib.sha256(content).hexdigest())
    return found


def installed(folder: Path) -> dict[str, File]:
    """Return the files that ``tools/install-guest`` installs, which is what the element does."""
    subprocess.run([TOP / "tools/install-guest", folder], check=True)
    return below(folder)


def built(script: str, folder: Path, *options: str) -> list[Path]:
    """Build packages into a folder by the script that the documents name, and return them."""
    done = subprocess.run(
        [TOP / "packaging" / script, folder, *options], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return [Path(line) for line in done.stdout.splitlines()]
