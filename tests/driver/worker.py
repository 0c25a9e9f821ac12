"""A nova-compute in a process of its own: it does this and that with its servers until killed."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from nova import objects

from nova_dpm.driver import DPMDriver
from tests.driver.compute import Compute, Server
from tests.driver.haste import HASTY
from tests.driver.lab import Lab, configure

objects.register_all()


@dataclass(frozen=True)
class Configured:
    """A compute host, by its options."""

    options: dict[str, Any]

    def driver(self, virtapi: Any, read_timeout: float | None = None) -> DPMDriver:
        """Return a new driver."""
        configure(self.options)
        return DPMDriver(virtapi, HASTY)


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


def act(compute: Compute, subject: Server, operation: str, port: dict[str, Any] | None) -> None:
    """Do an operation on a server."""
    driver, instance = compute.driver, subject.instance
    actions: dict[str, Callable[[], object]] = {
        "build": lambda: compute.build(subject),
        "delete": lambda: compute.delete(subject),
        "reboot": lambda: compute.reboot(subject),
        "off": lambda: driver.power_off(instance),
        "on": lambda: compute.power_on(subject),
        "attach": lambda: driver.attach_interface(compute.context, instance, None, port or {}),
        "detach": lambda: driver.detach_interface(compute.context, instance, subject.ports[-1]),
    }
    actions[operation]()


def after(kept: Kept, operation: str, port: dict[str, Any] | None) -> Kept | None:
    """Return what a server is after an operation, None where it is gone."""
    subject = kept.server
    if operation == "delete":
        return None
    if operation == "attach" and port is not None:
        return replace(kept, server=replace(subject, ports=(*subject.ports, port)))
    if operation == "detach":
        return replace(kept, server=replace(subject, ports=subject.ports[:-1]))
    return replace(kept, is_on=operation != "off")


def note(servers: dict[str, Kept], kept: Kept, operation: str, port: dict[str, Any] | None) -> None:
    """Note that an operation was done."""
    changed = after(kept, operation, port)
    if changed is None:
        del servers[kept.server.uuid]
    else:
        servers[kept.server.uuid] = changed


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
        act(compute, kept.server, operation, port)
        journal.write(done=operation, uuid=uuid)
        note(servers, kept, operation, port)
