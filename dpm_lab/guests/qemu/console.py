"""What a guest's console says about how far its boot is."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from dpm_lab.plain import plain

#: How many lines a failure shows.
TAIL = 25

FIRST_PHASE = "firmware"
LOGIN = "login"

#: The phases of a boot in their order, each with what its first line on the console looks like.
_PHASES = (
    ("kernel", re.compile(r"Linux version \d")),
    ("initramfs", re.compile(r"Run /init as init process|Loading, please wait|dracut-\d")),
    ("systemd", re.compile(r"systemd\[1\]: systemd \d|^Welcome to ")),
    ("dpm-guest", re.compile(r"dpm-guest")),
    ("cloud-init", re.compile(r"cloud-init(\[\d+\])?: Cloud-init v|cloud-init-local\.service")),
    (LOGIN, re.compile(r"\blogin:")),
)

#: Lines that a person who waits wants to see.
_INTERESTING = re.compile(
    r"dpm-guest|dpm-ipl|Cloud-init v|Failed|FAILED|WARNING|Reached target network",
)

#: Lines after which no boot goes on.
_FATAL = (
    (re.compile(r"Kernel panic"), "the kernel panicked"),
    (re.compile(r"^\(initramfs\)"), "the initramfs gave up and offers a shell"),
    (re.compile(r"emergency mode"), "systemd gave up and is in emergency mode"),
    (
        re.compile(r"^! .*!$|Failed to load OS|zIPL load failed"),
        "the firmware found nothing that it can boot; was zipl run for this disk?",
    ),
)

_PROMPT = re.compile(r"\blogin:$")

_CLOCK = re.compile(r"^\[ *\d+\.\d+\] ")
_BRIEF = 90

#: Where a line is broken that does not end; the longest of a boot, the command line, has 4096.
_LONGEST = 2**16

_ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|[()][A-B0-2]|[=>78cDEM])|[\x00-\x08\x0b-\x1f]")


@dataclass(frozen=True)
class Line:
    """A line of the console. `phase` is set where it begins one, `fatal` where it ends the boot."""

    text: str
    phase: str | None = None
    interesting: bool = False
    fatal: str | None = None


class Console:
    """Follows a console, which comes in pieces."""

    def __init__(self) -> None:
        self.phase = FIRST_PHASE
        self.tail: deque[str] = deque(maxlen=TAIL)
        self._rest = ""

    def feed(self, data: bytes) -> Iterator[Line]:
        """Yield the lines that `data` completes.

        A prompt is not followed by a line end, so what remains is looked at for prompts too.
        """
        *lines, self._rest = (self._rest + data.decode(errors="replace")).split("\n")
        for line in lines:
            text = clean(line)
            if text:
                yield self._line(text)
        rest = clean(self._rest)
        if _fatal(rest) or _PROMPT.search(rest) or len(rest) > _LONGEST:
            self._rest = ""
            yield self._line(rest)

    def _line(self, text: str) -> Line:
        self.tail.append(text)
        phase = self._next_phase(text)
        if phase:
            self.phase = phase
        return Line(text, phase, bool(_INTERESTING.search(text)), _fatal(text))

    def _next_phase(self, text: str) -> str | None:
        names = [name for name, _ in _PHASES]
        reached = names.index(self.phase) + 1 if self.phase in names else 0
        for name, first_line in reversed(_PHASES[reached:]):
            if first_line.search(text):
                return name
        return None


def clean(text: str) -> str:
    """Return a console's line without colours, cursor movements and blanks around it.

    What else would do something to a terminal is escaped.
    """
    return plain(_ESCAPES.sub("", text).strip(), keep="\t")


def brief(text: str) -> str:
    """Return a line without the kernel's clock, cut to what fits beside our own."""
    text = _CLOCK.sub("", text)
    return text if len(text) <= _BRIEF else text[: _BRIEF - 3] + "..."


def _fatal(text: str) -> str | None:
    return next((meaning for pattern, meaning in _FATAL if pattern.search(text)), None)
