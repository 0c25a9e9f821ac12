"""nova-compute is killed again and again: nothing is leaked, nothing is lost, nothing is wrong."""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from pathlib import Path
from typing import Any

import pytest

from dpm_lab.hmc import Fault
from tests import notes
from tests.driver.compute import Compute, Server, port, server, wrongs
from tests.driver.lab import Lab
from tests.driver.worker import Journal, Kept, act, note, work

#: How often each machine's nova-compute is killed: a few servers are built between two kills.
KILLS = int(os.environ.get("DPM_KILLS", "12"))
#: Of a second, from the first operation to the kill.
LONGEST = 0.6
#: Requests of a hundred that fail, where an HMC is as bad as that.
FAILING = ({"status": 503}, {"kind": "drop-before"}, {"kind": "drop-after"})


@pytest.mark.parametrize("failing", [False, True], ids=["sound HMC", "failing HMC"])
@pytest.mark.parametrize("machine", ["z13", "z16", "z17"])
def test_nothing_is_leaked_lost_or_wrong(machine: str, failing: bool, tmp_path: Path) -> None:
    chance = random.Random(f"{machine} {failing}")
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["tests.driver.worker"])
    kept: dict[str, Kept] = {}
    told: list[str] = []
    begun = 0
    with Lab(machine, apart=True) as lab:
        compute = Compute(lab)
        for number in range(KILLS):
            journal = Journal(tmp_path / str(number))
            new = [server(lab, ports=chance.randint(0, 2)) for _ in range(50)]
            ports = [port(lab, each) for each in range(50)]
            arguments = (lab.options(), str(tmp_path / str(number)), kept, new, ports, number)
            worker = processes.Process(target=work, args=arguments)
            worker.start()
            while not journal.read() and worker.is_alive():
                time.sleep(0.005)
            if failing:
                for fault in FAILING:
                    after = chance.randint(0, 30)
                    lab.control.add_fault(Fault(after=after, times=1, **fault))
            time.sleep(chance.uniform(0.0, LONGEST))
            worker.kill()
            worker.join()
            lab.control.clear_faults()
            compute.restart()
            begun += sum("begun" in each for each in journal.read())
            told += reconcile(lab, compute, kept, journal, {each.uuid: each for each in new})
        notes.add(f"{machine}: {KILLS} kills amid {begun} operations, {len(told)} wrongs")
        assert told == []
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
