"""The Nova driver on the lab's HMC (``tests/driver``): requests, a start, and builds at once."""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import zhmcclient

from bench.measure import Row, aligned
from tests.driver.compute import Compute, server
from tests.driver.counts import PARTITIONS, Count, counts
from tests.driver.lab import Lab

MACHINES = ("z13", "z16", "z17")
JOB = 1.5
LATENCY = 0.1
BUILDS = 20
ROUNDS = 3

#: The warnings of Nova's libraries about themselves, and the driver's own log.
logging.getLogger().addHandler(logging.NullHandler())


def requests() -> tuple[str, bool]:
    """Return a table of the requests of each operation, and whether all are as few as wanted."""
    headings = ["REQUESTS", "", *(f"N={number}" for number in PARTITIONS)]
    headings += [f"OLD N={number}" for number in PARTITIONS]
    lines = [[*headings, "WANTED", "VERDICT"]]
    missed = False
    for machine in MACHINES:
        by_operation: dict[str, list[Count]] = {}
        for each in counts(machine):
            by_operation.setdefault(each.operation, []).append(each)
        for operation, row in by_operation.items():
            is_met = all(each.requests <= each.most for each in row)
            missed = missed or not is_met
            lines.append(
                [
                    operation,
                    machine,
                    *(str(each.requests) for each in row),
                    *("-" if each.old is None else str(each.old) for each in row),
                    str(row[0].most),
                    "ok" if is_met else "MISSED",
                ]
            )
    return aligned(lines), not missed


def rows() -> Iterator[Row]:
    """Measure starts, and builds at once."""
    ours, zhmcclients = _starts()
    yield Row(f"start, job of {JOB:g} s", "the job", ours, JOB, 1.2)
    yield Row(f"start, job of {JOB:g} s", "zhmcclient's wait (old driver)", ours, zhmcclients)
    for machine in ("z13", "z16"):
        one, many = _builds(machine)
        yield Row(
            f"{BUILDS} spawns at once, {LATENCY * 1000:g} ms a request ({machine})",
            "one spawn",
            many,
            one,
            2.0,
        )


def _starts() -> tuple[float, float]:
    """Start a server by our driver, and its partition by zhmcclient alone."""
    with Lab("z13", storage_ports=1, apart=True, clock=time) as lab:
        compute, subject = Compute(lab), server(lab)
        compute.build(subject)
        connected = compute.connect(subject)
        lab.control.set_duration("start", JOB)
        taken = []
        for _ in range(ROUNDS):
            compute.driver.power_off(subject.instance)
            taken.append(
                _seconds(
                    lambda: compute.driver.power_on(
                        compute.context, subject.instance, subject.ports, connected
                    )
                )
            )
        compute.driver.power_off(subject.instance)
        session = zhmcclient.Session(
            lab.server.host,
            lab.server.userid,
            lab.server.password,
            port=lab.server.port,
            verify_cert=str(lab.server.ca_file),
        )
        partition = zhmcclient.Client(session).cpcs.list()[0].partitions.list()[0]
        waited = _seconds(partition.start)
        session.logoff()
    return statistics.median(taken), waited


def _builds(machine: str) -> tuple[float, float]:
    """Build one server, and twenty at once."""
    with Lab(machine, storage_ports=1, apart=True, clock=time) as lab:
        compute = Compute(lab)
        compute.driver.list_instances()  # so that the logon is not counted
        lab.control.set_latency(LATENCY)
        one = []
        many = []
        with ThreadPoolExecutor(BUILDS) as pool:
            for _ in range(ROUNDS):
                first = server(lab)
                one.append(_seconds(lambda: compute.build(first)))  # noqa: B023
                others = [server(lab) for _ in range(BUILDS)]
                many.append(_seconds(lambda: list(pool.map(compute.build, others))))  # noqa: B023
                list(pool.map(compute.delete, [first, *others]))
    return statistics.median(one), statistics.median(many)


def _seconds(action: Callable[[], object]) -> float:
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin
