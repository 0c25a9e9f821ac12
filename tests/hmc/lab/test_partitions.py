"""Partitions: what can be made, what is refused, how their status goes."""

from __future__ import annotations

from typing import Any

import pytest
import zhmcclient

from dpm_lab.hmc import Fault
from tests.hmc.lab.client import Lab, refused, until


def test_a_partition_is_made_stopped_and_gone_when_deleted(z16: Lab) -> None:
    made = z16.partition("web", description="of a test")

    assert z16.status(made) == "stopped"
    made.delete()
    assert z16.cpc.partitions.list() == []


@pytest.mark.parametrize(
    ("properties", "status", "reason"),
    [
        ({"name": "taken"}, 400, 8),
        ({"name": "n" * 65}, 400, 7),
        ({"name": ""}, 400, 7),
        ({"description": "d" * 1025}, 400, 7),
        ({"ifl-processors": 65}, 400, 7),
        ({"ifl-processors": 0}, 400, 1),
        ({"cp-processors": 1}, 400, 7),
        ({"initial-memory": 256}, 400, 7),
        ({"initial-memory": 1024}, 400, 15),
        ({"maximum-memory": 1 << 40}, 400, 7),
        ({"initial-ifl-processing-weight": 1000}, 400, 7),
        ({"boot-device": "floppy"}, 400, 7),
        ({"made-up": 1}, 400, 6),
        ({"status": "active"}, 400, 6),
        ({"boot-os-specific-parameters": "only with an update"}, 400, 6),
    ],
)
def test_what_cannot_be_is_refused(
    z16: Lab, properties: dict[str, Any], status: int, reason: int
) -> None:
    z16.partition("taken")

    with refused(status, reason):
        z16.partition(**{"name": "new", **properties})

    assert list(z16.control.inventory()["partitions"]) == ["taken"]


@pytest.mark.parametrize("field", ["name", "initial-memory", "maximum-memory"])
def test_a_required_field_that_is_missing_is_named(z16: Lab, field: str) -> None:
    body = {"name": "web", "ifl-processors": 1, "initial-memory": 512, "maximum-memory": 512}
    del body[field]

    with refused(400, 5, field):
        z16.cpc.partitions.create(body)


def test_boot_parameters_have_256_characters_and_no_more(z16: Lab) -> None:
    partition = z16.partition()

    partition.update_properties({"boot-os-specific-parameters": "x" * 256})
    with refused(400, 7, "256"):
        partition.update_properties({"boot-os-specific-parameters": "y" * 257})

    assert z16.properties(partition)["boot-os-specific-parameters"] == "x" * 256


def test_a_name_can_change_but_not_to_one_that_is_taken(z16: Lab) -> None:
    z16.partition("one")
    other = z16.partition("two")

    other.update_properties({"name": "two"})
    other.update_properties({"name": "three"})
    with refused(400, 8, "'one' is taken"):
        other.update_properties({"name": "one"})


def test_there_are_no_more_partitions_than_the_cpc_can_have(z16: Lab) -> None:
    z16.control.add_partitions(85)

    with refused(409, 102, "85"):
        z16.partition()


def test_a_start_goes_by_way_of_starting(z16: Lab) -> None:
    z16.control.set_duration("start", 60)
    partition = z16.partition()

    job = partition.start(wait_for_completion=False)

    assert job.check_for_completion() == ("running", None)
    assert z16.status(partition) == "starting"
    for change in (
        partition.delete,
        lambda: partition.update_properties({"description": "new"}),
        lambda: partition.start(wait_for_completion=False),
        lambda: partition.stop(wait_for_completion=False),
    ):
        with refused(409, 1, "starting"):
            change()
    with refused(409, 40):
        job.delete()


def test_a_partition_is_active_when_its_job_is_complete(z16: Lab) -> None:
    partition = z16.partition()

    z16.start(partition)

    assert z16.status(partition) == "active"
    with refused(409, 1, "active"):
        partition.delete()
    z16.stop(partition)
    assert z16.status(partition) == "stopped"
    partition.delete()


def test_a_job_is_gone_once_it_was_seen_complete(z16: Lab) -> None:
    job = z16.partition().start(wait_for_completion=False)
    z16.finish(job)

    with refused(404, 1):
        job.query_status()


def test_a_job_can_be_cancelled(z16: Lab) -> None:
    z16.control.set_duration("start", 60)
    partition = z16.partition()
    job = partition.start(wait_for_completion=False)
    z16.control.set_duration("cancel", 2)

    job.cancel()

    assert job.query_status()[0] == "cancel-pending"
    assert z16.status(partition) == "starting"
    with refused(409, 42):
        job.cancel()
    with refused(409, 40):
        job.delete()
    until(lambda: bool(job.query_status()[0] == "canceled"))
    assert z16.status(partition) == "stopped"
    with refused(409, 41):
        job.cancel()


def test_a_job_that_fails_leaves_the_partition_as_it_was(z16: Lab) -> None:
    partition = z16.partition()
    uri = f"{partition.uri}/operations/start"
    z16.control.add_fault(Fault("POST", uri, "job-fails", status=500, reason=12, message="no path"))

    with refused(500, 12, "no path"):
        z16.start(partition)

    assert z16.status(partition) == "stopped"
    z16.start(partition)
    assert z16.status(partition) == "active"


def test_a_job_can_go_on_for_ever(z16: Lab) -> None:
    z16.control.set_duration("start", 0)
    partition = z16.partition()
    z16.control.add_fault(Fault("POST", ".*/operations/start", "job-never-ends"))

    job = partition.start(wait_for_completion=False)
    other = z16.partition("other")
    z16.start(other)

    assert job.check_for_completion() == ("running", None)
    assert z16.status(partition) == "starting"


def test_memory_that_others_have_is_not_there_twice(z16: Lab) -> None:
    total = 4194304
    first = z16.partition("a", **{"initial-memory": total, "maximum-memory": total})
    second = z16.partition("b")
    z16.start(first)

    with refused(409, 116, "memory"):
        z16.start(second)

    z16.stop(first)
    z16.start(second)


def test_what_runs_cannot_change_its_processor_mode(z16: Lab) -> None:
    partition = z16.partition()
    z16.start(partition)

    partition.update_properties({"description": "may change", "ifl-processors": 2})
    with refused(409, 1, "processor-mode"):
        partition.update_properties({"processor-mode": "dedicated"})


@pytest.mark.parametrize(
    ("properties", "reason"),
    [({"dpm-enabled": False}, 5), ({"status": "no-power"}, 6), ({"status": "not-operating"}, 6)],
)
def test_a_cpc_that_is_down_or_not_in_dpm_mode_makes_nothing(
    z16: Lab, properties: dict[str, Any], reason: int
) -> None:
    z16.control.set_properties(z16.cpc.uri, properties)

    with refused(409, reason):
        z16.partition()


def test_a_listing_is_filtered_by_regular_expression_in_one_request(z16: Lab) -> None:
    z16.control.add_partitions(3, "ours-{}", status="active")
    z16.control.add_partitions(4, "theirs-{}")
    assert z16.cpc.name == "Z16"
    z16.control.reset_log()

    found = z16.cpc.partitions.list(
        filter_args={"name": "ours-.*"}, additional_properties=["initial-memory", "status"]
    )

    assert [(p.name, p.prop("initial-memory"), p.prop("status")) for p in found] == [
        (f"ours-{number}", 512, "active") for number in range(3)
    ]
    assert z16.control.counts() == {"GET /api/cpcs/{}/partitions": 1}


def test_additional_properties_came_with_the_z16(z13: Lab, z14: Lab) -> None:
    z13.partition()

    assert (
        "description"
        not in z13.cpc.partitions.list(additional_properties=["description"])[0].properties
    )
    with refused(400, 1, "additional-properties"):
        z14.cpc.partitions.list(additional_properties=["description"])


def test_features_are_those_of_the_machine(z13: Lab, z14: Lab, z16: Lab, z17: Lab) -> None:
    def has(lab: Lab) -> bool:
        return bool(lab.partition().firmware_feature_enabled("dpm-storage-management"))

    assert [has(lab) for lab in (z13, z14, z16, z17)] == [False, True, True, True]
    assert z13.cpc.list_api_features() == z14.cpc.list_api_features() == []
    assert "network-express-support" in z17.cpc.list_api_features()
    assert "network-express-support" not in z16.cpc.list_api_features()


def test_many_resources_are_asked_for_in_one_request(z16: Lab) -> None:
    z16.control.add_partitions(2)
    z16.control.reset_log()

    found = z16.cpc.partitions.list(full_properties=True)

    assert [partition.prop("processor-mode") for partition in found] == ["shared", "shared"]
    assert z16.control.counts()["POST /api/services/aggregation/submit"] == 1


def test_psw_restart_is_a_job_of_a_running_partition(z16: Lab) -> None:
    partition = z16.partition()
    with refused(409, 1):
        partition.psw_restart(wait_for_completion=False)
    z16.start(partition)

    z16.finish(partition.psw_restart(wait_for_completion=False))

    assert z16.status(partition) == "active"


def test_what_is_gone_is_not_found(z16: Lab) -> None:
    partition = z16.partition()
    z16.control.reset()

    with pytest.raises(zhmcclient.CeasedExistence):
        partition.pull_full_properties()
    with refused(404, 1):
        partition.delete()


def test_wait_for_status_of_zhmcclient_works(z16: Lab) -> None:
    partition = z16.partition()
    partition.start(wait_for_completion=False)

    until(lambda: z16.status(partition) == "active")

    partition.wait_for_status("active", status_timeout=60)
