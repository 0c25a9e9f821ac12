"""A server that is asked for becomes a partition that knows its NICs and its boot volume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.nova.machine import HOST, on

if TYPE_CHECKING:
    from tests.nova.cloud import Cloud


@on("z13", "z14", "z16", "z17")
def test_a_server_becomes_a_running_partition_that_its_user_can_delete(cloud: Cloud) -> None:
    port = cloud.port(1)

    server = cloud.boot([port])

    partition = cloud.partition(server)
    assert partition["status"] == "active"
    assert partition["description"] == f"OpenStack CPCSubset={HOST}"
    assert partition["processor-mode"] == "shared"
    assert partition["ifl-processors"] == 2
    assert partition["initial-memory"] == partition["maximum-memory"] == 4096
    [nic] = partition["nics"]
    assert_is_nic_of(nic, port)
    assert cloud.told(server) == [(nic["device-number"].lower(), 1, port["mac_address"])]
    assert_boots_from_its_volume(cloud, server)
    assert_cinder_knows(cloud, server)
    assert server["OS-EXT-STS:power_state"] == 1
    assert server["OS-EXT-SRV-ATTR:host"] == HOST
    assert server["OS-EXT-SRV-ATTR:hypervisor_hostname"] == HOST

    cloud.delete(server)

    assert cloud.left() == []


@on("z13", "z16", "z17")
def test_the_guest_is_told_three_nics_in_the_order_of_the_ports(cloud: Cloud) -> None:
    ports = [cloud.port(0), cloud.port(1), cloud.port(1)]

    server = cloud.boot(ports)

    by_name = {nic["name"]: nic for nic in cloud.partition(server)["nics"]}
    nics = [by_name.pop(f"OpenStack_Port_{port['id']}") for port in ports]
    assert not by_name
    for nic, port in zip(nics, ports, strict=True):
        assert_is_nic_of(nic, port)
    assert cloud.told(server) == [
        (nic["device-number"].lower(), number, port["mac_address"])
        for nic, number, port in zip(nics, (0, 1, 1), ports, strict=True)
    ]


def assert_is_nic_of(nic: dict[str, Any], port: dict[str, Any]) -> None:
    """Check what Neutron's agent finds a NIC by, and what it is plugged into."""
    mac = port["mac_address"]
    assert nic["name"] == f"OpenStack_Port_{port['id']}"
    assert nic["description"] == f"OpenStack mac={mac}, CPCSubset={HOST}"
    details = port["binding:vif_details"]
    if port["binding:vif_type"] == "dpm_vswitch":
        assert nic["virtual-switch-uri"] == f"/api/virtual-switches/{details['object_id']}"
    else:
        uri = f"/api/adapters/{details['object_id']}/network-ports/{details['port']}"
        assert nic["network-adapter-port-uri"] == uri


def assert_boots_from_its_volume(cloud: Cloud, server: dict[str, Any]) -> None:
    """Check that the HMC has the one target that the zones show, and the LUN."""
    from tests.nova.storage import LUN, TARGETS

    partition = cloud.partition(server)
    if cloud.machine.has_storage_management:
        group = cloud.control.inventory()["storage-groups"][partition["name"]]
        [volume] = group["storage-volumes"]
        assert partition["boot-device"] == "storage-volume"
        assert partition["boot-storage-volume"] == volume["element-uri"]
        assert volume["fulfillment-state"] == "complete"
        assert group["description"] == f"OpenStack CPCSubset={HOST}"
        assert group["shared"] is False
    else:
        assert partition["boot-device"] == "storage-adapter"
        assert partition["boot-storage-device"] == partition["hbas"][0]["element-uri"]
        assert partition["boot-world-wide-port-name"] == TARGETS[1]
        assert partition["boot-logical-unit-number"] == f"{LUN:04x}000000000000"


def assert_cinder_knows(cloud: Cloud, server: dict[str, Any]) -> None:
    """Check that Cinder was told the WWPNs that the partition has."""
    partition = cloud.partition(server)
    if cloud.machine.has_storage_management:
        group = cloud.control.inventory()["storage-groups"][partition["name"]]
        ends = group["virtual-storage-resources"]
        wwpns = [end["world-wide-port-name"] for end in ends]
    else:
        wwpns = [hba["wwpn"] for hba in partition["hbas"]]
    [volume] = server["os-extended-volumes:volumes_attached"]
    connector = cloud.cinder.connector(volume["id"])
    assert sorted(connector["wwpns"]) == sorted(wwpn.lower() for wwpn in wwpns)
    assert len(set(wwpns)) == 2
    assert connector["wwnns"]
    assert connector["host"] == HOST
    assert connector["multipath"] is True
    assert connector["platform"] == "s390x"
