"""SIGINT, SIGTERM and SIGHUP end a command in order: it tidies up, and its exit status says why.

Used by ``dpm-lab`` and ``dpm-image``. It is here because ``dpm_image`` builds on ``dpm_lab`` for
its guests, and never the other way round.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ended(KeyboardInterrupt):
    """A signal that ends the command; raised where it arrived, or where :func:`held` ends."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number.name)
        self.number = number

    @property
    def status(self) -> int:
        """The exit status that stands for it, as in a shell."""
        return 128 + self.number

    def __str__(self) -> str:
        return "interrupted" if self.number is signal.SIGINT else f"ended by {self.number.name}"


class _State:
    """What the handler and :func:`held` tell each other."""

    installed = False
    holds = 0
    arrived: signal.Signals | None = None
    raised = False


@contextmanager
def ending() -> Iterator[None]:
    """Let the signals raise :class:`Ended`, the first of them; later ones find it tidying up.

    SIGINT and SIGTERM also where they are ignored on entry: a shell without job control starts
    ``COMMAND &`` so, and Python then installs no handler of its own. SIGHUP that is ignored stays
    so: that is what nohup is for. Handlers belong to the main thread; in another one this does
    nothing.
    """
    if _State.installed or not _in_main_thread():
        yield
        return
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    numbers = [number for number in NUMBERS if not (ignored and number is signal.SIGHUP)]
    _State.installed, _State.holds, _State.arrived, _State.raised = True, 0, None, False
    former = {number: signal.signal(number, _arrived) for number in numbers}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
        _State.installed = False


@contextmanager
def held() -> Iterator[None]:
    """Let a signal wait until the end of the block, which is short and must not be cut in two."""
    if not _in_main_thread():
        yield
        return
    _State.holds += 1
    try:
        yield
    finally:
        _State.holds -= 1
        if not _State.holds and _State.arrived and not _State.raised:
            _State.raised = True
            raise Ended(_State.arrived)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _arrived(number: int, _frame: FrameType | None) -> None:
    if _State.arrived is not None:
        return
    _State.arrived = signal.Signals(number)
    if not _State.holds:
        _State.raised = True
        raise Ended(_State.arrived)
