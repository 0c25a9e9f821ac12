"""Services start in sessions of their own, and end with all that they started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from dpm_lab.cloud import processes
from dpm_lab.cloud.environment import MARK
from dpm_lab.cloud.place import MACHINE, PORTS, Place
from tests.running import is_over

#: One that starts another and waits.
_PARENT = "import subprocess; subprocess.run(['sleep', '600'])"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Return a cloud without services, and end what is left of it."""
    made = Place.make(tmp_path / "cloud", "127.0.0.12", [MACHINE], PORTS)
    yield made
    processes.end(processes.marked(made), patience=0)


def _start(place: Place, name: str, *command: str) -> int:
    variables = {"PATH": os.environ["PATH"], MARK: str(place.folder)}
    return processes.start(place, name, command, variables).pid


def _two(place: Place, name: str = "nova-api") -> list[psutil.Process]:
    """Start a service of two processes."""
    _start(place, name, sys.executable, "-c", _PARENT)
    until = time.monotonic() + 60
    while len(found := processes.members(place, name)) < 2:
        assert time.monotonic() < until
        time.sleep(0.05)
    return found


def test_a_service_ends_with_what_it_started(place: Place) -> None:
    found = _two(place)

    processes.stop(place, ["nova-api"])

    assert all(is_over(each.pid) for each in found)
    assert processes.record(place, "nova-api") is None


def test_what_does_not_end_in_order_ends_by_force(place: Place) -> None:
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1); time.sleep(600)"
    _start(place, "deaf", sys.executable, "-u", "-c", deaf)
    until = time.monotonic() + 60
    while not place.log("deaf").read_text():
        assert time.monotonic() < until
        time.sleep(0.05)

    processes.stop(place, ["deaf"], patience=0.2)

    assert processes.members(place, "deaf") == []


def test_what_is_left_of_a_service_whose_first_process_was_killed_ends_too(place: Place) -> None:
    found = _two(place)
    first = processes.runs(place, "nova-api")
    assert first is not None
    first.kill()
    psutil.wait_procs([first])

    assert processes.runs(place, "nova-api") is None
    assert processes.sweep(place) == 1
    assert all(is_over(each.pid) for each in found)


def test_a_sweep_leaves_what_runs_in_order(place: Place) -> None:
    found = _two(place)

    assert processes.sweep(place) == 0
    assert all(each.is_running() for each in found)


def test_a_process_that_has_the_id_now_is_not_taken_for_the_service(place: Place) -> None:
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as other:
        try:
            place.of("run").mkdir()
            record = {"pid": other.pid, "began": time.time() - 3600}
            place.of("run", "nova-api.json").write_text(json.dumps(record))

            assert processes.runs(place, "nova-api") is None
            processes.stop(place, ["nova-api"])

            assert other.poll() is None
        finally:
            other.kill()


#: One that starts a daemon: in a session of its own, and no child of anybody.
_DAEMON = (
    "import os, sys, time\n"
    "if not os.fork():\n"
    "    os.setsid()\n"
    "    if os.fork(): os._exit(0)\n"
    "    os.execvp('sleep', ['sleep', '600'])\n"
    "os.wait()\n"
    "{then}"
)


def _daemon(place: Place, name: str, then: str = "time.sleep(600)") -> psutil.Process:
    """Start a service, and return the daemon that it starts."""
    _start(place, name, sys.executable, "-c", _DAEMON.format(then=then))
    until = time.monotonic() + 60
    while True:
        found = processes.members(place, name)
        with suppress(psutil.NoSuchProcess):
            daemons = [each for each in found if each.name() == "sleep"]
            if daemons and len(found) == 2:  # the one that forked it is gone
                return daemons[0]
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_daemon_that_left_its_service_ends_with_it(place: Place) -> None:
    daemon, other = _daemon(place, "neutron-dhcp-agent"), _daemon(place, "other")

    processes.stop(place, ["neutron-dhcp-agent"], patience=600)

    assert is_over(daemon.pid)
    assert not is_over(other.pid)


def test_a_daemon_is_no_leftover_as_long_as_its_service_runs(place: Place) -> None:
    daemon = _daemon(place, "neutron-dhcp-agent")

    assert processes.sweep(place) == 0
    assert not is_over(daemon.pid)


def test_a_daemon_whose_service_was_killed_is_a_leftover(place: Place) -> None:
    daemon = _daemon(place, "neutron-dhcp-agent")
    first = processes.runs(place, "neutron-dhcp-agent")
    assert first is not None
    first.kill()
    psutil.wait_procs([first])

    assert processes.sweep(place) == 1
    assert is_over(daemon.pid)
