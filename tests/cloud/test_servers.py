"""What a user does with servers, and that nothing is left of it anywhere."""

from __future__ import annotations

import pytest

from tests.cloud.user import User, until

pytestmark = pytest.mark.slow


def test_a_server_has_a_nic_on_each_network_and_leaves_nothing(user: User) -> None:
    server = user.server("provider", "vlan101", "hipersockets")

    partition = user.partition(server)
    ports = user.ports(server)
    assert partition is not None
    assert partition["status"] == "active"
    assert sorted(nic["mac-address"] for nic in partition["nics"]) == sorted(
        port.mac_address for port in ports
    )
    assert {port.status for port in ports} == {"ACTIVE"}
    assert {port.binding_vif_type for port in ports} == {"dpm_vswitch"}
    assert len({nic["virtual-switch-uri"] for nic in partition["nics"]}) == 2
    by_mac = {nic["mac-address"]: nic for nic in partition["nics"]}
    vlans = {port.network_id: by_mac[port.mac_address].get("vlan-id") for port in ports}
    assert vlans == {
        user.network("provider"): None,
        user.network("vlan101"): 101,
        user.network("hipersockets"): None,
    }

    user.delete(server)
    user.nothing_is_left()


def test_a_server_without_a_network_is_built(user: User) -> None:
    server = user.server()

    partition = user.partition(server)
    assert partition is not None
    assert partition["nics"] == []

    user.delete(server)
    user.nothing_is_left()


def test_stop_start_and_reboot_keep_partition_and_wwpns(user: User) -> None:
    volume = user.volume()
    server = user.server("provider", volume=volume)
    before, seen = user.partition(server), user.seen_by(volume)
    assert before is not None
    assert seen

    user.sdk.compute.stop_server(server)
    user.becomes(server, "SHUTOFF")
    stopped = user.partition(server)
    assert stopped is not None
    assert stopped["status"] in ("stopped", "paused")
    user.sdk.compute.start_server(server)
    user.becomes(server, "ACTIVE")
    user.sdk.compute.reboot_server(server, "HARD")
    user.becomes(server, "ACTIVE")

    after = user.partition(server)
    assert after is not None
    assert after["object-uri"] == before["object-uri"]
    assert after["status"] == "active"
    assert user.seen_by(volume) == seen
    user.delete(server)
    user.nothing_is_left()


def test_ports_come_to_and_go_from_a_running_server(user: User) -> None:
    server = user.server("provider")

    for network in ("vlan101", "hipersockets"):
        user.sdk.compute.create_server_interface(server, net_id=user.network(network))

    def has_three() -> bool:
        partition = user.partition(server)
        active = [port for port in user.ports(server) if port.status == "ACTIVE"]
        return partition is not None and len(partition["nics"]) == 3 == len(active)

    until("three NICs, three active ports", has_three)
    for port in user.ports(server):
        if port.network_id != user.network("provider"):
            user.sdk.compute.delete_server_interface(port.id, server)
    until("one NIC", lambda: len((user.partition(server) or {"nics": []})["nics"]) == 1)

    user.delete(server)
    user.nothing_is_left()


def test_a_data_volume_is_shown_to_a_server_and_hidden_again(user: User) -> None:
    root, data = user.volume(), user.volume(bootable=False)
    server = user.server("provider", volume=root)

    user.sdk.compute.create_volume_attachment(server, volume_id=data)
    until("volume in use", lambda: user.volume_status(data) == "in-use")
    assert user.seen_by(data) == user.seen_by(root)
    user.sdk.compute.delete_volume_attachment(server, data)
    until("volume available", lambda: user.volume_status(data) == "available")
    assert user.seen_by(data) == []

    user.delete(server)
    user.nothing_is_left()
    assert user.volume_status(root) == "available"


def test_a_shelved_server_occupies_no_partition_and_comes_back_with_its_port(user: User) -> None:
    volume = user.volume()
    server = user.server("vlan101", volume=volume)
    before = [port.mac_address for port in user.ports(server)]

    user.sdk.compute.shelve_server(server)
    user.becomes(server, "SHELVED_OFFLOADED")
    left = user.left_behind()
    assert not {"partitions", "storage groups", "volumes shown", "allocations"} & set(left)
    user.sdk.compute.unshelve_server(server)
    user.becomes(server, "ACTIVE")

    partition = user.partition(server)
    assert partition is not None
    assert [nic["mac-address"] for nic in partition["nics"]] == before
    assert [nic["vlan-id"] for nic in partition["nics"]] == [101]
    user.delete(server)
    user.nothing_is_left()


def test_a_rebuilt_server_keeps_partition_port_and_wwpns(user: User) -> None:
    volume = user.volume()
    server = user.server("provider", volume=volume)
    before, seen = user.partition(server), user.seen_by(volume)
    macs = [port.mac_address for port in user.ports(server)]
    assert before is not None

    user.sdk.compute.rebuild_server(server, image=user.image.id)
    user.becomes(server, "ACTIVE")

    after = user.partition(server)
    assert after is not None
    assert after["object-uri"] == before["object-uri"]
    assert [nic["mac-address"] for nic in after["nics"]] == macs
    assert user.seen_by(volume) == seen
    # A rebuild that is refused leaves the server as it was, too.
    actions = user.sdk.compute.server_actions(server)
    assert [each.message for each in actions if each.action == "rebuild"] == [None]
    assert user.allocations(server) == {"VCPU": 1, "MEMORY_MB": 1024}
    user.delete(server)
    user.nothing_is_left()
