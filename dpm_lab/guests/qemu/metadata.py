"""The metadata service of a guest's cloud, and the only place that the guest's networks lead to.

A partition has no config drive: the driver refuses one. What it is told, it asks a service at
169.254.169.254 for, over a network that DHCP gave it an address in. So does a guest here. QEMU runs
in a network namespace that has this service in it and nothing else, and its user networks lead a
guest there as a cloud's routers would, over any of its NICs. Neither the builder's networks nor the
builder's own metadata service, where it is a cloud's machine, are in that namespace.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from dpm_lab.errors import LabError
from dpm_lab.guests.disk.apart import dying_with_us
from dpm_lab.guests.qemu import metadata_server
from dpm_lab.guests.qemu.instance import Instance, documents

#: A version that every cloud-init of our distributions knows (cloudinit/sources/helpers/
#: openstack.py: OS_VERSIONS), and the one without a date.
VERSIONS = ("2018-08-27", "latest")


class MetadataError(LabError):
    """No metadata service can be given to a guest."""


def answers(instance: Instance) -> dict[str, str]:
    """Return what the service answers, by path.

    OpenStack's documents, and of EC2's what cloud-init's datasource for OpenStack asks for as well:
    it reads all that the list names (cloudinit/sources/helpers/ec2.py).
    """
    found = {"vendor_data2.json": "{}", **documents(instance, "dhcp")}
    paths = {"/openstack": _lines(VERSIONS)}
    for version in VERSIONS:
        paths[f"/openstack/{version}"] = _lines(found)
        paths |= {f"/openstack/{version}/{name}": text for name, text in found.items()}
    names = {
        "hostname": instance.hostname,
        "instance-id": instance.uuid,
        "local-hostname": instance.hostname,
    }
    paths["/latest/meta-data"] = _lines(names)
    return paths | {f"/latest/meta-data/{name}": text for name, text in names.items()}


def _lines(words: Sequence[str] | dict[str, str]) -> str:
    return "\n".join(words)


class Service:
    """A metadata service that runs."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self._process = process
        self._output = process.stdout
        self._asked = False

    @property
    def asked(self) -> bool:
        """Whether a guest has asked it for anything."""
        if not self._asked:
            self._asked = bool(self._output.read())
        return self._asked

    def inside(self, command: Sequence[str]) -> list[str]:
        """Return `command` so that it runs in the namespace, and dies with this process."""
        return [*entering(str(self._process.pid)), *dying_with_us(command)]


def entering(process: str) -> list[str]:
    """Return the words before a command that make it run in the namespaces of `process`."""
    words = ["nsenter", f"--net=/proc/{process}/ns/net"]
    if os.geteuid() != 0:
        words += [f"--user=/proc/{process}/ns/user", "--preserve-credentials"]
    return [*words, "--"]


@contextmanager
def serving(instance: Instance, ssh_port: int | None = None) -> Iterator[Service]:
    """Yield a service for the guest that is `instance`; `ssh_port` of 127.0.0.1 leads into it."""
    with ExitStack() as stack:
        words, descriptors = [], []
        if ssh_port is not None:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", ssh_port)))
            descriptors = [listener.fileno()]
            words = [str(listener.fileno()), str(ssh_port)]
        program = str(Path(metadata_server.__file__))
        process = stack.enter_context(
            subprocess.Popen(
                dying_with_us([sys.executable, "-I", program, *words]),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=descriptors,
                # Ctrl-C reaches the whole foreground group; it is ended by its input's end.
                start_new_session=True,
            )
        )
        assert process.stdin and process.stdout and process.stderr
        # It ends with its input; the exit of Popen's own context waits for that.
        stack.callback(process.stdin.close)
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps(answers(instance)).encode() + b"\n")
            process.stdin.flush()
        if process.stdout.readline() != b"ready\n":
            reason = process.stderr.read().decode(errors="replace").strip() or "it did not say why"
            raise MetadataError(
                "the guest's metadata service needs a network namespace of its own, which this "
                f"machine does not give: {reason}. Run it as root, allow user namespaces, or give "
                "the guest a config drive (--config-drive)"
            )
        os.set_blocking(process.stdout.fileno(), False)
        yield Service(process)
