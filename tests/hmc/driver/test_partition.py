"""A partition's life, on the lab's HMC."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dpm_hmc.client import Hmc
from dpm_hmc.cpc import Cpc
from dpm_hmc.errors import ConflictError, JobError, NameTakenError
from dpm_lab.hmc import Fault
from nova_dpm.operations import status_of
from nova_dpm.partition import Partitions
from tests.driver.lab import HOST, Lab

UUID_1 = "6e3c1c62-6d5b-4f63-9c5c-5d4ea7d5bd2a"
UUID_2 = "6e3c1c62-6d5b-4f63-9c5c-5d4ea7d5bd2b"


@pytest.fixture
def partitions(hmc: Hmc, cpc: Cpc) -> Partitions:
    return Partitions(hmc, cpc.uri, HOST)


def test_a_partition_is_made_with_the_name_and_description_of_the_contract(
    lab: Lab, partitions: Partitions
) -> None:
    partitions.create(UUID_1, 2, 4096)

    [made] = lab.control.inventory()["partitions"].values()
    assert (made["name"], made["description"]) == (
        f"OpenStack-{HOST}-{UUID_1}",
        f"OpenStack CPCSubset={HOST}",
    )
    assert (made["ifl-processors"], made["processor-mode"]) == (2, "shared")
    assert (made["initial-memory"], made["maximum-memory"]) == (4096, 4096)


def test_a_second_one_of_the_same_name_is_refused(partitions: Partitions) -> None:
    partitions.create(UUID_1, 2, 4096)

    with pytest.raises(NameTakenError):
        partitions.create(UUID_1, 2, 4096)


def test_only_this_host_s_partitions_are_listed(lab: Lab, partitions: Partitions) -> None:
    uri = partitions.create(UUID_1, 2, 4096).uri
    for name in ("other", f"OpenStack-{HOST}-x-{UUID_2}", f"OpenStack-other-{UUID_2}"):
        lab.control.add_partitions(1, name)
    lab.control.reset_log()

    listed = partitions.listed()

    assert {uuid: each.uri for uuid, each in listed.items()} == {UUID_1: uri}
    assert len(lab.control.requests()) == 1


def test_a_dot_in_a_host_s_name_stands_for_itself(lab: Lab, hmc: Hmc, cpc: Cpc) -> None:
    lab.control.add_partitions(1, f"OpenStack-aXb-{UUID_1}")
    lab.control.add_partitions(1, f"OpenStack-a.b-{UUID_2}")
    partitions = Partitions(hmc, cpc.uri, "a.b")

    assert set(partitions.listed()) == {UUID_2}
    assert partitions.find(UUID_1) is None
    assert partitions.find(UUID_2) is not None


def test_one_that_is_known_is_found_with_one_request(lab: Lab, partitions: Partitions) -> None:
    uri = partitions.create(UUID_1, 2, 4096).uri
    lab.control.reset_log()

    found = partitions.find(UUID_1)

    assert found is not None
    assert found.uri == uri
    assert len(lab.control.requests()) == 1


def test_one_that_was_just_made_is_as_the_hmc_shows_it(partitions: Partitions) -> None:
    made = partitions.create(UUID_1, 2, 4096)

    found = partitions.find(UUID_1)

    assert found is not None
    assert replace(found, properties={}) == replace(made, properties={})
    assert made.properties.items() <= found.properties.items()


def test_one_that_was_made_anew_by_somebody_else_is_found(
    lab: Lab, hmc: Hmc, cpc: Cpc, partitions: Partitions
) -> None:
    old = partitions.create(UUID_1, 2, 4096).uri
    hmc.delete(old)
    new = Partitions(hmc, cpc.uri, HOST).create(UUID_1, 2, 4096).uri

    found = partitions.find(UUID_1)

    assert found is not None
    assert found.uri == new != old


def test_one_that_is_not_there_is_none(partitions: Partitions) -> None:
    assert partitions.find(UUID_1) is None


@pytest.mark.parametrize(
    ("operation", "status", "end"),
    [("start", "starting", "active"), ("stop", "stopping", "stopped")],
)
def test_what_is_under_way_is_joined(
    lab: Lab, hmc: Hmc, partitions: Partitions, operation: str, status: str, end: str
) -> None:
    uri = partitions.create(UUID_1, 2, 4096).uri
    if operation == "stop":
        partitions.start(uri)
    lab.control.set_duration(operation, 0.5)
    hmc.post(f"{uri}/operations/{operation}", {})
    assert status_of(hmc, uri) == status
    lab.control.reset_log()

    getattr(partitions, operation)(uri)

    assert status_of(hmc, uri) == end
    assert _sent(lab, operation) == 1


@pytest.mark.parametrize(("operation", "end"), [("start", "active"), ("stop", "stopped")])
def test_an_operation_whose_answer_was_lost_is_not_done_again(
    lab: Lab, hmc: Hmc, partitions: Partitions, operation: str, end: str
) -> None:
    uri = partitions.create(UUID_1, 2, 4096).uri
    if operation == "stop":
        partitions.start(uri)
    lab.control.set_duration(operation, 0.1)
    lab.control.reset_log()
    lab.control.add_fault(Fault("POST", f".*/{operation}", "drop-after"))

    getattr(partitions, operation)(uri)

    assert status_of(hmc, uri) == end
    assert _sent(lab, operation) == 1


def test_stopping_one_that_is_starting_waits_and_stops(
    lab: Lab, hmc: Hmc, partitions: Partitions
) -> None:
    uri = partitions.create(UUID_1, 2, 4096).uri
    lab.control.set_duration("start", 0.1)
    hmc.post(f"{uri}/operations/start", {})

    partitions.stop(uri)

    assert status_of(hmc, uri) == "stopped"


def test_a_job_that_the_hmc_has_lost_is_judged_by_what_it_did(
    lab: Lab, hmc: Hmc, partitions: Partitions
) -> None:
    uri = partitions.create(UUID_1, 2, 4096).uri
    lab.control.add_fault(Fault("GET", "/api/jobs/.*", status=404, reason=1))

    partitions.start(uri)

    assert status_of(hmc, uri) == "active"


def test_a_start_that_fails_says_why(lab: Lab, partitions: Partitions) -> None:
    uri = partitions.create(UUID_1, 2, 4096).uri
    lab.control.add_fault(
        Fault("POST", ".*/start", "job-fails", status=500, reason=263, message="no such volume")
    )

    with pytest.raises(JobError, match="500,263: no such volume"):
        partitions.start(uri)


def test_one_that_cannot_be_started_is_an_error_without_another_try(
    lab: Lab, partitions: Partitions
) -> None:
    uri = partitions.create(UUID_1, 2, 4096).uri
    lab.control.set_properties(uri, {"status": "terminated"})
    lab.control.reset_log()

    with pytest.raises(ConflictError, match=r"answered 409,1: .* has the status terminated"):
        partitions.start(uri)

    assert _sent(lab, "start") == 1


def _sent(lab: Lab, operation: str) -> int:
    return lab.control.counts()[f"POST /api/partitions/{{}}/operations/{operation}"]
