"""A partition's guest while it runs: a thread that starts QEMU, follows it, and tells of it.

One thread does it all, from the first look at the disk to the last: QEMU ends with the thread that
started it (PR_SET_PDEATHSIG is the thread's, prctl(2)), and so with this process.
"""

from __future__ import annotations

import contextlib
import queue
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dpm_lab.errors import LabError
from dpm_lab.guests.disk import bootrecord
from dpm_lab.guests.disk.apart import apart, dying_with_us
from dpm_lab.guests.disk.rawdisk import exported_chain
from dpm_lab.guests.qemu.console import FIRST_PHASE, Console
from dpm_lab.guests.qemu.follow import LIMIT, Tail
from dpm_lab.guests.qemu.guest import started
from dpm_lab.guests.qemu.monitor import Monitor, MonitorError
from dpm_lab.guests.qemu.partition import (
    CONSOLE,
    MONITOR,
    TERMINAL,
    Device,
    Hardware,
    command,
)
from dpm_lab.guests.qemu.terminal import Line, Seat

_POLL = 0.5
#: Seconds after which a guest runs that has said nothing but what its firmware says.
_LOADED = 30.0


class State(StrEnum):
    """What has become of a guest."""

    #: Something was loaded, and has said so.
    RUNS = "runs"
    #: The firmware found nothing that it can load, or there is no QEMU to look.
    NOTHING_LOADED = "nothing loaded"
    #: It has ended by itself, all processors at rest.
    HALTED = "halted"
    CRASHED = "crashed"


@dataclass(frozen=True)
class Teller:
    """Who is told what of a guest; each is called in the guest's thread.

    Attributes:
        text: a line of its console
        state: that it has changed
        devices: which devices it shall have now
        ended: that nothing of it is left; the last that is told
    """

    text: Callable[[str], None]
    state: Callable[[State], None]
    devices: Callable[[], Sequence[Device]]
    ended: Callable[[], None]


class ParametersOnDisk:
    """Kernel parameters in a disk's boot map while firmware has changed them.

    Args:
        files: the disk's, from the top down
        noted: what `note` was last called with
        note: keeps, beyond the end of this process, what zipl wrote and what firmware made of it
    """

    def __init__(
        self, files: Sequence[Path], noted: Sequence[str], note: Callable[..., None]
    ) -> None:
        self._files = files
        self._noted = tuple(noted)
        self._note = note

    def append(self, text: str) -> None:
        """Append `text` to what zipl wrote, and to nothing that an earlier start appended.

        Raises:
            BootRecordError: there is no boot map, or no room in it
        """
        self._write(text)

    def restore(self) -> None:
        """Put back what zipl wrote."""
        if self._noted:
            self._write("")

    def _write(self, text: str) -> None:
        with apart(), exported_chain(self._files, writable=True) as raw, raw.open("r+b") as file:
            present = bootrecord.parameters(file)
            # Something else: zipl has run in the guest, and wrote the map anew.
            zipl = self._noted[0] if present in self._noted[1:] else present
            made = bootrecord.joined(zipl, text)
            if made == present:
                return
            if made != zipl:
                # First, so that whoever finds it on the disk knows what it was.
                self._note(zipl, made)
            bootrecord.set_parameters(file, made)
            self._noted = (zipl, made) if made != zipl else ()
            if made == zipl:
                self._note()


class Running(threading.Thread):
    """A guest, from its start to its end.

    Args:
        disk: what it boots from, where it has something
        parameters: what firmware appends to the kernel parameters there
        folder: where the files go that it has while it runs (default: that of temporary files)
    """

    def __init__(
        self,
        name: str,
        hardware: Hardware,
        teller: Teller,
        *,
        disk: ParametersOnDisk | None = None,
        parameters: str = "",
        folder: Path | None = None,
    ) -> None:
        super().__init__(name=f"guest-{name}", daemon=True)
        self._hardware = hardware
        self._teller = teller
        self._disk = disk
        self._parameters = parameters
        self._folder = folder
        self._orders: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._devices = {each.name: each for each in hardware.devices}
        #: Devices that QEMU refused, so that they are not tried again and again.
        self._refused: dict[str, Device] = {}
        self._console = Console()
        self._line: Line | None = None
        self._ran = False
        self._told = False
        self._panicked = False
        self._halted = False

    def psw_restart(self) -> None:
        """Have the guest's processor take a restart interrupt."""
        self._orders.put("inject-nmi")

    def seat(self) -> Seat | None:
        """Take a place at its ASCII console; None: it has none now."""
        line = self._line
        return line.seat() if line is not None else None

    def type(self, text: str) -> None:
        """Type a line at its console."""
        line = self._line
        if line is not None:
            line.write(f"{text}\n".encode())

    def end(self) -> None:
        """Have it end soon, as a machine does that is switched off; `join` waits for it."""
        self._closing.set()

    def run(self) -> None:
        """Start QEMU, follow it, and put the disk's boot map right at the end."""
        try:
            state = self._prepared()
        except Exception as error:  # noqa: BLE001 - the outermost boundary: a thread of many
            if not isinstance(error, LabError | OSError):
                traceback.print_exc()
            self._say(f"the lab cannot run the guest: {error}")
            state = State.CRASHED if self._ran else State.NOTHING_LOADED
        if not self._closing.is_set():
            self._teller.state(state)
        self._teller.ended()

    def _prepared(self) -> State:
        if self._disk is not None:
            try:
                self._disk.append(self._parameters)
            except bootrecord.BootRecordError as error:
                self._say(f"the boot parameters are not appended: {error}")
        try:
            with tempfile.TemporaryDirectory(prefix="dpm-guest-", dir=self._folder) as folder:
                return self._follow(Path(folder))
        finally:
            if self._disk is not None:
                with contextlib.suppress(bootrecord.BootRecordError):
                    self._disk.restore()

    def _follow(self, folder: Path) -> State:
        errors = folder / "qemu.log"
        tail = Tail(folder / CONSOLE)
        with contextlib.ExitStack() as stack:
            monitor = Monitor(folder / MONITOR, self._closing.is_set)
            stack.callback(monitor.close)
            self._line = Line(folder / TERMINAL)
            stack.callback(self._line.close)
            words = dying_with_us(command(self._hardware, folder))
            process = stack.enter_context(started(words, errors))
            try:
                monitor.greet(lambda: process.poll() is None)
            except MonitorError as error:
                said = errors.read_text(errors="replace").strip()
                raise MonitorError(f"{error}; it said: {said or 'nothing'}") from error
            self._ran = True
            loaded = time.monotonic() + _LOADED
            while process.poll() is None and not self._closing.is_set():
                self._step(monitor, tail)
                if time.monotonic() > loaded:
                    self._tell_that_it_runs()
                if (folder / CONSOLE).stat().st_size > LIMIT:
                    raise MonitorError(f"the guest wrote more than {LIMIT >> 20} MiB")
            # What it said before it ended.
            self._look(monitor, 0.0)
            self._read(tail)
        for line in errors.read_text(errors="replace").splitlines():
            self._say(line)
        return self._outcome()

    def _step(self, monitor: Monitor, tail: Tail) -> None:
        self._look(monitor, _POLL)
        self._read(tail)
        with contextlib.suppress(queue.Empty):
            while True:
                self._try(monitor, self._orders.get_nowait(), {})
        if not (self._panicked or self._halted):
            self._plug(monitor)

    def _look(self, monitor: Monitor, seconds: float) -> None:
        for event in monitor.events(seconds):
            self._panicked |= event["event"] == "GUEST_PANICKED"
            self._halted |= (
                event["event"] == "SHUTDOWN" and event["data"]["reason"] == "guest-shutdown"
            )

    def _read(self, tail: Tail) -> None:
        for data in tail.read():
            for line in self._console.feed(data):
                self._say(line.text)
        # Firmware that finds nothing panics; until then a start is not at its end.
        if self._console.phase != FIRST_PHASE:
            self._tell_that_it_runs()

    def _tell_that_it_runs(self) -> None:
        if not (self._told or self._closing.is_set()):
            self._told = True
            self._teller.state(State.RUNS)

    def _outcome(self) -> State:
        if self._panicked and self._console.phase == FIRST_PHASE:
            return State.NOTHING_LOADED
        return State.HALTED if self._halted else State.CRASHED

    def _plug(self, monitor: Monitor) -> None:
        """Have the guest have the devices that it shall have."""
        wanted = {each.name: each for each in self._teller.devices()}
        for name, device in list(self._devices.items()):
            if wanted.get(name) != device:
                del self._devices[name]
                self._try(monitor, "device_del", {"id": device.device["id"]})
                if device.kind == "netdev":
                    self._try(monitor, "netdev_del", {"id": name})
                else:
                    self._try(monitor, "blockdev-del", {"node-name": name})
        for name, device in wanted.items():
            if name in self._devices or self._refused.get(name) == device:
                continue
            add = "netdev_add" if device.kind == "netdev" else "blockdev-add"
            made = self._try(monitor, add, device.backend)
            if made and self._try(monitor, "device_add", device.device):
                self._devices[name] = device
            else:
                self._refused[name] = device

    def _try(self, monitor: Monitor, order: str, arguments: dict[str, object]) -> bool:
        try:
            monitor.send(order, arguments)
        except MonitorError as error:
            self._say(f"QEMU: {error}")
            return False
        return True

    def _say(self, text: str) -> None:
        if not self._closing.is_set():
            self._teller.text(text)
