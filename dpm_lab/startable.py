"""What is started, and closed in the end: in a ``with`` statement both happen by themselves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Startable(ABC):
    """A context manager of `start` and `close`."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @abstractmethod
    def start(self) -> None:
        """Start it; what has failed to start is closed already."""

    @abstractmethod
    def close(self) -> None:
        """End it."""
