"""The status of a partition after the jobs of its start and stop."""

from __future__ import annotations

import pytest

from dpm_lab.hmc import Fault
from tests.hmc.lab.client import Lab, refused, until
from tests.hmc.lab.test_storage_groups import TARGET, attached, ports


def test_after_a_start_paused_may_be_shown_for_a_while(z16: Lab) -> None:
    partition = z16.partition()
    z16.control.set_behaviour(after_start="paused:60")
    z16.start(partition)
    assert z16.status(partition) == "paused"

    z16.stop(partition)
    z16.control.set_behaviour(after_start="paused:0.02")
    z16.start(partition)

    until(lambda: z16.status(partition) == "active")


@pytest.mark.parametrize(
    ("text", "shown"),
    [("stale:60", "active"), ("paused:60", "paused"), ("stopping:60", "stopping")],
)
def test_after_a_stop_another_status_may_be_shown_for_a_while(
    z16: Lab, text: str, shown: str
) -> None:
    partition = z16.partition()
    z16.start(partition)
    z16.control.set_behaviour(after_stop=text)

    z16.stop(partition)

    assert z16.status(partition) == shown
    for change in (partition.delete, lambda: partition.start(wait_for_completion=False)):
        with refused(409, 1, shown):
            change()


def test_a_stale_status_ends_stopped(z16: Lab) -> None:
    partition = z16.partition()
    z16.start(partition)
    z16.control.set_behaviour(after_stop="stale:0.02")

    z16.stop(partition)

    until(lambda: z16.status(partition) == "stopped")


def test_a_status_that_was_on_its_way_does_not_undo_what_came_after(z16: Lab) -> None:
    partition, other = z16.partition("one"), z16.partition("two")
    z16.control.set_behaviour(after_start="paused:0.3")
    z16.start(partition)
    z16.stop(partition)
    z16.start(other)

    until(lambda: z16.status(other) == "active")

    assert z16.status(partition) == "stopped"


def test_where_nothing_can_be_loaded_the_partition_may_stay_paused(z16: Lab) -> None:
    empty = z16.partition("empty")
    partition, _, (volume,) = attached(z16)
    boot = {"boot-device": "storage-volume", "boot-storage-volume": volume.uri}
    partition.update_properties(boot)
    z16.control.set_behaviour(nothing_to_load="paused")

    for each in (empty, partition):
        z16.start(each)
        assert z16.status(each) == "paused"

    z16.stop(partition)
    volume.indicate_fulfillment_fcp(TARGET, "1", ports(z16)[0])
    z16.start(partition)
    assert z16.status(partition) == "active"


def test_one_start_can_find_nothing_to_load(z16: Lab) -> None:
    partition = z16.partition()
    z16.control.add_fault(Fault("POST", ".*/operations/start", "nothing-loaded"))

    z16.start(partition)
    assert z16.status(partition) == "paused"
    z16.stop(partition)
    z16.start(partition)

    assert z16.status(partition) == "active"


@pytest.mark.parametrize("kind", ["zoning", "masking"])
def test_a_volume_that_no_path_leads_to_cannot_be_loaded(z16: Lab, kind: str) -> None:
    partition, group, (volume,) = attached(z16)
    volume.indicate_fulfillment_fcp(TARGET, "1", ports(z16)[0])
    boot = {"boot-device": "storage-volume", "boot-storage-volume": volume.uri}
    partition.update_properties(boot)
    one, two = (
        z16.properties(each)["world-wide-port-name"]
        for each in group.virtual_storage_resources.list()
    )

    z16.control.add_barrier(kind, host=one)
    z16.start(partition)
    z16.stop(partition)
    z16.control.add_barrier(kind, host=two, target=TARGET)
    with refused(500, 263, kind):
        z16.start(partition)
    z16.control.set_behaviour(nothing_to_load="paused")
    z16.start(partition)

    assert z16.status(partition) == "paused"


def test_hbas_have_paths_as_well(z13: Lab) -> None:
    partition = z13.partition()
    hba = partition.hbas.create({"name": "a", "adapter-port-uri": z13.port("FCP-A").uri})
    partition.update_properties(
        {
            "boot-device": "storage-adapter",
            "boot-storage-device": hba.uri,
            "boot-world-wide-port-name": TARGET,
            "boot-logical-unit-number": "0001000000000000",
        }
    )
    z13.control.add_barrier("masking", lun="0001.*")

    with refused(500, 263, "masking"):
        z13.start(partition)


def test_a_partition_that_got_no_resources_is_started_or_deleted_and_not_stopped(
    z16: Lab,
) -> None:
    z16.control.set_behaviour(lack_of_resources="reservation-error")
    total = 4194304
    first = z16.partition("a", **{"initial-memory": total, "maximum-memory": total})
    second, third = z16.partition("b"), z16.partition("c")
    z16.start(first)

    for each in (second, third):
        with refused(409, 116, "memory"):
            z16.start(each)
        assert z16.status(each) == "reservation-error"
        with refused(409, 1, "reservation-error"):
            each.stop(wait_for_completion=False)
    third.delete()
    z16.stop(first)
    z16.start(second)

    assert z16.status(second) == "active"


def test_reservation_error_may_be_stopped(z16: Lab) -> None:
    partition = z16.partition()
    z16.control.set_behaviour(reservation_error_stops=True)
    z16.control.set_properties(partition.uri, {"status": "reservation-error"})

    z16.stop(partition)

    assert z16.status(partition) == "stopped"


def test_a_stop_can_take_as_long_as_the_guest_needs_to_shut_down(z16: Lab) -> None:
    running, paused = z16.partition("running"), z16.partition("paused")
    for each in (running, paused):
        z16.start(each)
    z16.control.set_properties(paused.uri, {"status": "paused"})
    z16.control.set_duration("shutdown", 60)

    running.stop(wait_for_completion=False)
    z16.stop(paused)

    assert z16.status(running) == "stopping"
    assert z16.status(paused) == "stopped"
