"""What ``dpm-image verify`` checks: a table of small functions over an :class:`Image`.

A check returns what it found; it raises :class:`Wrong`, with what it found, where that is not as it
has to be. It never writes. It says for which family of distributions it holds; none: for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from dpm_image.disk.bootentry import FILE_LIMIT, BootEntry, read_entry
from dpm_image.disk.files import Files
from dpm_image.verify import initramfs

#: What a check may say of a list of things that should not be there.
_SHOWN = 3

_ALIASES = 16


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
    def tree(self) -> Files:
        """The files in it. Checks have no other way to them: names and links may lead anywhere."""
        return Files(self.root)

    def read(self, name: str) -> str:
        """Return the text of a file, empty where there is none."""
        return self.tree.read(name)

    def files(self, *patterns: str) -> list[str]:
        """Return what the patterns match, folders left out, as absolute names in the image."""
        return self.tree.matching(*patterns)

    @cached_property
    def os_release(self) -> dict[str, str]:
        """The fields of os-release."""
        text = self.read("etc/os-release") or self.read("usr/lib/os-release")
        pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
        return {key: value.strip("\"'") for key, _, value in pairs}

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
        return read_entry(self.tree)

    @cached_property
    def initramfs(self) -> frozenset[str]:
        """The names of the files in the initial RAM disk that is booted."""
        name = self.entry.initrd
        with self.tree.open(name, FILE_LIMIT) as stream:
            return initramfs.names(stream, name)

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
        names = ["/etc/cloud/cloud.cfg", *self.files("etc/cloud/cloud.cfg.d/*.cfg")]
        return [(name, _mapping(name, self.read(name))) for name in names]


class _Loader(yaml.SafeLoader):
    """YAML with few aliases: cloud-init's own files have four, and thirty can fill a memory."""

    _aliases = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            self._aliases += 1
            if self._aliases > _ALIASES:
                raise yaml.YAMLError(f"more than {_ALIASES} aliases")
        return super().compose_node(parent, index)


def _mapping(name: str, text: str) -> dict[str, Any]:
    try:
        content = yaml.load(text, _Loader) or {}
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Wrong(f"{name}: {error}") from error
    if not isinstance(content, dict):
        raise Wrong(f"{name}: not a mapping")
    return content


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
