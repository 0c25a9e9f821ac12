"""One run of ``disk-image-create``: watched while it goes on, explained when it fails, cleaned up.

diskimage-builder says a great deal. All of it goes to the log; what a person sees is the phase, the
hook and the time. It cleans up after itself unless it is killed at the wrong moment, so this does
again, and only below the run's own folder, what may have been left undone.
"""

from __future__ import annotations

import json
import os
import re
import selectors
import shutil
import subprocess
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from dpm_image.errors import ImageError
from dpm_image.host import as_root
from dpm_image.progress import Progress

#: How long ``disk-image-create`` has for its own cleaning up once it was told to stop.
STOP_SECONDS = 60.0

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
    command: Sequence[str], environment: Mapping[str, str], log: Path, progress: Progress
) -> None:
    """Run ``disk-image-create`` with all its output in `log`; raise :class:`BuildError`."""
    watch = Watch(progress)
    with log.open("ab", buffering=0) as sink:
        # A session of its own: Ctrl-C on the terminal reaches us only, and we stop it in order.
        process = subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
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
                sink.write(line)
                watch.see(line.decode(errors="replace"))
            process.wait()
        except BaseException:
            progress.line("stopping, and cleaning up")
            _stop(process, environment["PATH"])
            raise
    progress.clear()
    if process.returncode:
        words = "\n".join(f"    {text}" for text in watch.tail)
        raise BuildError(
            f"{watch.hook or 'diskimage-builder'} failed (exit status {process.returncode}); "
            f"its last words:\n{words}\n  all of them are in {log}"
        )


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
    # Not the shell itself, at first: it notices that its command ended, and cleans up. Its process
    # group is not all of it either, since sudo runs commands in sessions of their own.
    _root_command(path, "kill", *map(str, _descendants(process.pid)))
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        everyone = (*_descendants(process.pid), process.pid)
        _root_command(path, "kill", "-KILL", *map(str, everyone))
        process.wait()


def _descendants(parent: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name in parentheses may contain blanks; the parent is the second word after it.
            words = status.read_text("utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(words[1]), []).append(int(status.parent.name))
    found: list[int] = []
    waiting = [parent]
    while waiting:
        mine = children.get(waiting.pop(), [])
        found += mine
        waiting += mine
    return found


@contextmanager
def workplace(folder: Path, path: str) -> Iterator[Path]:
    """Yield `folder`, made anew; whatever a run leaves below it is gone afterwards."""
    sweep(folder, path)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        sweep(folder, path)


def sweep(folder: Path, path: str) -> None:
    """Remove `folder`: processes with their root in it, mounts, loop devices and files first."""
    if not folder.exists():
        return
    for process in processes_below(folder):
        _root_command(path, "kill", "-KILL", str(process))
    for mount in sorted(_mounts_below(folder), reverse=True):
        _root_command(path, "umount", "--lazy", mount)
    for device in _loops_below(folder):
        _root_command(path, "kpartx", "-d", device)
        _root_command(path, "losetup", "-d", device)
    if left := _mounts_below(folder):
        raise BuildError(f"cannot unmount {', '.join(left)}; unmount by hand and try again")
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        _root_command(path, "rm", "-rf", "--one-file-system", str(folder))


def processes_below(folder: Path) -> list[int]:
    """Return the processes whose root is in `folder`: those of a chroot there."""
    found = []
    for root in Path("/proc").glob("[0-9]*/root"):
        try:
            target = root.readlink()
        except OSError:
            continue
        if target.is_relative_to(folder):
            found.append(int(root.parent.name))
    return found


def _mounts_below(folder: Path) -> list[str]:
    mounts = []
    with Path("/proc/self/mountinfo").open(encoding="utf-8") as table:
        for line in table:
            # The kernel writes blanks in paths as octal escapes.
            target = line.split()[4].encode().decode("unicode_escape")
            if Path(target).is_relative_to(folder):
                mounts.append(target)
    return mounts


def _loops_below(folder: Path) -> list[str]:
    answer = subprocess.run(
        ["losetup", "--json", "--output", "NAME,BACK-FILE,OFFSET"],
        check=False,
        capture_output=True,
        text=True,
    )
    if not answer.stdout.strip():
        return []
    devices = json.loads(answer.stdout)["loopdevices"]
    below = [device for device in devices if Path(device["back-file"]).is_relative_to(folder)]
    # Whole disks first: their partitions are unmapped with them.
    return [device["name"] for device in sorted(below, key=lambda device: int(device["offset"]))]


def _root_command(path: str, *command: str) -> None:
    # Whether it helped is seen from what is left.
    subprocess.run(
        as_root(list(command)), check=False, capture_output=True, env={**os.environ, "PATH": path}
    )
