"""The same in Nova's other way to make threads: eventlet, which can still be switched on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.nova import mode

ROOT = Path(__file__).parents[2]

CHOSEN = [
    "tests/nova/test_life.py::test_a_server_is_stopped_started_and_deleted[z13]",
    "tests/nova/test_plugging.py::test_a_server_starts_when_neutron_has_plugged_all_its_ports[z13]",
    "tests/nova/test_restart.py"
    "::test_a_new_nova_compute_stops_starts_and_deletes_what_the_old_one_made[z13]",
    "tests/nova/test_console.py::test_the_serial_console_is_where_nova_validates_that_it_is[z16]",
]


def test_this_process_has_native_threads_as_nova_compute_has() -> None:
    assert not mode.uses_eventlet


def test_servers_live_under_eventlet_too() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.nova.mode"]
    # Before all else: eventlet has to patch what pytest and its plug-ins import.
    ran = subprocess.run(
        [*command, "-p", "no:cacheprovider", *CHOSEN, "tests/nova/eventlet_is_used.py"],
        check=False,
        cwd=ROOT,
        env={**os.environ, mode.VARIABLE: "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )

    assert ran.returncode == 0, ran.stdout
