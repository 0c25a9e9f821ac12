"""nova-compute ends in the middle of something, and another one goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from tests.nova.machine import on

if TYPE_CHECKING:
    from tests.nova.cloud import Cloud


class Killed(BaseException):
    """The process ends here: none of Nova's ``except Exception`` cleans up."""


BEFORE = {
    "making the partition": "_partitions.create",
    "making its storage": "_storage.prepare",
    "telling its WWPNs": "_storage.ends",
    "preparing its boot volume": "_storage.boot",
    "making its NICs": "_networks.create_all",
    "writing its boot parameters": "_partitions.update",
    "starting it": "_partitions.start",
}
"""What the driver is about to do in a build, by the method that does it."""


@on("z13", "z16")
@pytest.mark.parametrize("step", BEFORE)
def test_a_build_that_nova_compute_did_not_survive_can_be_deleted(cloud: Cloud, step: str) -> None:
    with killed_before(cloud, BEFORE[step]) as kill:
        server = cloud.create([cloud.port()])
        cloud.until_called(kill)
        cloud.restart_compute()

    failed = cloud.until_status(server, "ERROR")
    cloud.delete(failed)

    assert cloud.left() == []


@on("z13", "z16")
def test_a_new_nova_compute_stops_starts_and_deletes_what_the_old_one_made(cloud: Cloud) -> None:
    server = cloud.boot([cloud.port()])
    told = cloud.told(server)
    cloud.restart_compute()

    cloud.act(server, "os-stop")
    cloud.until_status(server, "SHUTOFF")
    cloud.restart_compute()
    cloud.act(server, "os-start")
    cloud.until_status(server, "ACTIVE")

    assert cloud.partition(server)["status"] == "active"
    assert cloud.told(server) == told

    cloud.restart_compute()
    cloud.delete(server)

    assert cloud.left() == []


@on("z16")
def test_a_stop_that_nova_compute_did_not_survive_is_done_by_the_next_one(cloud: Cloud) -> None:
    server = cloud.boot([cloud.port()])

    with killed_before(cloud, "_partitions.stop") as kill:
        cloud.act(server, "os-stop")
        cloud.until_called(kill)
        cloud.restart_compute()

    cloud.until_status(server, "SHUTOFF")
    assert cloud.partition(server)["status"] == "stopped"


@on("z16")
def test_a_start_that_nova_compute_did_not_survive_is_done_by_the_next_one(cloud: Cloud) -> None:
    server = cloud.boot([cloud.port()])
    cloud.act(server, "os-stop")
    cloud.until_status(server, "SHUTOFF")

    with killed_before(cloud, "_partitions.start") as kill:
        cloud.act(server, "os-start")
        cloud.until_called(kill)
        cloud.restart_compute()

    cloud.until_status(server, "ACTIVE")
    assert cloud.partition(server)["status"] == "active"


@on("z16")
@pytest.mark.parametrize("step", ["_partitions.stop", "_storage.remove", "_partitions.delete"])
def test_a_deletion_that_nova_compute_did_not_survive_is_done_by_the_next_one(
    cloud: Cloud, step: str
) -> None:
    server = cloud.boot([cloud.port()])

    with killed_before(cloud, step) as kill:
        cloud.api.delete_server(server["id"])
        cloud.until_called(kill)
        cloud.restart_compute()

    cloud.until_gone(server)
    assert cloud.left() == []


@contextmanager
def killed_before(cloud: Cloud, step: str) -> Iterator[mock.Mock]:
    """Have the running driver, and no new one, killed at a step."""
    part, method = step.split(".")
    servers = cloud.compute.manager.driver._servers
    with (
        mock.patch.object(getattr(servers, part), method, side_effect=Killed(step)) as kill,
        # Nova leaves its ``with`` of a claim here, as a process that is killed does not.
        mock.patch("nova.compute.claims.Claim.abort"),
    ):
        yield kill
