"""One run of hercules: its configuration, its process, its console."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from dpm_lab import cache
from dpm_lab.errors import GuestError, UsageError
from dpm_lab.guests.hercules.cards import Nic

DISK = "ff00"
#: Where the archives lie in memory: above the unpacked kernel.
_ARCHIVES = 0x02000000
_MEMORY_MB = 1536
#: Where the kernel looks for its parameters (arch/s390/include/asm/setup.h).
_PARAMETERS, _ARCHIVE_START, _ARCHIVE_SIZE = 0x10480, 0x10408, 0x10410
#: COMMAND_LINE_SIZE, and the last byte is a NUL.
_MOST_PARAMETERS = 4096
_PAGE = 4096

_CONFIGURATION = """\
LDMOD {card}
CPUSERIAL 002623
CPUMODEL 2817
NUMCPU 1
MAINSIZE {memory}
ARCHMODE z/Arch
LOADPARM ........
SYSEPOCH 1900
TZOFFSET +0000
OSTAILOR QUIET
PANRATE SLOW
DEVTMAX 0
CODEPAGE 819/500
"""
#: What hercules says about itself, as against what the guest says.
_OWN_LINE = re.compile(r"^(HHC|\w+\.c:\d+:|CPU\d{4}:|ipl | {10}tid=|\.?(request \d+|stop)$)")
#: The processor's thread is not yet waiting for work.
_TOO_EARLY = "HHCPN053E ipl rejected"
_TAIL = 40


@dataclass(frozen=True)
class Software:
    """What is booted."""

    kernel: Path
    archives: tuple[Path, ...]
    parameters: str


class Machine:
    """A running hercules. Ends with `close`, and leaves nothing behind."""

    def __init__(
        self, card: Path, nics: tuple[Nic, ...], software: Software, console: Callable[[str], None]
    ) -> None:
        """Start it.

        Args:
            console: called with each line of the guest's console, from a thread of its own
        """
        self.tail: deque[str] = deque(maxlen=_TAIL)
        self._console = console
        # On the archives' file system, so that they can be linked.
        runs = cache.folder("osa", "runs")
        runs.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(runs)
        self.folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=runs))
        self.disk = self.folder / "disk"
        self.disk.touch()
        self._process: subprocess.Popen[str] | None = None
        try:
            start = _write_software(self.folder, software)
            configuration = self.folder / "hercules.cnf"
            configuration.write_text(_configuration(card, nics, self.disk), encoding="ascii")
            self._start_line = f"ipl {start}"
            self._configuration = configuration
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Begin the boot. The disk must have its size by now.

        Raises:
            GuestError: hercules does not start.
        """
        # It must not outlive us, however we end.
        command = ["setpriv", "--pdeathsig", "KILL", "hercules", "-f", str(self._configuration)]
        try:
            self._process = subprocess.Popen(
                [*command, "-d", "EXTERNALGUI"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # the status lines for a graphical panel
                text=True,
                errors="replace",
                bufsize=1,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C is for us; we end it in an orderly way
            )
        except OSError as error:
            raise GuestError(f"hercules does not start: {error}") from error
        threading.Thread(target=self._follow, daemon=True).start()
        self.command(self._start_line)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def command(self, line: str) -> None:
        """Give hercules a command of its panel, such as ``detach 0600``.

        Raises:
            GuestError: it is not running any more.
        """
        try:
            assert self._process is not None and self._process.stdin is not None
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except (OSError, ValueError) as error:
            raise GuestError(self.trouble("hercules ended")) from error

    def type(self, line: str) -> None:
        """Type a line on the guest's console."""
        self.command("." + line)

    def trouble(self, what: str) -> str:
        """A message with the last lines of the console."""
        lines = "\n".join(f"    {line}" for line in self.tail)
        return f"{what}; the last lines were:\n{lines}"

    def close(self) -> None:
        """End hercules, whatever it is doing, and remove its files."""
        process = self._process
        if process is not None and process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # it has nothing that is worth keeping
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _follow(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        in_guest = False  # before, hercules introduces itself
        for raw in self._process.stdout:
            line = raw.rstrip()
            if line:
                self.tail.append(line)
                in_guest = in_guest or line.startswith("ipl ")
                if line.startswith(_TOO_EARLY):
                    time.sleep(0.2)
                    self.command(self._start_line)
                if in_guest and not _OWN_LINE.match(line):
                    self._console(line)


def _configuration(card: Path, nics: tuple[Nic, ...], disk: Path) -> str:
    lines = [_CONFIGURATION.format(card=card, memory=_MEMORY_MB)]
    lines += [f"{nic.bus_id.devno}.3 QETH {nic.words}\n" for nic in nics if nic.present]
    lines += [f"{DISK} 3370 {disk}\n"]
    return "".join(lines)


def _write_software(folder: Path, software: Software) -> Path:
    """Put together what hercules loads; return the list of it (``.ins``, loadparm.c)."""
    parameters = software.parameters.encode() + b"\n\0"
    if len(parameters) > _MOST_PARAMETERS - 1:
        raise UsageError(f"{len(parameters)} bytes of kernel parameters are more than 4094")
    entries = [("kernel", 0), ("parameters", _PARAMETERS)]
    entries += [("start", _ARCHIVE_START), ("size", _ARCHIVE_SIZE)]
    _link(software.kernel, folder / "kernel")
    (folder / "parameters").write_bytes(parameters)
    place = _ARCHIVES
    for number, path in enumerate(software.archives):
        _link(path, folder / f"archive{number}")
        entries.append((f"archive{number}", place))
        # The kernel skips zeros between archives; memory is zero at the start.
        place += -(-path.stat().st_size // _PAGE) * _PAGE
    (folder / "start").write_bytes(struct.pack(">Q", _ARCHIVES))
    (folder / "size").write_bytes(struct.pack(">Q", place - _ARCHIVES))
    ins = folder / "boot.ins"
    lines = [f"{name} 0x{address:08x}\n" for name, address in entries]
    ins.write_text("".join(lines), encoding="ascii")
    return ins


def _link(source: Path, target: Path) -> None:
    """Hercules loads no files by symbolic links."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


def _remove_abandoned(runs: Path) -> None:
    """Remove what runs left that were killed."""
    for folder in runs.iterdir():
        process = folder.name.partition("-")[0]
        if process.isdigit() and not psutil.pid_exists(int(process)):
            shutil.rmtree(folder, ignore_errors=True)
