"""A nova-compute in a process of its own: it does this and that with its servers until killed."""

from __future__ import annotations

import json
import os
import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from nova import objects

from nova_dpm.driver import DPMDriver
from tests.driver.compute import Compute, Server
from tests.driver.lab import Lab, configure

objects.register_all()


@dataclass(frozen=True)
class Configured:
    """A compute host, by its options."""

    options: dict[str, Any]

    def driver(self, virtapi: Any, read_timeout: float | None = None) -> DPMDriver:
        """Return a new driver."""
        configure(self.options)
        return DPMDriver(virtapi)


@dataclass(frozen=True)
class Kept:
    """What Nova's database knows of a server."""

    server: Server
    is_on: bool = True


class Journal:
    """What was begun and what was done, as Nova's database would have it after a crash."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, **entry: Any) -> None:
        """Add an entry; it is in the file when this returns."""
        with self._path.open("a") as file:
            file.write(json.dumps(entry) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> list[dict[str, Any]]:
        """Return the entries; one that was being written counts as none."""
        entries = []
        for line in self._path.read_text().splitlines() if self._path.exists() else ():
            try:
                entries.append(json.loads(line))
            except ValueError:
                break
        return entries


OPERATIONS = ("build", "delete", "reboot", "off", "on", "attach", "detach")


def act(compute: Compute, kept: Kept, operation: str, port: dict[str, Any] | None) -> Kept | None:
    """Do an operation; return what the server is then, None where it is gone."""
    subject = kept.server
    if operation == "build":
        compute.build(subject)
    elif operation == "delete":
        compute.delete(subject)
        return None
    elif operation == "reboot":
        compute.reboot(subject)
        return replace(kept, is_on=True)
    elif operation == "off":
        compute.driver.power_off(subject.instance)
        return replace(kept, is_on=False)
    elif operation == "on":
        compute.power_on(subject)
        return replace(kept, is_on=True)
    elif operation == "attach":
        assert port is not None
        compute.driver.attach_interface(compute.context, subject.instance, None, port)
        return replace(kept, server=replace(subject, ports=(*subject.ports, port)))
    elif operation == "detach":
        compute.driver.detach_interface(compute.context, subject.instance, subject.ports[-1])
        return replace(kept, server=replace(subject, ports=subject.ports[:-1]))
    return kept


def work(
    options: dict[str, Any],
    path: str,
    servers: dict[str, Kept],
    new: list[Server],
    ports: list[dict[str, Any]],
    seed: int,
) -> None:
    """Do one thing after the other with random servers, until somebody kills this process."""
    chance = random.Random(seed)
    journal = Journal(Path(path))
    compute = Compute(cast(Lab, Configured(options)))
    while new and ports:
        possible = [each for each in OPERATIONS if each == "build" or servers]
        operation = chance.choice(possible)
        kept = Kept(new.pop()) if operation == "build" else chance.choice([*servers.values()])
        if operation == "detach" and len(kept.server.ports) < 2:
            continue
        # A z13 takes ports in stopped servers only.
        if operation == "attach" and (kept.is_on or len(kept.server.ports) > 3):
            continue
        port = ports.pop() if operation == "attach" else None
        uuid = kept.server.uuid
        journal.write(begun=operation, uuid=uuid, port=port)
        after = act(compute, kept, operation, port)
        journal.write(done=operation, uuid=uuid)
        if after is None:
            del servers[uuid]
        else:
            servers[uuid] = after
