"""A server's serial console, as its user reaches it: over nova-serialproxy."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing

import pytest

from dpm_lab.cloud.api import Api
from dpm_lab.cloud.console import ESCAPE, connected, console_url
from tests.cloud.user import User

pytestmark = pytest.mark.slow


def test_a_user_types_at_the_console_and_reads(user: User) -> None:
    """The lab's HMC imitates a guest that echoes."""
    server = user.server()

    with closing(connected(console_url(Api(user.place), server))) as console:
        said = b""
        while b"login: " not in said:
            said += console.recv_data()[1]
        console.send_binary(b"root\r")
        while b"you typed: root" not in said:
            said += console.recv_data()[1]

    command = [sys.executable, "-m", "dpm_lab", "cloud", "--folder", str(user.place.folder)]
    with subprocess.Popen(
        [*command, "console", "test"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as shown:
        assert shown.stdin is not None
        assert shown.stdout is not None
        shown.stdin.write(b"echo\r")
        shown.stdin.flush()
        said = b""
        while b"you typed: echo" not in said:
            data = os.read(shown.stdout.fileno(), 4096)
            assert data, said
            said += data
        shown.stdin.write(ESCAPE)
    assert shown.returncode == 0
