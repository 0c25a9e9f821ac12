"""One run of ``disk-image-create``: watched while it goes on, explained when it fails, stopped.

diskimage-builder says a great deal. All of it goes to the log, but for secrets; what a person sees
is the phase, the hook and the time. It runs in namespaces of its own (``namespace``),
so that stopping it is one step, and happens by itself when this process is killed.
"""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import IO

import psutil

from dpm_image.build import durable
from dpm_image.build.redact import Redactor
from dpm_image.errors import ImageError
from dpm_lab import signals
from dpm_lab.process import as_root, ask
from dpm_lab.progress import Progress

#: How long the processes of a build may take to die of SIGKILL: some wait for a disk.
STOP_SECONDS = 60.0

_NAMESPACE = Path(__file__).with_name("namespace.py")

_TAIL = 15
_SHOWN = 60

# With `-x`, diskimage-builder traces its shell: "2026-01-02 03:04:05.678 | + command".
_STAMP = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ \| ?")
_RUNNING = re.compile(r"^dib-run-parts Running \S*/([a-z-]+\.d)/([^/\s]+)$")
_COMPLETED = re.compile(r"^dib-run-parts (\S+) completed$")
_NOISE = re.compile(r"^(> *)?\++ |^dib-run-parts")
_STEPS = {
    "Calculating image size": "size of the image",
    "Converting image using qemu-img": "conversion to qcow2",
}

#: What the phases of diskimage-builder do, in words.
PHASES = {
    "root.d": "base system",
    "extra-data.d": "files from this machine",
    "pre-install.d": "before the packages",
    "install.d": "packages and files",
    "post-install.d": "after the packages",
    "block-device.d": "block device",
    "finalise.d": "boot loader",
    "cleanup.d": "cleaning",
}


class BuildError(ImageError):
    """``disk-image-create`` failed."""


class Watch:
    """Follows the output of ``disk-image-create``: where it is, and its last words."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._phase = ""
        self._tail: deque[str] = deque(maxlen=_TAIL)
        self._ending = False
        self.hook = ""

    @property
    def tail(self) -> tuple[str, ...]:
        """The last lines before diskimage-builder began to clean up, without the shell's trace."""
        return tuple(self._tail)

    def see(self, line: str) -> None:
        """Take note of one line of output."""
        text = _STAMP.sub("", line.rstrip())
        if running := _RUNNING.match(text):
            self._enter(running[1], running[2])
        elif completed := _COMPLETED.match(text):
            # What fails now is between the hooks: the packages that were asked for with -p, say.
            self.hook = f"{self._phase} (after {completed[1]})"
        elif step := next((name for start, name in _STEPS.items() if text.startswith(start)), None):
            self._enter(step, "")
        # The trace of its exit trap: what follows tells how it cleaned up, not what went wrong.
        self._ending = self._ending or ":trap_cleanup:" in text
        if text and not self._ending and not _NOISE.match(text):
            self._tail.append(text)
        self.tick()

    def tick(self) -> None:
        """Let the person who waits know that it goes on."""
        if self._phase:
            last = self._tail[-1][:_SHOWN] if self._tail else ""
            self._progress.status(f"{PHASES.get(self._phase, self._phase)}: {self.hook}  {last}")

    def _enter(self, phase: str, hook: str) -> None:
        if phase != self._phase:
            self._phase = phase
            self._progress.line(PHASES.get(phase, phase))
        self._tail.clear()
        self.hook = f"{phase}/{hook}" if hook else phase


def run(
    command: Sequence[str],
    environment: Mapping[str, str],
    log: FileIO,
    progress: Progress,
    *,
    name: Path,
    lock: IO[str],
    redactor: Redactor,
) -> None:
    """Run ``disk-image-create`` with all its output in `log`.

    Args:
        name: the log's
        lock: the cache's; it is held as long as a process of the build lives

    Raises:
        BuildError: it failed; the text has the hook and its last words.
    """
    watch = Watch(progress)
    with signals.held():
        process = subprocess.Popen(
            _contained(command, environment),
            env=dict(environment),
            stdin=lock,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # Ctrl-C on the terminal reaches us only.
            start_new_session=True,
            # Hooks make files with it, and whose umask it is must not be seen in the image.
            umask=0o022,
        )
    assert process.stdout is not None
    try:
        for line in _lines(process.stdout):
            if line is None:
                watch.tick()
                continue
            shown = redactor.redact(line)
            durable.write(log, shown, name)
            watch.see(shown.decode(errors="replace"))
        process.wait()
    finally:
        with signals.held():
            _stop(process, environment["PATH"])
    progress.clear()
    if process.returncode:
        words = "\n".join(f"    {text}" for text in watch.tail)
        raise BuildError(
            f"{watch.hook or 'diskimage-builder'} failed (exit status {process.returncode}); "
            f"its last words:\n{words}\n  all of them are in {name}"
        )


def _contained(command: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """Return `command` in namespaces of its own, where the caller's user runs it."""
    contained = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]
    contained += [sys.executable, "-I", str(_NAMESPACE), str(os.geteuid()), *command]
    if os.geteuid() == 0:
        return contained
    kept = [f"{name}={environment[name]}" for name in ("PATH", "HOME") if name in environment]
    return as_root(["--preserve-env", "--", "env", *kept, *contained])


def _lines(stream: IO[bytes]) -> Iterator[bytes | None]:
    """Yield the lines of `stream`, and None whenever there is none for a second."""
    descriptor = stream.fileno()
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        rest = b""
        while True:
            if not selector.select(timeout=1.0):
                yield None
                continue
            data = os.read(descriptor, 65536)
            if not data:
                break
            *whole, rest = (rest + data).split(b"\n")
            for line in whole:
                yield line + b"\n"
        if rest:
            yield rest


def _stop(process: subprocess.Popen[bytes], path: str) -> None:
    """End what is left of the build; after a good end, nothing is."""
    assert process.stdout is not None
    process.stdout.close()  # which the first process of the namespace takes for the end
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        with suppress(psutil.NoSuchProcess):
            below = psutil.Process(process.pid).children(recursive=True)
            everyone = map(str, (process.pid, *(one.pid for one in below)))
            ask(as_root(["kill", f"-{signal.SIGKILL.name}", *everyone]), path=path)
        process.wait()
