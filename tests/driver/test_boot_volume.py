"""The boot volume: its way, its LUN, its fulfillment, on HMCs that differ in each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from nova import exception

from tests.driver.compute import TARGETS, Compute, Server, server, wrongs
from tests.driver.lab import Lab


@pytest.fixture(params=["z14", "z16"])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with Lab(request.param) as lab:
        yield lab


def fulfilled(lab: Lab) -> list[dict[str, Any]]:
    """Return what was said of boot volumes: target, LUN and port."""
    return [
        json.loads(each.body)
        for each in lab.control.requests()
        if each.uri.endswith("/fulfill-fcp-storage-volume")
    ]


def group(lab: Lab, subject: Server) -> dict[str, Any]:
    found: dict[str, Any] = lab.control.inventory()["storage-groups"][subject.partition]
    return found


@pytest.mark.parametrize("when", ["at-attach", "by-discovery", "by-discovery-otherwise"])
def test_a_server_is_built_wherever_the_hmc_says_the_ports(lab: Lab, when: str) -> None:
    lab.control.set_behaviour(storage_ports=when)
    compute, subject = Compute(lab), server(lab)

    compute.build(subject)

    assert not wrongs(lab, subject)


@pytest.mark.parametrize("kind", ["zoning", "masking"])
def test_a_port_that_does_not_lead_to_the_lun_is_not_booted_over(lab: Lab, kind: str) -> None:
    first = lab.options()["physical_storage_adapter_mappings"][0].partition(":")[0]
    lab.control.add_barrier(kind, port=f".*{first}.*")
    compute, subject = Compute(lab), server(lab)
    lab.control.reset_log()

    compute.build(subject)

    assert not wrongs(lab, subject)
    [told] = fulfilled(lab)
    assert first not in told["adapter-port-uri"]


@pytest.mark.parametrize(
    ("kind", "says"), [("zoning", "is not reached (zoning)"), ("masking", "(masking: ")]
)
def test_where_no_way_leads_to_the_lun_it_is_said_what_is_missing(
    lab: Lab, kind: str, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    lab.control.add_barrier(kind)
    compute, subject = Compute(lab), server(lab)

    with pytest.raises(exception.NovaException):
        compute.build(subject)

    assert "No way leads to the boot volume: from " in caplog.text
    assert says in caplog.text
    assert not lab.left()


@pytest.mark.parametrize("state", ["overprovisioned", "pending-with-mismatches"])
def test_a_lun_of_another_size_than_was_said_is_booted_from(lab: Lab, state: str) -> None:
    lab.control.set_behaviour(fulfilled_as=state)
    compute, subject = Compute(lab), server(lab)

    compute.build(subject)

    assert not wrongs(lab, subject)


@pytest.mark.parametrize("state", ["pending", "incomplete", "configuration-error", "deleting"])
def test_a_volume_that_does_not_become_usable_is_an_error_with_its_state(
    lab: Lab, state: str, caplog: pytest.LogCaptureFixture
) -> None:
    lab.control.set_behaviour(fulfilled_as=state)
    compute, subject = Compute(lab), server(lab)

    with pytest.raises(exception.NovaException):
        compute.build(subject)

    assert f" {state}" in caplog.text
    assert not lab.left()


def test_a_lun_that_has_changed_is_booted_from_at_the_next_start(lab: Lab) -> None:
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)
    wwpns = compute.driver.get_volume_connector(subject.instance)["wwpns"]
    compute.driver.power_off(subject.instance)
    changed = replace(subject, lun=9)

    compute.power_on(changed)

    assert not wrongs(lab, changed)
    assert compute.driver.get_volume_connector(subject.instance)["wwpns"] == wwpns


def test_a_lun_that_is_the_same_costs_no_request_to_change_it(lab: Lab) -> None:
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)
    compute.driver.power_off(subject.instance)
    lab.control.reset_log()

    compute.power_on(subject)

    assert fulfilled(lab) == []
    assert not wrongs(lab, subject)


def test_the_boot_volume_of_somebody_elses_group_is_left_alone(lab: Lab) -> None:
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)
    compute.driver.power_off(subject.instance)
    other = server(lab)
    compute.build(other)
    compute.driver.power_off(other.instance)
    inventory = lab.control.inventory()
    partition = inventory["partitions"][subject.partition]["object-uri"]
    theirs = inventory["partitions"][other.partition]["object-uri"]
    ours, foreign = (
        inventory["storage-groups"][name]["object-uri"]
        for name in (subject.partition, other.partition)
    )
    hmc = compute.driver._hmc
    for uri, operation, group_uri in (
        (partition, "detach", ours),
        (theirs, "detach", foreign),
        (partition, "attach", foreign),
    ):
        hmc.update(f"{uri}/operations/{operation}-storage-group", {"storage-group-uri": group_uri})
    lab.control.reset_log()

    compute.restart()
    compute.power_on(subject)

    touched = [each for each in lab.control.requests() if each.method != "GET"]
    assert [each.uri for each in touched if foreign in each.uri] == []
    booted = lab.control.inventory()["partitions"][subject.partition]["boot-storage-volume"]
    assert booted.startswith(ours)


def test_targets_are_told_with_their_own_lun(lab: Lab) -> None:
    compute, subject = Compute(lab), server(lab)
    lab.control.reset_log()

    compute.build(subject)

    [told] = fulfilled(lab)
    assert told["world-wide-port-name"] == TARGETS[1]
