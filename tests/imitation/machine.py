"""The machine as a test sees it."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from . import namespace
from .cards import Card, Description, Write, bus_id
from .udevd import Event

ROOT = Path(__file__).resolve().parents[2]
SYSFS = namespace.IMITATION / "sys"
PROCFS = namespace.IMITATION / "proc"
CMDLINE = Path("/run/cmdline")
LOCAL = Path("/run/dpm-guest.d")
# Only to end a test that hangs.
PATIENCE = 300.0


@dataclass(frozen=True)
class Result:
    """How a run of the agent ended."""

    rc: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        return self.stdout + self.stderr


class Machine:
    """A machine that runs from ``with`` to its end.

    ``sys`` and ``proc`` are its file systems as seen from the test; what the test itself writes
    there is not in ``writes``.
    """

    def __init__(
        self,
        cards: Iterable[Card],
        modules_loaded: tuple[str, ...] = ("qeth",),
        modules_missing: tuple[str, ...] = (),
        cio_ignore_all: bool = False,
        rules: Mapping[str, str] | None = None,
        sysinfo: str = "",
    ) -> None:
        self._description = Description(
            cards=tuple(cards),
            modules_loaded=modules_loaded,
            modules_missing=modules_missing,
            cio_ignore_all=cio_ignore_all,
            rules=dict(rules or {}),
            sysinfo=sysinfo,
        )
        self._process: subprocess.Popen[str] | None = None
        self._pid = 0

    def __enter__(self) -> Machine:
        lacks = namespace.missing()
        if lacks:
            raise RuntimeError(f"the imitation needs, and this host lacks: {'; '.join(lacks)}")
        package = __package__ or "imitation"
        root = Path(__file__).resolve().parents[package.count(".") + 1]
        self._process = subprocess.Popen(
            [*_UNSHARE, sys.executable, "-m", f"{package}.supervisor"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PATH": _PATH, "PYTHONPATH": str(root)},
        )
        try:
            self._pid = self._exchange(self._description.to_json())["pid"]
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        broken = self._do("broken") if error is None and self._process else []
        self._end()
        assert not broken, f"the imitation itself failed: {broken[0]}"

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin and process.stdout
        process.stdin.close()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()

    def _exchange(self, line: str) -> dict[str, Any]:
        assert self._process and self._process.stdin and self._process.stdout
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the machine's supervisor ended, see its traceback on stderr")
        content: dict[str, Any] = json.loads(answer)
        if "error" in content:
            raise RuntimeError(content["error"])
        return content

    def _do(self, what: str, *arguments: Any) -> Any:
        return self._exchange(json.dumps({"do": what, "arguments": arguments}))["result"]

    # the agent

    def run(self, *arguments: str, tuples: str = "", timeout: float = PATIENCE) -> Result:
        """``dpm-guest`` with these arguments on the machine; ``tuples`` go on its command line."""
        process = self.start(*arguments, tuples=tuples)
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return Result(process.returncode, stdout, stderr)

    def start(
        self, *arguments: str, tuples: str = "", through: Iterable[str] = ()
    ) -> subprocess.Popen[str]:
        """Like ``run``, but does not wait for the end; ``through`` is a command that starts it."""
        self.path(CMDLINE).write_text(f"root=LABEL=root quiet {tuples}\n")
        agent = [sys.executable, "-m", "dpm_guest", *arguments]
        places = ["--sysfs", str(SYSFS), "--procfs", str(PROCFS), "--cmdline", str(CMDLINE)]
        return self.spawn(*through, *agent, *places, "--local", str(LOCAL))

    def spawn(self, *command: str) -> subprocess.Popen[str]:
        """Any program on the machine."""
        return subprocess.Popen(
            ["nsenter", f"--target={self._pid}", "--mount", "--net", "--pid", "--ipc", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={
                "PATH": f"{namespace.PROGRAMS}:{_PATH}",
                "PYTHONPATH": str(ROOT),
                "LC_ALL": "C.UTF-8",
            },
        )

    def shell(self, command: str) -> Result:
        """A command line as an administrator of the machine types it."""
        process = self.spawn("sh", "-c", command)
        stdout, stderr = process.communicate(timeout=PATIENCE)
        return Result(process.returncode, stdout, stderr)

    def status(self, tuples: str = "") -> Any:
        return json.loads(self.run("status", "--json", tuples=tuples).stdout)

    # what the machine looks like

    def path(self, path: str | Path) -> Path:
        """A path of the machine, as the test reaches it."""
        return Path(f"/proc/{self._pid}/root{path}")

    @property
    def sys(self) -> Path:
        return self.path(SYSFS)

    @property
    def proc(self) -> Path:
        return self.path(PROCFS)

    def attribute(self, devno: str, name: str) -> str:
        """An attribute of the card's group device, such as ``portno``."""
        return (self.sys / "bus/ccwgroup/devices" / bus_id(devno) / name).read_text().rstrip("\n")

    def write(self, path: str, value: str) -> None:
        """A write below /sys by the administrator; raises as the kernel refuses."""
        handle = os.open(self.sys / path, os.O_WRONLY)
        try:
            os.write(handle, value.encode())
        finally:
            os.close(handle)

    def set(self, devno: str, name: str, value: object) -> None:
        """The administrator writes an attribute of the card's group device."""
        self.write(f"bus/ccwgroup/devices/{bus_id(devno)}/{name}", str(value))

    def group(self, *devnos: str) -> None:
        """The administrator groups a card: by its device number, or by its three."""
        ids = devnos if len(devnos) > 1 else Card(devnos[0]).devnos
        self.write("bus/ccwgroup/drivers/qeth/group", ",".join(map(bus_id, ids)))

    def regroup(self, devno: str) -> None:
        """Groups right after an ungroup or a plug, when the kernel is not yet ready for it."""

        def grouped() -> bool:
            try:
                self.group(devno)
            except OSError as error:
                assert error.errno == errno.EINVAL
                return False
            return True

        self.wait(grouped)

    def bring_online(self, devno: str) -> None:
        """The administrator groups a card, takes it online and waits for udev."""
        self.group(devno)
        self.set(devno, "online", 1)
        self.wait_for_udev(devno)

    def interface(self, devno: str) -> str | None:
        name: str | None = self._do("interface", devno)
        return name

    def link(self, devno: str, name: str) -> str:
        """An attribute of the card's interface, such as ``address``."""
        return (self.sys / "class/net" / str(self.interface(devno)) / name).read_text().strip()

    def mac(self, devno: str) -> str:
        return self.link(devno, "address")

    # what happened

    @property
    def writes(self) -> list[Write]:
        """All writes below /sys, /proc and to modprobe by programs on the machine, in order."""
        return [Write(**write) for write in self._do("writes")]

    @property
    def writing(self) -> list[str]:
        """The paths of the writes that have not returned yet."""
        return list(self._do("writing"))

    def forget_writes(self) -> None:
        self._do("forget_writes")

    @property
    def events(self) -> list[Event]:
        return [Event(**event) for event in self._do("events")]

    @property
    def modules(self) -> list[str]:
        return list(self._do("modules"))

    @property
    def udevd_log(self) -> str:
        return str(self._do("udevd_log"))

    def wait(self, condition: Callable[[], bool]) -> None:
        """Until the condition holds; the limit only ends a test that hangs."""
        limit = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < limit, "waited in vain"
            time.sleep(0.01)

    def wait_for_udev(self, devno: str, times: int = 1) -> None:
        """Until udevd is done with the card's interface, and was so many times in all.

        Its last event is the ``move`` of the rename; when processing that it applies the ``.link``
        file once more.
        """
        last = ("udev", "move", Card(devno).name_path)

        def done() -> bool:
            events = [(event.source, event.action, event.interface) for event in self.events]
            return events.count(last) >= times

        self.wait(done)

    def announced(self, devno: str) -> Event:
        """udevd's ``add`` of the card's interface."""
        self.wait_for_udev(devno)
        name = Card(devno).name_path
        return next(
            event
            for event in self.events
            if (event.source, event.action, event.interface) == ("udev", "add", name)
        )

    # what others do to it

    def set_mac(self, devno: str, mac: str) -> None:
        """Somebody sets another address."""
        self._do("set_mac", devno, mac)

    def answer(self, devno: str) -> None:
        """A silent card answers its ``online`` now, and later ones at once."""
        self._do("answer", devno)

    def plug(self, devno: str) -> None:
        self._do("plug", devno)

    def unplug(self, devno: str) -> None:
        self._do("unplug", devno)


_UNSHARE = ("unshare", "--mount", "--net", "--pid", "--ipc", "--fork", "--kill-child")
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin:/sbin:/bin"
