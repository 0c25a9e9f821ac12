"""What a started partition is: something that only has a status, or a guest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from dpm_lab.hmc.api.barriers import Path
from dpm_lab.hmc.api.resources import Resource
from dpm_lab.hmc.api.terminals import ImitatedTerminal, Terminal


class Guests(Protocol):
    """The guests of partitions. All is called with the lock of the resource tree held."""

    @property
    def boot(self) -> bool:
        """Whether partitions boot: then their status follows the guest, not the job."""

    def obstacle(self, path: Path) -> str | None:
        """Return what stops a path in the storage subsystem: ``zoning``, ``masking``, or None."""

    def start(self, partition: Resource) -> None:
        """Boot a partition."""

    def stop(self, partition: Resource, ended: Callable[[], None]) -> None:
        """Switch a partition off.

        Args:
            ended: is called when nothing of its guest is left, perhaps at once
        """

    def psw_restart(self, partition: Resource) -> None:
        """Have a partition's processor take a restart interrupt."""

    def terminal(self, partition: Resource) -> Terminal | None:
        """Go to the ASCII console of a partition; None: it has none now."""

    def command(self, partition: Resource, text: str) -> bool:
        """Give a guest a line at its line-mode console; False: there is no guest."""

    def stop_all(self) -> None:
        """Switch all off."""


class NoGuests:
    """Partitions that boot nothing; they only change their status."""

    boot = False

    def obstacle(self, path: Path) -> str | None:
        """Return None: every LUN is there."""

    def start(self, partition: Resource) -> None:
        """Do nothing."""

    def stop(self, partition: Resource, ended: Callable[[], None]) -> None:
        """Call `ended`."""
        ended()

    def psw_restart(self, partition: Resource) -> None:
        """Do nothing."""

    def terminal(self, partition: Resource) -> Terminal | None:
        """Return an imitation, which echoes."""
        return ImitatedTerminal(partition)

    def command(self, partition: Resource, text: str) -> bool:
        """Do nothing."""
        return False

    def stop_all(self) -> None:
        """Do nothing."""
