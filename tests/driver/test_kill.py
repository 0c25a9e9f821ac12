"""nova-compute is killed again and again: nothing is leaked, nothing is lost, nothing is wrong."""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from dpm_lab.hmc import Fault
from tests import notes
from tests.driver.compute import Compute, Server, hipersockets_port, port, server, wrongs
from tests.driver.lab import Lab
from tests.driver.worker import Journal, Kept, act, note, work

#: How often each machine's nova-compute is killed: a few servers are built between two kills.
KILLS = int(os.environ.get("DPM_KILLS", "12"))
#: How many servers are begun on each machine, in the long form.
SERVERS = int(os.environ.get("DPM_KILL_SERVERS", "200"))
#: Of a second, from the first operation to the kill; in the long form whole builds fit between.
LONGEST, LONGEST_OF_MANY = 0.6, 3.0
#: Requests of a hundred that fail, where an HMC is as bad as that.
FAILING = ({"status": 503}, {"kind": "drop-before"}, {"kind": "drop-after"})

MACHINES = pytest.mark.parametrize("machine", ["z13", "z16", "z17"])
HMCS = pytest.mark.parametrize("failing", [False, True], ids=["sound HMC", "failing HMC"])


@dataclass
class Tally:
    """What has been done so far."""

    kills: int = 0
    operations: int = 0
    servers: int = 0
    amid: int = 0
    wrongs: list[str] = field(default_factory=list)

    def count(self, journal: Journal) -> None:
        """Count what was begun before a kill, and whether it was amid something."""
        begun = [entry["begun"] for entry in journal.read() if "begun" in entry]
        done = sum("done" in entry for entry in journal.read())
        self.kills += 1
        self.operations += len(begun)
        self.servers += begun.count("build")
        self.amid += len(begun) > done

    def __str__(self) -> str:
        return (
            f"{self.kills} kills, {self.amid} of them amid an operation, in {self.operations} "
            f"operations with {self.servers} servers: {len(self.wrongs)} wrongs"
        )


@HMCS
@MACHINES
def test_nothing_is_leaked_lost_or_wrong(machine: str, failing: bool, tmp_path: Path) -> None:
    kill_until(lambda tally: tally.kills >= KILLS, machine, failing, tmp_path, LONGEST)


@pytest.mark.long
@HMCS
@MACHINES
def test_nothing_is_leaked_lost_or_wrong_in_the_long_run(
    machine: str, failing: bool, tmp_path: Path
) -> None:
    kill_until(lambda tally: tally.servers >= SERVERS, machine, failing, tmp_path, LONGEST_OF_MANY)


def kill_until(
    is_enough: Callable[[Tally], bool], machine: str, failing: bool, folder: Path, longest: float
) -> None:
    """Kill a nova-compute, start it again, reconcile and look, again and again."""
    chance = random.Random(f"{machine} {failing}")
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["tests.driver.worker"])
    kept: dict[str, Kept] = {}
    tally = Tally()
    with Lab(machine, apart=True) as lab:
        compute = Compute(lab)
        # A z13 has no partition links, and its NICs on HiperSockets are like any other.
        kinds = (port, hipersockets_port)
        while not is_enough(tally):
            number = tally.kills
            journal = Journal(folder / str(number))
            ports = [chance.choice(kinds)(lab) for _ in range(150)]
            new = [
                replace(server(lab), ports=tuple(ports.pop() for _ in range(chance.randint(0, 2))))
                for _ in range(50)
            ]
            arguments = (lab.options(), str(folder / str(number)), kept, new, ports, number)
            worker = processes.Process(target=work, args=arguments)
            worker.start()
            while not journal.read() and worker.is_alive():
                time.sleep(0.005)
            if failing:
                for fault in FAILING:
                    after = chance.randint(0, 30)
                    lab.control.add_fault(Fault(after=after, times=1, **fault))
            time.sleep(chance.uniform(0.0, longest))
            worker.kill()
            worker.join()
            lab.control.clear_faults()
            compute.restart()
            tally.count(journal)
            tally.wrongs += reconcile(
                lab, compute, kept, journal, {each.uuid: each for each in new}
            )
        notes.add(f"{machine}, {'failing' if failing else 'sound'} HMC: {tally}")
        assert tally.wrongs == []
        for each in list(kept.values()):
            compute.delete(each.server)
        assert lab.left() == []


def reconcile(
    lab: Lab,
    compute: Compute,
    kept: dict[str, Kept],
    journal: Journal,
    new: dict[str, Server],
) -> list[str]:
    """Bring Nova's view up to what was done, do what it does after a restart, and look."""
    begun: dict[str, tuple[str, dict[str, Any] | None]] = {}
    for entry in journal.read():
        uuid = entry["uuid"]
        if "begun" in entry:
            begun[uuid] = entry["begun"], entry["port"]
        else:
            operation, attached = begun.pop(uuid)
            note(kept, kept.get(uuid) or Kept(new[uuid]), operation, attached)
    for uuid, (operation, attached) in begun.items():
        # An interrupted build is in error, and its user deletes it; so is an interrupted attach.
        if operation == "build":
            compute.delete(new[uuid])
        elif operation == "attach":
            assert attached is not None
            instance = kept[uuid].server.instance
            compute.driver.detach_interface(compute.context, instance, attached)
        else:
            act(compute, kept[uuid].server, operation, attached)
            note(kept, kept[uuid], operation, attached)
    found = []
    for uuid, each in kept.items():
        status = "active" if each.is_on else "stopped"
        found += [
            f"{uuid}: {wrong}" for wrong in wrongs(lab, each.server, alone=False, status=status)
        ]
    partitions = lab.control.inventory()["partitions"]
    leaked = set(partitions) - {each.server.partition for each in kept.values()}
    return [*found, *(f"leaked: {name}" for name in sorted(leaked))]
