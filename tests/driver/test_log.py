"""What an administrator of storage or network asks for first is in the log, at INFO."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from tests.driver.compute import TARGETS, Compute, Server, block_device_info, port, server
from tests.driver.lab import Lab

Said = Callable[[], list[str]]


@pytest.fixture(params=["z13", "z16", "z17"])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with Lab(request.param) as lab:
        yield lab


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Said:
    """Return a function that returns what was said since it was called."""
    caplog.set_level(logging.INFO, "nova_dpm")

    def lines() -> list[str]:
        found = [
            each.getMessage()
            for each in caplog.records
            if each.name.startswith("nova_dpm") and each.levelno == logging.INFO
        ]
        caplog.clear()
        return found

    return lines


def test_a_build_says_partition_wwpns_lun_and_nics(lab: Lab, said: Said) -> None:
    compute, subject = Compute(lab), server(lab, 2)
    said()

    compute.build(subject)

    made, wwpns, boots, nics, waiting, starting, runs = said()
    partition = lab.control.inventory()["partitions"][subject.partition]
    uri = partition["object-uri"]
    assert (
        made == f"Partition {subject.partition} ({uri}) is made, with 2 IFL processors and 4096 MiB"
    )
    ends = ends_of(lab, subject)
    assert sorted(wwpns.removeprefix("WWPNs that Cinder is told: ").split(", ")) == ends
    start = f"Partition {uri} boots from LUN 0005000000000000 of target {TARGETS[1]}, from WWPN "
    assert boots.startswith(start)
    assert boots.removeprefix(start) in ends
    by_name = {nic["name"]: nic for nic in partition["nics"]}
    told = nics.removeprefix(f"Partition {uri} has ").split("; ")
    for vif, one in zip(subject.ports, told, strict=True):
        devno = by_name[f"OpenStack_Port_{vif['id']}"]["device-number"].lower()
        label = "virtual switch" if lab.has_switches else "adapter"
        assert one.startswith(
            f"NIC {devno} for port {vif['id']}, MAC {vif['address']}, on {label} "
        )
        assert vif["details"]["object_id"] in one
        assert lab.has_switches or one.endswith(f" port {vif['details']['port']}")
    ports = ", ".join(vif["id"] for vif in subject.ports)
    assert waiting == f"Waiting up to 300 s for Neutron to say that ports {ports} are plugged"
    assert (starting, runs) == (f"Starting partition {uri}", f"Partition {uri} runs")


@pytest.mark.parametrize("lab", ["z16", "z17"], indirect=True)
def test_a_vlan_is_said(lab: Lab, said: Said) -> None:
    compute, subject = Compute(lab), server(lab)
    vif = {**subject.ports[0]}
    vif["details"] = {**vif["details"], "vlan": "101"}
    said()

    compute.build(Server(subject.uuid, (vif,)))

    assert any(each.endswith(", VLAN 101") for each in said())


def test_stop_start_and_deletion_are_said(lab: Lab, said: Said) -> None:
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)
    uri = lab.control.inventory()["partitions"][subject.partition]["object-uri"]
    said()

    compute.driver.power_off(subject.instance)
    assert said() == [f"Stopping partition {uri}", f"Partition {uri} is stopped"]

    compute.power_on(subject)
    assert said()[1:] == [f"Starting partition {uri}", f"Partition {uri} runs"]

    compute.delete(subject)
    assert said() == [f"Partition {subject.partition} ({uri}) and its storage are removed"]


def test_another_boot_lun_is_said(lab: Lab, said: Said) -> None:
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)
    compute.driver.power_off(subject.instance)
    uri = lab.control.inventory()["partitions"][subject.partition]["object-uri"]
    said()

    compute.power_on(replace(subject, lun=7))

    [boots] = [each for each in said() if "boots from" in each]
    path = f"LUN 0007000000000000 of target {TARGETS[1]}, from WWPN "
    assert boots.startswith(f"Partition {uri} boots from {path}")
    assert boots.endswith(" now")


def test_ports_and_volumes_of_a_running_server_are_said(lab: Lab, said: Said) -> None:
    compute, subject = Compute(lab), server(lab)
    compute.build(subject)
    if lab.machine == "z13":
        compute.driver.power_off(subject.instance)
    uri = lab.control.inventory()["partitions"][subject.partition]["object-uri"]
    vif = port(lab, 1)
    volume = block_device_info(subject, [])["block_device_mapping"][0]["connection_info"]
    volume["serial"] = "v-1"
    said()

    compute.driver.attach_interface(compute.context, subject.instance, None, vif)
    [added] = said()
    start = f"Partition {subject.partition} has one more: NIC 1003 for port {vif['id']}, MAC "
    assert added.startswith(start + vif["address"])

    compute.driver.detach_interface(compute.context, subject.instance, vif)
    assert said() == [f"Partition {uri} has NIC 1003 of port {vif['id']} no more"]

    compute.driver.attach_volume(compute.context, volume, subject.instance, "/dev/sdb")
    targets = ", ".join(TARGETS)
    shown = f"Volume v-1 is shown to the partition: LUN 0005000000000000 of targets {targets}"
    assert said() == [shown]

    compute.driver.detach_volume(compute.context, volume, subject.instance, "/dev/sdb")
    assert said() == ["Volume v-1 is taken away"]


def ends_of(lab: Lab, subject: Server) -> list[str]:
    """Return the WWPNs that the HMC has of a server."""
    inventory = lab.control.inventory()
    if lab.has_groups:
        ends = inventory["storage-groups"][subject.partition]["virtual-storage-resources"]
        return sorted(each["world-wide-port-name"].lower() for each in ends)
    hbas = inventory["partitions"][subject.partition]["hbas"]
    return sorted(each["wwpn"].lower() for each in hbas)
