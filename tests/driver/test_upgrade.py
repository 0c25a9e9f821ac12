"""What the driver of 2018 made is taken over as it runs.

Names and descriptions are its contract (`dpm_hmc.names`); its boot parameters have a blank before
each tuple; its device numbers are those that the HMC gave.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import zhmcclient
from nova.compute import power_state
from nova.exception import InterfaceAttachFailed

from dpm_guest import bootparams
from tests.driver.compute import TARGETS, Compute, Server, port, server
from tests.driver.lab import HOST, Lab


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab("z13", storage_ports=1) as lab:
        yield lab


@pytest.fixture
def old(lab: Lab) -> Server:
    """A running server of the old driver, with two ports."""
    subject = server(lab, ports=2)
    session = zhmcclient.Session(
        lab.server.host,
        lab.server.userid,
        lab.server.password,
        port=lab.server.port,
        verify_cert=str(lab.server.ca_file),
    )
    client = zhmcclient.Client(session)
    partition = client.cpcs.list()[0].partitions.create(
        {
            "name": subject.partition,
            "description": f"OpenStack CPCSubset={HOST}",
            "ifl-processors": 2,
            "initial-memory": 4096,
            "maximum-memory": 4096,
        }
    )
    hba = partition.hbas.create(
        {
            "name": "OpenStack_HBA_old",
            "adapter-port-uri": f"/api/adapters/{lab.adapters['FCP-A']}/storage-ports/0",
        }
    )
    told = ""
    for vif in subject.ports:
        nic = partition.nics.create(
            {
                "name": f"OpenStack_Port_{vif['id']}",
                "description": f"OpenStack mac={vif['address']}, CPCSubset={HOST}",
                "virtual-switch-uri": f"/api/virtual-switches/{vif['details']['object_id']}",
            }
        )
        nic.pull_full_properties()
        number = _port_number(lab, vif)
        told += f" {nic.prop('device-number')},{number},{vif['address'].replace(':', '')};"
    partition.update_properties(
        {
            "boot-device": "storage-adapter",
            "boot-storage-device": hba.uri,
            "boot-world-wide-port-name": TARGETS[1],
            "boot-logical-unit-number": f"{subject.lun:04x}000000000000",
            "boot-os-specific-parameters": told.strip(),
        }
    )
    lab.control.set_properties(partition.uri, {"status": "active"})
    session.logoff()
    return subject


def test_it_is_listed_and_its_state_is_known(lab: Lab, old: Server) -> None:
    driver = Compute(lab).driver

    assert driver.list_instance_uuids() == [old.uuid]
    assert driver.list_instances() == [old.partition]
    assert driver.get_info(old.instance).state == power_state.RUNNING
    assert driver.get_info(old.instance, use_cache=False).state == power_state.RUNNING


def test_its_connector_has_the_wwpns_of_its_hbas(lab: Lab, old: Server) -> None:
    connector = Compute(lab).driver.get_volume_connector(old.instance)

    partition = lab.control.inventory()["partitions"][old.partition]
    assert connector["wwpns"] == [hba["wwpn"].lower() for hba in partition["hbas"]]


def test_it_is_stopped_and_started_without_changing_it(lab: Lab, old: Server) -> None:
    compute = Compute(lab)
    before = lab.control.inventory()["partitions"][old.partition]

    compute.driver.power_off(old.instance)
    stopped = compute.driver.get_info(old.instance).state
    compute.power_on(old)

    assert stopped == power_state.SHUTDOWN
    assert lab.control.inventory()["partitions"][old.partition] == before


def test_a_port_is_attached_beside_the_old_ones(lab: Lab, old: Server) -> None:
    compute, new = Compute(lab), port(lab)
    compute.driver.power_off(old.instance)

    compute.driver.attach_interface(compute.context, old.instance, None, new)
    compute.power_on(replace(old, ports=(*old.ports, new)))

    assert _told(lab, old) == _macs((*old.ports, new))


def test_a_port_is_not_attached_while_it_runs_where_its_mac_cannot_be_set(
    lab: Lab, old: Server
) -> None:
    compute = Compute(lab)

    with pytest.raises(InterfaceAttachFailed, match="stop the server"):
        compute.driver.attach_interface(compute.context, old.instance, None, port(lab))

    assert _told(lab, old) == _macs(old.ports)


def test_an_old_port_is_detached(lab: Lab, old: Server) -> None:
    compute = Compute(lab)

    compute.driver.detach_interface(compute.context, old.instance, old.ports[0])

    partition = lab.control.inventory()["partitions"][old.partition]
    assert [nic["name"] for nic in partition["nics"]] == [f"OpenStack_Port_{old.ports[1]['id']}"]
    assert _told(lab, old) == _macs(old.ports[1:])


def test_it_is_deleted(lab: Lab, old: Server) -> None:
    Compute(lab).delete(old)

    assert not lab.left()


def _told(lab: Lab, subject: Server) -> set[tuple[str, str]]:
    """Return device numbers' NICs by description, and MACs, as the guest is told them."""
    partition = lab.control.inventory()["partitions"][subject.partition]
    described = {nic["device-number"].lower(): nic["description"] for nic in partition["nics"]}
    told = bootparams.parse(partition["boot-os-specific-parameters"]).nics
    return {(described[nic.bus_id.devno], str(nic.mac)) for nic in told}


def _macs(ports: tuple[dict[str, Any], ...]) -> set[tuple[str, str]]:
    return {(f"OpenStack mac={vif['address']}, CPCSubset={HOST}", vif["address"]) for vif in ports}


def _port_number(lab: Lab, vif: dict[str, Any]) -> int:
    return {object_id: number for number, object_id in lab.switches.items()}[
        vif["details"]["object_id"]
    ]
