"""A small Linux guest with real qeth devices: boot it once, run commands in it."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dpm_lab import guests
from dpm_lab.errors import GuestError, UsageError
from dpm_lab.guests.hercules import base, card_module, cards, layer
from dpm_lab.guests.hercules.cards import Nic
from dpm_lab.guests.hercules.channel import Channel, Reply
from dpm_lab.guests.hercules.machine import Machine, Software
from dpm_lab.progress import Progress

#: One process 1 runs commands at once, the other is the distribution's own.
INITS = {"minimal": "/usr/lib/dpm-lab/init", "systemd": "/usr/lib/systemd/systemd"}
BOOT_TIMEOUT = 600.0
RUN_TIMEOUT = 300.0

#: cryptomgr.notests: self tests of ciphers take 2 s of emulated processor. sclp_con_drop: the
#: console waits for hercules instead of dropping what it has no room for (sclp_con.c).
_PARAMETERS = "console=ttyS0 cryptomgr.notests sclp_con_drop=0 sclp_con_pages=64 loglevel=5"
_LOOK_EVERY = 0.02


@dataclass(frozen=True)
class Configuration:
    """What to boot.

    Attributes:
        cmdline: kernel parameters beyond the guest's own; None for a tuple for each NIC
        release: one of :data:`dpm_lab.guests.hercules.base.RELEASES`
        packages: Debian packages beyond the usual ones
    """

    nics: tuple[Nic, ...]
    cmdline: str | None = None
    release: str = base.RELEASES[0]
    init: str = "minimal"
    packages: tuple[str, ...] = ()

    @property
    def parameters(self) -> str:
        """The whole kernel command line."""
        if self.init not in INITS:
            raise UsageError(f"no init {self.init!r}; there are: {', '.join(INITS)}")
        own = self.cmdline if self.cmdline is not None else guests.tuples(self.nics)
        return f"{_PARAMETERS} rdinit={INITS[self.init]} {own}".strip()


@dataclass(frozen=True)
class Parts:
    """What a guest is made of.

    Attributes:
        card: the compiled OSA card
        made_of: the release that the base system is made of, and why of no better one
    """

    card: Path
    kernel: Path
    archives: tuple[Path, ...]
    made_of: str


def parts(configuration: Configuration, progress: Progress) -> Parts:
    """Return the parts of a guest, which the cache keeps; what it has not is made."""
    card = card_module.get(progress)
    system = base.get(configuration.release, configuration.packages, progress)
    return Parts(card, system.kernel, (system.archive, layer.get(system)), system.made_of)


class Guest(guests.Guest):
    """A guest that has booted. To be used in a ``with`` statement.

    >>> with Guest(Configuration(cards.row(1))) as guest:  # doctest: +SKIP
    ...     guest.run("dpm-guest configure").code
    0
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        progress: Progress | None = None,
        console: Callable[[str], None] | None = None,
        boot_timeout: float = BOOT_TIMEOUT,
        made: Parts | None = None,
    ) -> None:
        """Prepare it: compile the card, make the archives, write the machine's files.

        Args:
            console: called with each line of the console
            boot_timeout: seconds after which a guest that does not answer is given up
            made: its parts (default: `parts`)
        """
        cards.check(configuration.nics)
        parameters = configuration.parameters
        self.progress = progress if progress is not None else Progress(quiet=True)
        self._boot_timeout = boot_timeout
        made = parts(configuration, self.progress) if made is None else made
        self.made_of = made.made_of
        self.nics = configuration.nics
        self._lines: list[str] = []
        self._console = console
        software = Software(made.kernel, made.archives, parameters)
        self.machine = Machine(made.card, configuration.nics, software, self._console_line)
        try:
            self._channel = Channel(self.machine.disk)
        except BaseException:
            self.machine.close()
            raise
        self._started: float | None = None
        self.booted_in = 0.0

    def start(self) -> None:
        """Begin the boot and return at once, so that two guests can boot at the same time.

        Raises:
            GuestError: hercules does not start.
        """
        if self._started is None:
            self._started = time.monotonic()
            self.machine.start()

    def boot(self) -> None:
        """Boot, and return when the guest takes commands.

        Raises:
            GuestError: it does not come up.
        """
        self.start()
        assert self._started is not None
        reply = self._next(self._started + self._boot_timeout, "the guest did not boot")
        if reply.kind != "hello":
            raise GuestError(f"the guest's first word was {reply.kind}, not hello")
        self.booted_in = time.monotonic() - self._started
        self.progress.line(f"the guest is up after {self.booted_in:.0f} s")

    def run(
        self,
        command: str | Sequence[str],
        *,
        given: str = "",
        timeout: float | None = None,
        output: guests.OnOutput | None = None,
    ) -> guests.Result:
        """Run a command in the guest to its end; `given` is its standard input."""
        words = ("sh", "-c", command) if isinstance(command, str) else tuple(command)
        if not words:
            raise UsageError("an empty command")
        shown = command if isinstance(command, str) else shlex.join(words)
        timeout = RUN_TIMEOUT if timeout is None else timeout
        end = time.monotonic() + timeout
        self.machine.type(self._channel.request(words, given.encode()))
        pieces: dict[str, list[bytes]] = {"out": [], "err": []}
        while True:
            try:
                reply = self._next(end, f"{shown!r} did not end within {timeout:g} s")
            except GuestError:
                if self.machine.running:
                    self.machine.type("stop")
                raise
            if reply.kind in pieces:
                pieces[reply.kind].append(reply.data)
                if output is not None:
                    output(reply.kind, reply.data)
            elif reply.kind == "again":
                self.machine.type(self._channel.request(words, given.encode()))
            elif reply.kind == "end":
                texts = (b"".join(part).decode(errors="replace") for part in pieces.values())
                return guests.Result(int(reply.data), *texts)

    def put(self, path: str, text: str) -> None:
        """Write a file in the guest."""
        result = self.run(("sh", "-c", 'cat > "$0"', path), given=text)
        if result.code:
            raise GuestError(f"{path} can't be written: {result.errors.strip()}")

    def plug(self, nic: Nic) -> None:
        """Add a NIC to the running guest; the kernel hears of it by a machine check."""
        for device in nic.bus_id.triple:
            self.machine.command(f"attach {device.devno} QETH {nic.words}")

    def change(self, nic: Nic) -> None:
        """Make a card behave otherwise, such as one that was silent; its NIC is already there.

        Hercules refuses it while the card is at work, so it may have to be said more than once.
        """
        self.machine.command(f"devinit {nic.bus_id.devno} {nic.words}")

    @property
    def running(self) -> bool:
        return self.machine.running

    @property
    def console_lines(self) -> list[str]:
        return self._lines

    def close(self) -> None:
        """End the guest; nothing is left of it."""
        self._channel.close()
        self.machine.close()

    def _next(self, end: float, otherwise: str) -> Reply:
        while True:
            reply = self._channel.reply()
            if reply is not None:
                return reply
            if not self.machine.running:
                raise GuestError(self.machine.trouble("hercules ended"))
            if time.monotonic() > end:
                raise GuestError(self.machine.trouble(otherwise))
            time.sleep(_LOOK_EVERY)

    def _console_line(self, line: str) -> None:
        self._lines.append(line)
        if self._console is not None:
            self._console(line)


def to_stderr(line: str) -> None:
    """Show a line of the console."""
    print(line, file=sys.stderr, flush=True)
