"""A deletion ends with nothing left, whatever there is and whatever it is doing."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from nova import exception

from tests.driver.compute import Compute, server, wrongs
from tests.driver.lab import Lab


@pytest.fixture(params=["z13", "z16"])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with Lab(request.param) as lab:
        yield lab


def test_a_server_can_be_deleted_twice(lab: Lab) -> None:
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)

    compute.delete(subject)
    compute.delete(subject)

    assert not lab.left()


def test_deleting_what_never_was_only_looks(lab: Lab) -> None:
    compute, subject = Compute(lab), server(lab)
    lab.control.reset_log()

    compute.delete(subject)

    made = [each for each in lab.control.requests() if each.method != "GET"]
    assert [each.pattern for each in made] == ["POST /api/sessions"]


def test_cleanup_does_as_destroy(lab: Lab) -> None:
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)

    compute.driver.cleanup(compute.context, subject.instance, subject.ports)

    assert not lab.left()


def test_failed_spawn_cleanup_removes_what_was_prepared(lab: Lab) -> None:
    compute, subject = Compute(lab), server(lab)
    compute.driver.prepare_for_spawn(subject.instance)
    compute.driver.prepare_networks_before_block_device_mapping(subject.instance, subject.ports)
    assert lab.left()

    compute.driver.failed_spawn_cleanup(subject.instance)

    assert not lab.left()


def test_deleting_while_starting_waits_and_stops(lab: Lab) -> None:
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)
    compute.driver.power_off(subject.instance)
    partition = lab.control.inventory()["partitions"][subject.partition]
    lab.control.set_duration("start", 0.1)
    compute.driver._hmc.post(f"{partition['object-uri']}/operations/start", {})

    compute.delete(subject)

    assert not lab.left()


def test_two_deletions_at_once_leave_nothing(lab: Lab) -> None:
    computes, subject = [Compute(lab), Compute(lab)], server(lab)
    computes[0].build(subject)
    lab.control.set_latency(0.01)

    threads = [threading.Thread(target=each.delete, args=(subject,)) for each in computes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    computes[0].delete(subject)

    assert not lab.left()


@pytest.mark.parametrize("status", ["degraded", "paused", "terminated", "reservation-error"])
def test_a_partition_in_any_state_that_can_be_stopped_is_deleted(lab: Lab, status: str) -> None:
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)
    _set_status(lab, subject.partition, status)

    compute.delete(subject)

    assert not lab.left()


@pytest.mark.parametrize("status", ["communications-not-active", "status-check", "starting"])
def test_a_partition_that_cannot_be_stopped_is_said_and_deleted_later(
    lab: Lab, status: str
) -> None:
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)
    _set_status(lab, subject.partition, status)

    with pytest.raises(exception.InstancePowerOffFailure, match="in the log of nova-compute"):
        compute.delete(subject)
    _set_status(lab, subject.partition, "active")
    compute.delete(subject)

    assert not lab.left()


def test_a_storage_group_whose_partition_is_gone_is_deleted() -> None:
    with Lab("z16") as lab:
        compute, subject = Compute(lab), server(lab)
        compute.build(subject)
        compute.driver.power_off(subject.instance)
        partition = lab.control.inventory()["partitions"][subject.partition]
        compute.driver._hmc.delete(partition["object-uri"])
        assert lab.left() == [subject.partition]

        compute.delete(subject)

        assert not lab.left()


def test_a_storage_group_whose_partition_is_gone_does_not_stop_the_next_build() -> None:
    with Lab("z16") as lab:
        compute, subject = Compute(lab), server(lab)
        compute.build(subject)
        compute.driver.power_off(subject.instance)
        partition = lab.control.inventory()["partitions"][subject.partition]
        compute.driver._hmc.delete(partition["object-uri"])

        compute.build(subject)

        assert not wrongs(lab, subject)


def test_what_is_not_ours_stays(lab: Lab) -> None:
    lab.control.add_partitions(2)
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)

    compute.delete(subject)

    assert lab.left() == ["other-0", "other-1"]


def _set_status(lab: Lab, name: str, status: str) -> None:
    uri = lab.control.inventory()["partitions"][name]["object-uri"]
    lab.control.set_properties(uri, {"status": status})
