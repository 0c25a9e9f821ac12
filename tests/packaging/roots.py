"""Debian systems with what the agent and the hooks meet on EL: made once, tried in copies.

Debian 11 has EL 9's Python 3.9 and pyudev 0.22, Debian 13 and what comes after it a Python and a
pyudev that are not older than EL 10's 3.12 and 0.24. Debian 11 also has EL 9's coreutils 8.32, bash
5.1 and e2fsprogs 1.46, in a third system with all that hooks and their tests call. mmdebstrap makes
each in 20 s; a copy is an overlay that costs nothing.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from dpm_lab import cache
from dpm_lab.debian.releases import BULLSEYE, FORKY, TRIXIE, Release, choose
from dpm_lab.debian.system import System
from dpm_lab.process import run
from tests import notes
from tests.packaging import TOP

#: With EL 9's Python, with one that EL 10's is older than, and with EL 9's programs for hooks.
OLD, NEW, HOOKS = "old", "new", "hooks"

#: What each can be made of.
_RELEASES = {OLD: (BULLSEYE,), NEW: (TRIXIE, FORKY), HOOKS: (BULLSEYE,)}

#: What is told of each.
_TITLES = {
    OLD: "the old Python's system",
    NEW: "the new Python's system",
    HOOKS: "the system with EL 9's programs",
}

_PACKAGES = (
    "python3",
    "python3-pyudev",
    "systemd",
    "udev",
    "kmod",
    "iproute2",
    "groff-base",  # a unit test has it read the manual page
)

#: Pure Python, and the last that speak 3.9. All of them by name: pip asks this interpreter, not
#: that one, what they need.
_WHEELS = (
    "attrs==25.3.0",
    "exceptiongroup==1.3.0",
    "hypothesis==6.141.1",
    "iniconfig==2.1.0",
    "packaging==25.0",
    "pluggy==1.6.0",
    "pygments==2.19.2",
    "pytest==8.4.2",
    "sortedcontainers==2.4.0",
    "tomli==2.2.1",
    "typing_extensions==4.15.0",
)

_OPTIONS = (
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
)

#: What hooks call in an image or beside it, and what their tests call. The tests themselves are run
#: by this machine's bats: Debian 11's knows no `run -1`.
_HOOKS_PACKAGES = (
    *("python3", "busybox", "e2fsprogs", "kmod", "mount", "procps", "qemu-utils", "rpm"),
    *("sudo", "systemd", "udev", "util-linux", "xz-utils", "zstd"),
)

_SYSTEM = System("amd64", "essential", _PACKAGES, _OPTIONS)
_SYSTEMS = {
    OLD: _SYSTEM,
    NEW: _SYSTEM,
    HOOKS: System("amd64", "essential", _HOOKS_PACKAGES, _OPTIONS),
}


@dataclass(frozen=True)
class Root:
    """A system in the cache. Nothing ever writes to it."""

    kind: str
    folder: Path

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command in a copy; after a first ``--``, beside it, with its path in ``ROOT``."""
        with tempfile.TemporaryDirectory(prefix="nova-dpm-root-") as empty:
            return subprocess.run(
                [TOP / "tests/packaging/in_root", self.folder, TOP, empty, *command],
                check=False,
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
            )


def get(kind: str) -> Root:
    """Return a system, making it where the cache has none."""
    choice = choose(
        _RELEASES[kind],
        is_made=lambda release: _folder(kind, release).is_dir(),
        missing=_SYSTEMS[kind].missing,
    )
    folder = _folder(kind, choice.release)
    with cache.made_once(folder) as new:
        if new is not None:
            _make(kind, choice.release, new)
    notes.add(f"{_TITLES[kind]}: Debian {choice}")
    return Root(kind, folder)


def _folder(kind: str, release: Release) -> Path:
    key = cache.key(repr(release), repr(_SYSTEMS[kind]), *_wheels(kind))
    return cache.folder("packaging", f"root-{release.name}-{key}")


def _wheels(kind: str) -> tuple[str, ...]:
    if kind == HOOKS:
        # Tests look at its hooks.
        return (f"diskimage-builder=={metadata.version('diskimage-builder')}",)
    return _WHEELS


def _make(kind: str, release: Release, folder: Path) -> None:
    _SYSTEMS[kind].make(release, folder)
    # By this machine's pip for the older of the interpreters: the systems need no network.
    target = folder / "opt/tests"
    wanted = ("--python-version=3.9", "--platform=any", "--abi=none", "--only-binary=:all:")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--no-deps"]
    run([*pip, f"--target={target}", *wanted, *_wheels(kind)], "can pip reach a package index?")
    run(["chroot", str(folder), "python3", "-m", "compileall", "-q", "/opt/tests"], "")
    if kind == HOOKS:
        _copy_bats(folder)


def _copy_bats(folder: Path) -> None:
    """Copy this machine's bats, which is shell, into a system."""
    for name in run(["dpkg", "--listfiles", "bats"], "see tools/debian-packages.txt").splitlines():
        if "/bats" in name and Path(name).is_file():
            target = folder / name.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(name, target)
