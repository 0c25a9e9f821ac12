"""Machines with a guest in them: QEMU boots whole images, hercules has the kernel's qeth driver.

One face for both: `Guest`. What only one of them can do is its own (a cloud's metadata and packets
of :mod:`dpm_lab.guests.qemu`, cards that come and go of :mod:`dpm_lab.guests.hercules`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from dpm_guest.bootparams import NicParams
from dpm_guest.ids import CcwId
from dpm_lab.errors import GuestError

#: What is told of a command's output as it comes: ``out`` or ``err``, and a piece of it.
OnOutput = Callable[[str, bytes], None]


@dataclass(frozen=True)
class Nic:
    """A NIC of a guest.

    Attributes:
        params: what the boot parameters say of it: device number, port, MAC
        present: whether the machine has the device; parameters can name one that it has not
    """

    params: NicParams
    present: bool = field(default=True, kw_only=True)

    @property
    def bus_id(self) -> CcwId:
        """The first of its three devices."""
        return self.params.bus_id


def tuples(nics: Iterable[Nic]) -> str:
    """Return the boot parameters that ask for all of `nics`."""
    return "".join(str(nic.params) for nic in nics)


@dataclass(frozen=True)
class Result:
    """What became of a command.

    Attributes:
        errors: what it wrote to standard error, where the guest tells that from its output
    """

    code: int
    output: str
    errors: str = ""


class Guest(ABC):
    """A machine with a guest in it. In a ``with`` statement it has booted, and ends with it."""

    nics: Sequence[Nic]

    def __enter__(self) -> Self:
        try:
            self.boot()
        except BaseException:
            self.close()
            raise
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
        """Begin the boot and return at once, so that guests can boot at the same time.

        Raises:
            GuestError: the emulator does not start.
        """

    @abstractmethod
    def boot(self) -> None:
        """Boot, and return when the guest takes commands.

        Raises:
            GuestError: it does not come up.
        """

    @abstractmethod
    def run(
        self,
        command: str | Sequence[str],
        *,
        timeout: float | None = None,
        output: OnOutput | None = None,
    ) -> Result:
        """Run a command in the guest to its end.

        Args:
            command: words, or a text for the shell
            timeout: seconds after which it is given up (default: the guest's own limit)
            output: called with each piece of output as it comes

        Raises:
            GuestError: the guest does not answer, or the time is over.
        """

    def check(self, command: str | Sequence[str], *, timeout: float | None = None) -> str:
        """Run a command that must succeed; return what it printed.

        Raises:
            GuestError: it failed.
        """
        result = self.run(command, timeout=timeout)
        if result.code:
            raise GuestError(
                f"{command!r} ended with {result.code}:\n{result.output}{result.errors}"
            )
        return result.output

    @property
    @abstractmethod
    def running(self) -> bool:
        """Whether the machine runs: from its start until it ends, by itself or by `close`."""

    @property
    @abstractmethod
    def console_lines(self) -> Sequence[str]:
        """What the guest has written to its console so far."""

    @abstractmethod
    def close(self) -> None:
        """End the machine, whatever it is doing; nothing of it is left."""
