"""Services that die and come back, while servers are made."""

from __future__ import annotations

import pytest

from dpm_lab.cloud import processes
from tests.cloud.user import User, until

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("service", ["nova-compute", "neutron-dpm-agent", "hmc"])
def test_a_service_is_killed_amid_a_build_and_deletion_leaves_nothing(
    user: User, service: str
) -> None:
    root = user.volume()
    with processes.held(user.place, "cinder-volume"):  # the build waits with a partition made
        server = user.create("provider", "vlan101", volume=root)
        until("a partition", lambda: user.partition(server))
        user.kill(service)
    user.start()

    # Nova ends a build that nova-compute has lost; the others are there again in time.
    status = "ERROR" if service == "nova-compute" else "ACTIVE"
    user.becomes(server, status)
    user.delete(server)

    user.nothing_is_left()
    until("volume available", lambda: user.volume_status(root) == "available")


def test_servers_run_on_while_the_hmc_is_away_and_it_knows_them_when_it_is_back(
    user: User,
) -> None:
    server = user.server("provider")
    before = user.partition(server)
    user.kill("hmc")

    user.sdk.compute.stop_server(server)  # waits for an HMC
    user.start()
    user.becomes(server, "SHUTOFF")

    after = user.partition(server)
    assert before is not None
    assert after is not None
    assert after["object-uri"] == before["object-uri"]
    user.sdk.compute.start_server(server)
    user.becomes(server, "ACTIVE")
    user.delete(server)
    user.nothing_is_left()


def test_a_server_can_be_deleted_while_nova_compute_is_away(user: User) -> None:
    server = user.server("provider")
    user.stop("nova-compute")

    user.sdk.compute.delete_server(server)
    user.start()
    until("server gone", lambda: user.sdk.compute.find_server(server) is None)

    user.nothing_is_left()


def test_the_agent_is_killed_and_ports_are_bound_when_it_is_back(user: User) -> None:
    user.kill("neutron-dpm-agent")
    user.start()

    server = user.server("provider")

    assert [port.status for port in user.ports(server)] == ["ACTIVE"]
    user.delete(server)
    user.nothing_is_left()
