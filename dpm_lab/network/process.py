"""The switch in a process that ends with this one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from dpm_lab.network.segments import NetworkError, check
from dpm_lab.process import wait_or_kill
from dpm_lab.startable import Startable

_STOP = 5.0


class SwitchProcess(Startable):
    """The switch of a folder, from `start` to `close`. A context manager."""

    def __init__(self, networks: Path) -> None:
        self.networks = networks.absolute()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it serves.

        Raises:
            NetworkError: there can be no sockets in the folder, or it ends at once.
        """
        check(self.networks)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dpm_lab.network.switch", str(self.networks)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        with self._process.stdout as said:
            if not said.readline():
                self.close()
                raise NetworkError(f"the switch of {self.networks} does not start; it said why")

    @property
    def pid(self) -> int | None:
        """The id of its process, while there is one."""
        return self._process.pid if self._process else None

    def close(self) -> None:
        """End it."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()  # which it takes for the end
        wait_or_kill(process, _STOP)
