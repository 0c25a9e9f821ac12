"""NICs are what the server's ports are: at each start, and where the HMC says that it failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from nova import exception

from dpm_lab.hmc import Fault
from nova_dpm.network import making
from tests.driver.compute import Compute, Server, hipersockets_port, port, server, wrongs
from tests.driver.lab import Lab


@pytest.fixture(params=["z13", "z16", "z17"])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with Lab(request.param) as lab:
        yield lab


def partition(lab: Lab, subject: Server) -> dict[str, Any]:
    found: dict[str, Any] = lab.control.inventory()["partitions"][subject.partition]
    return found


def nic(lab: Lab, subject: Server, number: int = 0) -> dict[str, Any]:
    name = f"OpenStack_Port_{subject.ports[number]['id']}"
    [found] = [each for each in partition(lab, subject)["nics"] if each["name"] == name]
    return dict(found)


def start_again(compute: Compute, subject: Server, way: str) -> None:
    if way == "reboot":
        compute.reboot(subject)
    else:
        compute.driver.power_off(subject.instance)
        compute.power_on(subject)


@pytest.mark.parametrize("way", ["reboot", "off and on"])
def test_a_nic_whose_port_is_gone_goes_and_one_of_others_stays(lab: Lab, way: str) -> None:
    compute, subject = Compute(lab), server(lab, ports=2)
    compute.build(subject)
    uri = partition(lab, subject)["object-uri"]
    backing = {
        key: value
        for key, value in nic(lab, subject).items()
        if key in ("virtual-switch-uri", "network-adapter-port-uri") and value
    }
    compute.driver._hmc.post(f"{uri}/nics", {"name": "operator", **backing})

    start_again(compute, replace(subject, ports=subject.ports[1:]), way)

    names = {each["name"] for each in partition(lab, subject)["nics"]}
    assert names == {"operator", f"OpenStack_Port_{subject.ports[1]['id']}"}
    told = partition(lab, subject)["boot-os-specific-parameters"]
    assert subject.ports[0]["address"].replace(":", "") not in told


def test_a_nic_that_was_removed_is_made_though_an_operator_has_added_one(lab: Lab) -> None:
    compute, subject = Compute(lab), server(lab, ports=2)
    compute.build(subject)
    gone = nic(lab, subject)
    hmc = compute.driver._hmc
    keys = ("virtual-switch-uri", "network-adapter-port-uri")
    backing = {key: gone[key] for key in keys if gone.get(key)}
    hmc.delete(gone["element-uri"])
    operators = hmc.post(
        f"{partition(lab, subject)['object-uri']}/nics", {"name": "operator", **backing}
    )

    start_again(compute, subject, "reboot")

    hmc.delete(operators["element-uri"])
    assert not wrongs(lab, subject)


CHANGES: dict[str, Callable[[Lab, dict[str, Any]], dict[str, Any]]] = {
    "MAC": lambda _, vif: {**vif, "address": "0a:00:00:ff:ff:01"},
    "backing": lambda lab, vif: {**port(lab, 1), "id": vif["id"], "address": vif["address"]},
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_port_that_has_changed_gets_a_nic_that_is_so(lab: Lab, what: str) -> None:
    compute, subject = Compute(lab), server(lab, ports=2)
    compute.build(subject)
    first = CHANGES[what](lab, subject.ports[0])
    changed = replace(subject, ports=(first, subject.ports[1]))

    start_again(compute, changed, "off and on")

    if what == "MAC" and lab.machine == "z13":
        # The HMC cannot set it: the guest is told, which is all that counts.
        told = partition(lab, changed)["boot-os-specific-parameters"]
        assert "0a0000ffff01" in told
    else:
        assert not wrongs(lab, changed)
    if lab.machine != "z13":
        assert nic(lab, changed)["mac-address"].lower() == first["address"]


def test_a_nic_that_is_made_anew_keeps_its_device_number(lab: Lab) -> None:
    compute, subject = Compute(lab), server(lab, ports=2)
    compute.build(subject)
    before = nic(lab, subject, 1)["device-number"]
    vif = subject.ports[1]
    moved = replace(subject, ports=({**port(lab), "id": vif["id"], "address": vif["address"]},))

    start_again(compute, moved, "off and on")

    assert nic(lab, moved)["device-number"] == before != "1000"
    assert not wrongs(lab, moved)


def test_a_vlan_that_has_changed_is_changed(lab: Lab) -> None:
    if lab.machine == "z13":
        pytest.skip("a z13 has no VLANs of NICs")
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)
    vif = subject.ports[0]
    tagged = replace(subject, ports=({**vif, "details": {**vif["details"], "vlan": 7}},))

    start_again(compute, tagged, "reboot")
    assert nic(lab, tagged)["vlan-id"] == 7

    start_again(compute, subject, "reboot")
    assert nic(lab, subject)["vlan-id"] is None


def test_a_device_number_that_somebody_has_changed_is_told(lab: Lab) -> None:
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)
    compute.driver.power_off(subject.instance)
    uri = nic(lab, subject)["element-uri"]
    compute.driver._hmc.update(uri, {"device-number": "2000"})

    compute.power_on(subject)

    assert partition(lab, subject)["boot-os-specific-parameters"].startswith("2000,")
    assert nic(lab, subject)["element-uri"] == uri


@pytest.mark.parametrize("status", [403, 404])
def test_a_switch_that_the_user_may_no_longer_see_stops_no_start_and_no_detaching(
    lab: Lab, status: int
) -> None:
    if lab.machine == "z17":
        pytest.skip("a z17 has no virtual switches")
    compute, subject = Compute(lab), server(lab, ports=2)
    compute.build(subject)
    hidden = subject.ports[1]["details"]["object_id"]
    lab.control.add_fault(
        Fault("GET", f"/api/virtual-switches/{hidden}", status=status, reason=1, times=None)
    )

    start_again(compute, subject, "off and on")
    assert not wrongs(lab, subject)

    compute.driver.detach_interface(compute.context, subject.instance, subject.ports[0])
    assert not wrongs(lab, replace(subject, ports=subject.ports[1:]))


@pytest.mark.parametrize("seconds", [0.0, 0.02])
def test_a_nic_that_is_made_though_the_hmc_says_that_it_failed_is_found(
    lab: Lab, seconds: float
) -> None:
    if lab.machine == "z13":
        pytest.skip("a z13 has no partition links")
    lab.control.set_duration("nic", seconds)
    compute, new = Compute(lab), hipersockets_port(lab)
    subject = replace(server(lab), ports=(hipersockets_port(lab), port(lab)))

    compute.build(subject)
    assert not wrongs(lab, subject)

    compute.driver.attach_interface(compute.context, subject.instance, None, new)
    assert not wrongs(lab, replace(subject, ports=(*subject.ports, new)))

    compute.driver.detach_interface(compute.context, subject.instance, new)
    assert not wrongs(lab, subject)


class Killed(BaseException):
    """The end of a nova-compute."""


@pytest.mark.parametrize("operation", ["detach", "reboot"])
def test_a_nic_on_hipersockets_that_never_got_its_name_is_known_by_its_mac(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    if lab.machine == "z13":
        pytest.skip("a z13 has no partition links")
    compute, subject, new = Compute(lab), server(lab), hipersockets_port(lab)
    compute.build(subject)

    def killed(*arguments: Any) -> None:
        raise Killed

    monkeypatch.setattr(making, "claim", killed)
    with pytest.raises(Killed):
        compute.driver.attach_interface(compute.context, subject.instance, None, new)
    monkeypatch.undo()
    while len(partition(lab, subject)["nics"]) < 2:
        time.sleep(0.005)
    compute.restart()

    if operation == "reboot":
        subject = replace(subject, ports=(*subject.ports, new))
        compute.reboot(subject)
    else:
        compute.driver.detach_interface(compute.context, subject.instance, new)

    assert not wrongs(lab, subject)


def test_a_nic_of_somebody_else_on_hipersockets_stays(lab: Lab) -> None:
    compute, subject, new = Compute(lab), server(lab), hipersockets_port(lab)
    compute.build(subject)
    compute.driver.power_off(subject.instance)
    found = partition(lab, subject)
    backing = (
        {"network-adapter-port-uri": f"/api/adapters/{new['details']['object_id']}/network-ports/0"}
        if lab.machine == "z17"
        else {"virtual-switch-uri": f"/api/virtual-switches/{new['details']['object_id']}"}
    )
    lab.control.set_behaviour(hipersockets_nic="made")
    compute.driver._hmc.post(f"{found['object-uri']}/nics", {"name": "theirs", **backing})

    compute.driver.attach_interface(compute.context, subject.instance, None, new)
    compute.driver.detach_interface(compute.context, subject.instance, new)
    compute.power_on(subject)

    assert "theirs" in [nic["name"] for nic in partition(lab, subject)["nics"]]


def test_where_the_hmc_fails_and_makes_nothing_nothing_is_left(lab: Lab) -> None:
    compute, subject, new = Compute(lab), server(lab), port(lab)
    compute.build(subject)
    lab.control.add_fault(Fault("POST", ".*/nics", status=500, reason=12))

    with pytest.raises(exception.InterfaceAttachFailed):
        compute.driver.attach_interface(compute.context, subject.instance, None, new)

    assert not wrongs(lab, subject)
