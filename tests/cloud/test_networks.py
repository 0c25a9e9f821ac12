"""What is on the networks behind the adapters: DHCP and metadata, for whoever has a port's MAC."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dpm_lab.cloud import processes, wires
from dpm_lab.cloud.machine import wiring
from dpm_lab.network import Segment, taps
from dpm_lab.network.taps import Tap
from tests import networks
from tests.cloud.user import User, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(wires.obstacle()), reason=f"no DHCP here: {wires.obstacle()}"),
]

#: What udhcpc calls: it takes over the address, and the routes, by which metadata is reached.
_TAKE_OVER = """\
#!/bin/sh
[ "$1" = bound ] || exit 0
ip address replace "$ip/$mask" dev "$interface"
ip link set "$interface" mtu "${mtu:-1500}"
set -- $staticroutes
while [ $# -gt 1 ]; do
    case $1 in 0.0.0.0/0) ;; *) ip route replace "$1" via "$2" dev "$interface" ;; esac
    shift 2
done
"""
_METADATA = """\
import urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
url = "http://169.254.169.254/openstack/latest/meta_data.json"
print(opener.open(url, timeout=60).read().decode())
"""


@contextmanager
def _host(user: User, segment: Segment, mac: str) -> Iterator[str]:
    """Give a network namespace with one interface, which is plugged into a segment."""
    folder = user.place.networks
    with networks.namespace(f"dpm-test-{os.getpid()}") as name:
        networks.tap(name, f"t{os.getpid()}", mac)
        taps.plug(folder, Tap(f"t{os.getpid()}", name, str(segment)))
        try:
            yield name
        finally:
            taps.unplug(folder, f"t{os.getpid()}")


def _ask_for_address(host: str, script: Path, tries: int = 20) -> str:
    """Get an address by DHCP, and return it."""
    script.write_text(_TAKE_OVER)
    script.chmod(0o755)
    device = f"t{os.getpid()}"
    words = ["busybox", "udhcpc", "-i", device, "-n", "-q", "-O", "staticroutes"]
    words += ["-t", str(tries), "-s", str(script)]
    networks.ip("netns", "exec", host, *words)
    (shown,) = json.loads(networks.ip("-n", host, "-4", "-json", "address", "show", "dev", device))
    (address,) = shown["addr_info"]
    return str(address["local"])


def test_a_server_gets_its_addresses_and_its_metadata_on_each_kind_of_network(
    user: User, tmp_path: Path
) -> None:
    server = user.server("provider", "vlan101", "hipersockets")
    segments = user.segments(server)

    got, metadata = {}, []
    for port in user.ports(server):
        with _host(user, segments[port.mac_address], port.mac_address) as host:
            got[port.id] = _ask_for_address(host, tmp_path / "take-over")
            said = networks.ip("netns", "exec", host, sys.executable, "-c", _METADATA)
            metadata.append(json.loads(said))

    assert got == {port.id: port.fixed_ips[0]["ip_address"] for port in user.ports(server)}
    assert [each["uuid"] for each in metadata] == [server] * 3
    key = user.place.of("key.pub").read_text().strip()
    assert [each["public_keys"] for each in metadata] == [{"dpm": key}] * 3
    user.delete(server)
    user.nothing_is_left()


def test_who_has_no_port_gets_no_address(user: User, tmp_path: Path) -> None:
    segment = wiring(user.place.hosts[0]).segments["physnet1"]

    with _host(user, segment, "02:00:00:00:00:99") as host, pytest.raises(networks.IpError):
        _ask_for_address(host, tmp_path / "take-over", tries=2)


def test_an_address_that_a_port_had_is_given_to_the_next_one(user: User, tmp_path: Path) -> None:
    """Whoever had the lease is gone, and does not give it back."""
    segment = wiring(user.place.hosts[0]).segments["physnet1"]
    wanted = {"network_id": user.network("provider"), "fixed_ips": [{"ip_address": "192.0.2.250"}]}
    got = []
    for _ in range(2):
        port = user.sdk.network.create_port(**wanted)
        with _host(user, segment, port.mac_address) as host:
            got.append(_ask_for_address(host, tmp_path / "take-over"))
        user.sdk.network.delete_port(port)

    assert got == ["192.0.2.250"] * 2


def test_ports_of_dhcp_are_bound_and_active(user: User) -> None:
    def are_so() -> bool:  # the agent makes them when all services answer
        ports = list(user.sdk.network.ports(device_owner="network:dhcp"))
        found = [(each.binding_host_id, each.status) for each in ports]
        return found == [("control", "ACTIVE")] * 3

    until("three ports of DHCP", are_so)


def test_a_dhcp_agent_that_is_killed_leaves_nothing_that_its_successor_does_not_end(
    user: User, tmp_path: Path
) -> None:
    before = {each.pid for each in processes.members(user.place, "neutron-dhcp-agent")}
    processes.kill(user.place, "neutron-dhcp-agent")
    server = user.create("vlan101")
    user.start()
    user.becomes(server, "ACTIVE")

    after = {each.pid for each in processes.members(user.place, "neutron-dhcp-agent")}
    assert not before & after
    (port,) = user.ports(server)
    (segment,) = user.segments(server).values()
    with _host(user, segment, port.mac_address) as host:
        assert _ask_for_address(host, tmp_path / "t") == port.fixed_ips[0]["ip_address"]
    user.delete(server)
    user.nothing_is_left()
