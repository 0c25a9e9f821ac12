"""Starts services and ends them, by the process ids that were written down.

Each service leads a session of its own, in which what it starts is, too. A process id alone says
little: it may be another process' by now. So the record has the time at which the process began.
What no record knows is found by the cloud's mark in its environment, and what left its service's
session (dnsmasq and haproxy do) by the service's.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from dpm_lab.cloud.environment import MARK, SERVICE
from dpm_lab.cloud.place import Place

#: Seconds for which a service may end in order.
PATIENCE = 10.0
#: Seconds by which the beginning of a process seems to move when the clock is set a little: the
#: kernel counts from the machine's boot, whose time it says in whole seconds (proc(5), btime).
_SAME = 2.5


@dataclass(frozen=True)
class Record:
    """A process that was started: its id, and when it began (seconds since the epoch)."""

    pid: int
    began: float

    def process(self) -> psutil.Process | None:
        """Return the process, if it still runs."""
        try:
            found = psutil.Process(self.pid)
            is_it = abs(found.create_time() - self.began) < _SAME
            return found if is_it and found.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None


def _file(place: Place, name: str) -> Path:
    return place.of("run", f"{name}.json")


def start(
    place: Place,
    name: str,
    command: Sequence[str],
    environment: Mapping[str, str],
) -> subprocess.Popen[bytes]:
    """Start a service; its output goes to its log."""
    for folder in ("run", "log"):
        place.of(folder).mkdir(exist_ok=True)
    with place.log(name).open("ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**environment, SERVICE: name},
            cwd=place.folder,
            start_new_session=True,
        )
    record = {"pid": process.pid, "began": psutil.Process(process.pid).create_time()}
    _file(place, name).write_text(json.dumps(record), encoding="ascii")
    return process


def record(place: Place, name: str) -> Record | None:
    """Return what was written down when a service was started; None where it was not."""
    try:
        return Record(**json.loads(_file(place, name).read_text(encoding="ascii")))
    except (OSError, ValueError, TypeError):
        return None


def runs(place: Place, name: str) -> psutil.Process | None:
    """Return the process of a service, if it runs."""
    found = record(place, name)
    return found.process() if found else None


def members(place: Place, name: str) -> list[psutil.Process]:
    """Return all processes of a service."""
    found = record(place, name)
    return _of(place, {name: found})


def _of(place: Place, leaders: Mapping[str, Record | None]) -> list[psutil.Process]:
    """Return what is in the sessions of services' first processes, or was started by them.

    A session's id is no other process' id as long as one process is in it, so it is the one that
    was written down if no process has the id, or the one that had it then. The mark alone would
    not do: a service that sets its title writes over its environment.
    """
    known = [each for each in leaders.values() if each]
    sessions = {each.pid for each in known if each.process() or not psutil.pid_exists(each.pid)}
    below = _below(known)
    marks = {(str(place.folder), name) for name in leaders}
    return [
        each
        for each in psutil.process_iter()
        if each.pid in below or _session(each.pid) in sessions or _marks(each) in marks
    ]


def _below(leaders: Iterable[Record]) -> set[int]:
    below: set[int] = set()
    for leader in leaders:
        with contextlib.suppress(psutil.Error):
            process = leader.process()
            below |= {each.pid for each in process.children(recursive=True)} if process else set()
    return below


def _marks(process: psutil.Process) -> tuple[str, str]:
    """Return the cloud and the service that a process says it is of."""
    try:
        variables = process.environ()
    except (psutil.Error, OSError):
        return "", ""
    return variables.get(MARK, ""), variables.get(SERVICE, "")


def marked(place: Place) -> list[psutil.Process]:
    """Return all processes that a cloud started, whether they were written down or not."""
    return [each for each in psutil.process_iter() if _marks(each)[0] == str(place.folder)]


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def stop(place: Place, names: Iterable[str], patience: float = PATIENCE) -> None:
    """End services, all at once: in order, and by force what does not end within `patience`."""
    names = list(names)
    records = {name: record(place, name) for name in names}
    ours = _of(place, records)
    leaders = [found for found in records.values() if found]
    theirs = _below(leaders)
    first = {each.pid for each in leaders}
    for process in ours:
        # One that left its service has nobody else who would tell it.
        is_daemon = process.pid not in theirs and _session(process.pid) not in first
        if process.pid in first or is_daemon:
            _send(process, signal.SIGTERM)
    end(ours, patience)
    for name in names:
        _file(place, name).unlink(missing_ok=True)


def end(processes: Sequence[psutil.Process], patience: float) -> None:
    """Wait until processes have ended, and end by force what is left of them then."""
    until = time.monotonic() + patience
    left = list(processes)
    while left and time.monotonic() < until:
        left = [each for each in left if _is_alive(each)]
        time.sleep(0.1 if left else 0)
    for process in left:
        _send(process, signal.SIGKILL)
    psutil.wait_procs(left, timeout=5)


def kill(place: Place, name: str) -> None:
    """End a service as a crash does."""
    for process in members(place, name):
        _send(process, signal.SIGKILL)
    psutil.wait_procs(members(place, name), timeout=5)


@contextlib.contextmanager
def held(place: Place, name: str) -> Iterator[None]:
    """Let a service do nothing for a while; it is there all the same."""
    found = members(place, name)
    for process in found:
        _send(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in found:
            _send(process, signal.SIGCONT)


def sweep(place: Place) -> int:
    """End what a crash left: processes of the cloud of which no record is. Return how many."""
    # These first: what a service starts from here on is no suspect.
    suspects = marked(place)
    leaders = {
        path.stem: found
        for path in place.of("run").glob("*.json")
        if (found := record(place, path.stem)) and found.process()
    }
    known = {each.pid for each in _of(place, leaders)}
    left = [each for each in suspects if each.pid not in known]
    for process in left:
        _send(process, signal.SIGTERM)
    end(left, 3.0)
    return len(left)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _send(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.Error):
        process.send_signal(number)


def memory(place: Place, name: str) -> int:
    """Return the memory of a service's processes in bytes, each page counted once (PSS)."""
    total = 0
    for process in members(place, name):
        with contextlib.suppress(psutil.Error, OSError):
            total += process.memory_full_info().pss
    return total
