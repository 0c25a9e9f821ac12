"""Runs inside a guest, once cloud-init is done: what the host asks for, and sends the answers.

This file is not imported there but copied, with the metadata, and run by
the guest's own ``python3``: standard library only, Python 3.9.

That goes over a virtio-serial port of its own and not over the console: the kernel, systemd and
every getty write to the console whenever they like, in the middle of a line too. The port is ours
alone and loses nothing, so one JSON object per line is all the framing that is needed. It begins
with cloud-init's result, in which ``errors`` is null where cloud-init left none::

    {"kind": "cloud-init", "errors": [], "datasource": "..."}

Then the host asks, one thing after the other, and is answered::

    {"step": "status", "command": "dpm-guest status"}
    {"kind": "output", "step": "status", "data": "<base64>"}
    {"kind": "exit", "step": "status", "code": 0}
    {"power_off": true}
    {"kind": "end"}

The arguments are addresses that a packet is sent to, so that each NIC is seen on the wire.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from io import RawIOBase
from pathlib import Path
from typing import Any

PORT_NAME = "org.nova-dpm.report"

#: cloud-init's documented result file; written when its last stage ends.
RESULT = Path("/run/cloud-init/result.json")


def send(port: RawIOBase, kind: str, **fields: Any) -> None:
    """Write one event; the port is unbuffered, so it leaves at once."""
    port.write(json.dumps({"kind": kind, **fields}).encode("ascii") + b"\n")


def cloud_init_result(path: Path = RESULT) -> dict[str, Any]:
    """Return what cloud-init says about its run, as fields of an event."""
    try:
        result = json.loads(path.read_text(encoding="utf-8"))["v1"]
        return {"errors": list(result["errors"]), "datasource": str(result["datasource"])}
    except (OSError, ValueError, KeyError, TypeError):
        return {"errors": None, "datasource": ""}


def poke(address: str) -> None:
    """Send one packet towards `address`, so that the interface shows its MAC on the wire."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        try:
            sender.sendto(b"nova-dpm", (address, 9))
        except OSError as error:
            print(f"dpm-image: nothing can be sent to {address}: {error}", file=sys.stderr)


def run_step(port: RawIOBase, name: str, command: str) -> None:
    """Run one shell command and pass on what it writes while it writes it."""
    # systemd starts services with a bare environment; a login shell's users expect these two.
    # JOURNAL_STREAM would make commands write to us what only the journal understands.
    environment = {**os.environ, "HOME": "/root", "LC_ALL": "C.UTF-8"}
    environment.pop("JOURNAL_STREAM", None)
    with subprocess.Popen(
        ["/bin/sh", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
    ) as process:
        assert process.stdout is not None
        for data in iter(lambda: os.read(process.stdout.fileno(), 4096), b""):  # type: ignore[union-attr]
            send(port, "output", step=name, data=base64.b64encode(data).decode("ascii"))
    code = process.returncode
    # A shell says 128 + n for a command that signal n ended; say the same for the shell itself.
    send(port, "exit", step=name, code=128 - code if code < 0 else code)


def serve(port: RawIOBase) -> bool:
    """Do what the host asks for; return whether it asked for the machine's end."""
    for line in iter(port.readline, b""):
        request = json.loads(line)
        if request.get("power_off"):
            send(port, "end")
            return True
        run_step(port, request["step"], request["command"])
    return False


def main(addresses: Sequence[str]) -> int:
    """Serve the host until it hangs up or has the machine powered off."""
    name = f"/dev/virtio-ports/{PORT_NAME}"
    with open(name, "r+b", buffering=0) as port:  # noqa: PTH123 - Path.open types it less well
        send(port, "cloud-init", **cloud_init_result())
        for address in addresses:
            poke(address)
        ends = serve(port)
    if ends:
        subprocess.run(["systemctl", "poweroff"], check=False)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
