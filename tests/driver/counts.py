"""How many requests each operation makes, beside the driver of 2018.

Its figures were counted in its own code: ``get_available_nodes`` 4N+4, ``get_available_resource``
2N+2, a list with the state of all 2N+1, a spawn with one NIC and one HBA 17, power on and off 3
each, a reboot 5, a deletion 6, where N is the number of this host's partitions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from nova.compute.provider_tree import ProviderTree

from tests.driver.compute import Compute, server
from tests.driver.lab import HOST, Lab

PARTITIONS = (1, 10, 85)


@dataclass(frozen=True)
class Count:
    """Requests of an operation on a host with so many partitions, polls not counted.

    Attributes:
        old: of the driver of 2018, None where it could not do it
        most: what is wanted at most. Each start and stop asks for the status that came of it,
            which the driver of 2018 left to Nova; each start asks for each NIC and what is
            behind it, and with storage groups for group and LUN
    """

    machine: str
    operation: str
    partitions: int
    requests: int
    old: int | None
    most: int


def counts(machine: str) -> Iterator[Count]:
    """Count on a machine with one storage port, at each number of partitions."""
    for number in PARTITIONS:
        with Lab(machine, storage_ports=1) as lab:
            # How often it is asked for one that comes late is a matter of time.
            lab.control.set_behaviour(after_start="none", after_stop="none")
            yield from _counts(lab, number)


def _counts(lab: Lab, number: int) -> Iterator[Count]:
    others = f"OpenStack-{HOST}-00000000-0000-4000-8000-{{:012d}}"
    lab.control.add_partitions(number - 1, others)
    compute, subject = Compute(lab), server(lab)
    driver = compute.driver
    driver.get_available_nodes()
    driver.list_instances()  # so that the logon is not counted

    def count(operation: str, action: Callable[[], Any], old: int | None, most: int) -> Count:
        lab.control.reset_log()
        action()
        made = [each for each in lab.control.requests() if "/api/jobs/" not in each.uri]
        return Count(lab.machine, operation, number, len(made), old, most)

    has_groups = lab.has_groups
    yield count(
        "spawn, 1 NIC, 1 storage port",
        lambda: compute.build(subject),
        None if has_groups else 17,
        16 if has_groups else 9,
    )
    yield count("audit", lambda: _audit(compute), 6 * number + 6, 1)
    yield count("list and state of all", lambda: _states(compute), 2 * number + 1, 1)
    yield count("power off", lambda: driver.power_off(subject.instance), 3, 4)
    connected = compute.connect(subject)
    yield count(
        "power on",
        lambda: driver.power_on(compute.context, subject.instance, subject.ports, connected),
        3,
        7 if has_groups else 5,
    )
    yield count(
        "reboot",
        lambda: driver.reboot(compute.context, subject.instance, subject.ports, "HARD", connected),
        5,
        10 if has_groups else 8,
    )
    yield count("delete", lambda: compute.delete(subject), 6, 7)
    for nics in (2, 3):
        # All on one virtual switch: each one of those is asked for its port.
        more = server(lab, nics)
        more = type(more)(more.uuid, tuple({**vif, **_place(more)} for vif in more.ports))
        yield count(
            f"spawn, {nics} NICs, 1 storage port",
            lambda: compute.build(more),  # noqa: B023 - done before the next turn
            None,
            (16 if has_groups else 9) + nics - 1,
        )
        compute.delete(more)


def _place(subject: Any) -> dict[str, Any]:
    return {key: subject.ports[0][key] for key in ("type", "details")}


def _audit(compute: Compute) -> None:
    """Do as ``ComputeManager.update_available_resource`` and the resource tracker."""
    for node in compute.driver.get_available_nodes(refresh=True):
        compute.driver.get_available_resource(node)
        tree = ProviderTree()
        tree.new_root(node, "5cb4a5b6-5ce3-4b9c-9a3b-6d4a5d5a3d5e")
        compute.driver.update_provider_tree(tree, node)


def _states(compute: Compute) -> None:
    """Do as ``ComputeManager._sync_power_states``: the list, and the state of each server."""
    driver = compute.driver
    for uuid in driver.list_instance_uuids():
        subject = server(compute.lab)
        driver.get_info(type(subject)(uuid, ()).instance)
