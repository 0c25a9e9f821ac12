"""What the tree consists of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Entries = dict[str, "Node"]


@dataclass(frozen=True)
class Directory:
    entries: Callable[[], Entries]


@dataclass(frozen=True)
class Link:
    target: str


@dataclass(frozen=True)
class File:
    read: Callable[[], str] | None = None
    write: Callable[[str], None] | None = None

    @property
    def mode(self) -> int:
        return (0o444 if self.read else 0) | (0o200 if self.write else 0)


Node = Directory | Link | File


def value(content: object) -> File:
    """An attribute that never changes."""
    return File(read=lambda: f"{content}\n")


def fixed(entries: Entries) -> Directory:
    """A folder whose entries never change."""
    return Directory(lambda: entries)
