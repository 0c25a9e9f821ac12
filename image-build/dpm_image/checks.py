"""What ``dpm-image verify`` checks: a table of small functions over an :class:`Image`.

A check returns what it found; it raises :class:`Wrong`, with what it found, where that is not as it
has to be. It never writes. It says for which family of distributions it holds; none: for all.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from dpm_image import initramfs
from dpm_image.bootentry import BootEntry, read_entry

#: What a check may say of a list of things that should not be there.
_SHOWN = 3


class Wrong(Exception):
    """What a check found is not as it has to be; the text is what it found."""


@dataclass(frozen=True)
class Image:
    """An opened image. Tests give a folder of their own for `root`, and what else they need."""

    root: Path
    #: What ``qemu-img info`` and ``qemu-img map`` say of the file.
    info: Mapping[str, Any] = field(default_factory=dict)
    map: Sequence[Mapping[str, Any]] = ()
    #: The disk, as a file of sectors.
    disk: Path | None = None
    #: The label of the root file system, and the bytes that are used of it.
    label: str = ""
    used: int = 0
    #: A folder with the agent as the checkout installs it.
    agent: Path | None = None

    @cached_property
    def os_release(self) -> dict[str, str]:
        """The fields of os-release."""
        for place in ("etc/os-release", "usr/lib/os-release"):
            path = self.path(place)
            if path.is_file():
                lines = path.read_text("utf-8").splitlines()
                pairs = (line.partition("=") for line in lines if "=" in line)
                return {key: value.strip("\"'") for key, _, value in pairs}
        return {}

    @property
    def family(self) -> str:
        """``debian`` or ``el``, or the distribution's own name."""
        like = {self.os_release.get("ID", ""), *self.os_release.get("ID_LIKE", "").split()}
        if "debian" in like:
            return "debian"
        if like & {"rhel", "fedora", "centos"}:
            return "el"
        return self.os_release.get("ID", "unknown")

    @cached_property
    def entry(self) -> BootEntry:
        """What the boot loader's configuration boots."""
        return read_entry(self.root)

    @cached_property
    def initramfs(self) -> frozenset[str]:
        """The names of the files in the initial RAM disk that is booted."""
        return initramfs.names(self.path(self.entry.initrd))

    @cached_property
    def cloud(self) -> dict[str, tuple[Any, str]]:
        """cloud-init's configuration: what each key is, and the file that says so, the last one."""
        merged: dict[str, tuple[Any, str]] = {}
        for name, content in self._cloud_files:
            merged |= {key: (value, name) for key, value in content.items()}
        return merged

    def cloud_values(self, key: str) -> list[Any]:
        """What each file of cloud-init's configuration says of a key, in the order of reading."""
        return [content[key] for _, content in self._cloud_files if key in content]

    @cached_property
    def _cloud_files(self) -> list[tuple[str, dict[str, Any]]]:
        found = []
        for name in ["/etc/cloud/cloud.cfg", *self.files("etc/cloud/cloud.cfg.d/*.cfg")]:
            try:
                found.append((name, yaml.safe_load(self.read(name)) or {}))
            except yaml.YAMLError as error:
                raise Wrong(f"{name}: {error}") from error
        return found

    def path(self, name: str) -> Path:
        """Return the file `name` of the image, links followed inside the image."""
        parts = [part for part in Path(name).parts if part != "/"]
        path, links = self.root, 0
        while parts:
            part = parts.pop(0)
            if part == "..":
                path = path.parent if path != self.root else path
                continue
            path = path / part
            if path.is_symlink() and links < 40:
                links += 1
                target = path.readlink()
                path = self.root if target.is_absolute() else path.parent
                parts = [piece for piece in target.parts if piece != "/"] + parts
        return path

    def read(self, name: str) -> str:
        """Return the text of a file, empty where there is none."""
        path = self.path(name)
        return path.read_text("utf-8", errors="replace") if path.is_file() else ""

    def files(self, *patterns: str) -> list[str]:
        """Return what the patterns match, folders left out, as absolute names in the image.

        A link counts as what it is: its target's name means something in the image only.
        """
        found: set[Path] = set()
        for pattern in patterns:
            folder, _, name = pattern.rpartition("/")
            # glob() would follow a link that it need not list a folder for.
            found |= {
                path
                for parent in self.root.glob(folder)
                if parent.is_dir() and parent.is_relative_to(self.root)
                for path in parent.iterdir()
                if fnmatchcase(path.name, name) and (path.is_symlink() or not path.is_dir())
            }
        return sorted(f"/{path.relative_to(self.root)}" for path in found)

    def inside(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the image, in the image."""
        return subprocess.run(
            ["chroot", str(self.root), *command],
            check=False,
            capture_output=True,
            text=True,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
        )


@dataclass(frozen=True)
class Check:
    """One check: its name in the table, what it does, and the families that it is for."""

    name: str
    do: Callable[[Image], str]
    families: frozenset[str]

    def holds_for(self, family: str) -> bool:
        """Whether an image of `family` has to pass it."""
        return not self.families or family in self.families


CHECKS: list[Check] = []


def check(name: str, *families: str) -> Callable[[Callable[[Image], str]], Callable[[Image], str]]:
    """Make a function a check, in the order of the source."""

    def register(function: Callable[[Image], str]) -> Callable[[Image], str]:
        CHECKS.append(Check(name, function, frozenset(families)))
        return function

    return register


def none_of(found: Iterable[str], what: str) -> str:
    """Return that there are none of `what`; raise :class:`Wrong` with the first of those found."""
    names = sorted(found)
    if names:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        raise Wrong(f"{', '.join(names[:_SHOWN])}{more}")
    return f"no {what}"
