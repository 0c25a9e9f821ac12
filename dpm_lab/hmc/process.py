"""The same HMC in a process of its own: for tests in processes that eventlet has patched."""

from __future__ import annotations

import contextlib
import http.client
import json
import secrets
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from dpm_lab.hmc.control import Control
from dpm_lab.hmc.errors import ControlError, StartError
from dpm_lab.hmc.machines import reading
from dpm_lab.hmc.wire.files import SECRET, write_new
from dpm_lab.hmc.wire.https import TOKEN
from dpm_lab.process import wait_or_kill
from dpm_lab.startable import Startable

_START = 30.0
_STOP = 10.0
_ORDER = 60.0


class HmcProcess(Startable):
    """An HMC in a process that ends with this one. A context manager.

    Args:
        machines: names of machines of the lab, or files
        options: further arguments for ``dpm-lab hmc``

    Raises:
        StartError: it does not start; says what it wrote
    """

    def __init__(
        self,
        *machines: str | Path,
        host: str = "127.0.0.1",
        port: int = 0,
        stomp_port: int = 0,
        userid: str = "labuser",
        password: str | None = None,
        options: tuple[str, ...] = (),
    ) -> None:
        self._names = tuple(map(str, machines)) or ("z16",)
        self.machines = reading.read_all(self._names)
        self.userid = userid
        self.password = password if password is not None else secrets.token_urlsafe(12)
        self._options = options
        self.token = secrets.token_urlsafe(24)
        self.host = host
        self.port = port
        self.stomp_port = stomp_port
        self.control = Control(self._order)

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.folder = Path(tempfile.mkdtemp(prefix="dpm-hmc-"))
        self.ca_file = self.folder / "ca.pem"
        # In files, so that no process list shows them.
        write_new(self.folder / "password", self.password, SECRET)
        write_new(self.folder / "token", self.token, SECRET)
        command = [sys.executable, "-m", "dpm_lab", "hmc", "--user", self.userid]
        for name in self._names:
            command += ["--machine", name]
        command += ["--host", self.host, "--port", str(self.port), "--folder", str(self.folder)]
        command += ["--stomp-port", str(self.stomp_port)]
        command += ["--password-file", str(self.folder / "password")]
        command += ["--serve-parent", str(self.folder / "token"), *self._options]
        with (self.folder / "output").open("wb") as output:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT
            )
        ready = self.folder / "ready.json"
        deadline = time.monotonic() + _START
        while not ready.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                text = (self.folder / "output").read_text(errors="replace").strip()
                self.close()
                raise StartError(f"the HMC's process does not start; it wrote: {text}")
            time.sleep(0.02)
        place = json.loads(ready.read_text())
        self.port, self.stomp_port = place["port"], place["stomp-port"]
        self._context = ssl.create_default_context(cafile=str(self.ca_file))

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self._process.pid

    def close(self) -> None:
        """End it and remove its folder."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()  # which it takes for the end
        wait_or_kill(self._process, _STOP)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _order(self, order: str, arguments: dict[str, Any]) -> Any:
        connection = http.client.HTTPSConnection(
            self.host, self.port, context=self._context, timeout=_ORDER
        )
        try:
            connection.request(
                "POST",
                f"/lab/{order}",
                json.dumps(arguments).encode(),
                {TOKEN: self.token, "Content-Type": "application/json"},
            )
            response = connection.getresponse()
            answer = json.loads(response.read() or b"{}")
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ControlError(f"order {order!r}: the HMC does not answer: {error}") from error
        finally:
            connection.close()
        if response.status != 200:
            raise ControlError(str(answer.get("error", f"order {order!r}: {response.status}")))
        return answer["result"]
