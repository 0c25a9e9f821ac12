"""Run inside a system of :mod:`tests.packaging.roots`: the agent's watcher beside a real udevd."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pyudev

from dpm_guest.watch import Watcher


def main() -> None:
    """Wait for udev to be done with a new interface, by its events only."""
    subprocess.run(["/lib/systemd/systemd-udevd", "--daemon"], check=True)
    assert Path("/run/udev/control").exists()
    wake, _ = os.pipe()
    watcher = Watcher(wake)
    assert watcher.missing == "", watcher.missing

    command = ["ip", "link", "add", "first", "type", "veth", "peer", "name", "second"]
    subprocess.run(command, check=True)
    index = socket.if_nametoindex("first")
    # Nothing but an event of udev's ends the wait; an unheard one is the caller's time-out.
    watcher.wait(3600)
    while not watcher.finished_with(index):
        watcher.wait(3600)
    print(f"{sys.version_info[0]}.{sys.version_info[1]} {pyudev.__version__}")


main()
