"""Ports of a server that is there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import zhmcclient
from nova import exception

from dpm_lab.hmc import Fault
from tests.driver.compute import Compute, Server, port, server, wrongs
from tests.driver.lab import Lab


@pytest.fixture(params=["z16", "z17"])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with Lab(request.param) as lab:
        yield lab


def _attach(compute: Compute, subject: Server, vif: dict[str, Any]) -> None:
    compute.driver.attach_interface(compute.context, subject.instance, None, vif)


def test_a_running_server_gets_a_nic_and_is_told_at_its_next_start(lab: Lab) -> None:
    compute, subject, new = Compute(lab), server(lab), port(lab, 1)
    compute.build(subject)

    _attach(compute, subject, new)

    assert not wrongs(lab, replace(subject, ports=(*subject.ports, new)))


def test_attaching_twice_makes_one_nic(lab: Lab) -> None:
    compute, subject, new = Compute(lab), server(lab), port(lab, 1)
    compute.build(subject)

    _attach(compute, subject, new)
    _attach(compute, subject, new)

    assert not wrongs(lab, replace(subject, ports=(*subject.ports, new)))


def test_detaching_takes_the_nic_away_and_what_is_told_of_it(lab: Lab) -> None:
    compute, subject = Compute(lab), server(lab, ports=2)
    compute.build(subject)

    compute.driver.detach_interface(compute.context, subject.instance, subject.ports[0])
    compute.driver.detach_interface(compute.context, subject.instance, subject.ports[0])

    assert not wrongs(lab, replace(subject, ports=subject.ports[1:]))


def test_a_nic_that_the_guest_cannot_be_told_of_is_not_made(lab: Lab) -> None:
    compute, subject, new = Compute(lab), server(lab), port(lab, 1)
    compute.build(subject)
    lab.control.add_fault(Fault("POST", "/api/partitions/[^/]+", status=409, reason=1))

    with pytest.raises(exception.InterfaceAttachFailed, match="in the log of nova-compute"):
        _attach(compute, subject, new)

    assert not wrongs(lab, subject)


def test_a_thirteenth_nic_is_refused_and_not_left(lab: Lab) -> None:
    compute, subject = Compute(lab), server(lab, ports=12)
    compute.build(subject)

    with pytest.raises(exception.InterfaceAttachFailed, match="do not fit"):
        _attach(compute, subject, port(lab))

    assert not wrongs(lab, subject)


def test_a_port_of_a_virtual_switch_or_adapter_that_is_not_there_is_refused(lab: Lab) -> None:
    compute, subject, new = Compute(lab), server(lab), port(lab)
    compute.build(subject)
    new["details"]["object_id"] = "00000000-0000-4000-8000-000000000000"

    with pytest.raises(exception.InterfaceAttachFailed, match="which the HMC does not show"):
        _attach(compute, subject, new)

    assert not wrongs(lab, subject)


def test_a_start_makes_the_nics_that_are_missing(lab: Lab) -> None:
    compute, subject, new = Compute(lab), server(lab), port(lab, 1)
    compute.build(subject)
    compute.driver.power_off(subject.instance)
    more = replace(subject, ports=(*subject.ports, new))

    compute.power_on(more)

    assert not wrongs(lab, more)


def test_a_build_that_is_refused_makes_nothing(lab: Lab) -> None:
    compute, subject = Compute(lab), server(lab, ports=13)
    lab.control.reset_log()

    with pytest.raises(exception.InstanceUnacceptable, match="do not fit"):
        compute.build(subject)

    assert all(each.method == "GET" or each.uri == "/api/sessions"
               for each in lab.control.requests())  # fmt: skip
    assert not lab.left()


@pytest.mark.parametrize(
    "description", ["", "OpenStack mac=0a:00:00:00:00:1:", "mac=01:00:5e:00:00:01", "x"]
)
def test_a_description_that_somebody_has_changed_costs_no_port_its_mac(
    lab: Lab, description: str
) -> None:
    compute, subject, new = Compute(lab), server(lab), port(lab, 1)
    compute.build(subject)
    [partition] = lab.control.inventory()["partitions"].values()
    before = partition["boot-os-specific-parameters"]
    lab.control.set_properties(partition["nics"][0]["element-uri"], {"description": description})

    _attach(compute, subject, new)
    compute.driver.detach_interface(compute.context, subject.instance, new)

    [partition] = lab.control.inventory()["partitions"].values()
    assert partition["boot-os-specific-parameters"] == before
    assert subject.ports[0]["address"].replace(":", "") in before


def test_a_nic_is_taken_back_where_the_next_answer_is_garbled(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute, subject, new = Compute(lab), server(lab), port(lab, 1)
    compute.build(subject)
    post = zhmcclient.Session.post

    def garbled(session: zhmcclient.Session, uri: str, **options: Any) -> Any:
        if uri.startswith("/api/partitions/") and uri.count("/") == 3:
            raise KeyError("what zhmcclient looks for in it")
        return post(session, uri, **options)

    with monkeypatch.context() as patch:
        patch.setattr(zhmcclient.Session, "post", garbled)
        with pytest.raises(exception.InterfaceAttachFailed):
            _attach(compute, subject, new)

    assert not wrongs(lab, subject)
