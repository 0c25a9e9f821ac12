"""Shelving: the partition goes, the volume stays, and unshelving makes another partition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dpm_lab.hmc import Fault
from tests.nova.machine import on

if TYPE_CHECKING:
    from tests.nova.cloud import Cloud


@on("z13", "z16")
def test_a_shelved_server_has_no_partition_and_gets_another_when_it_is_unshelved(
    cloud: Cloud,
) -> None:
    server = cloud.boot([cloud.port()])
    told = cloud.told(server)

    cloud.act(server, "shelve")
    cloud.until_status(server, "SHELVED_OFFLOADED")

    assert cloud.left() == []

    cloud.act(server, "unshelve")
    cloud.until_status(server, "ACTIVE")

    assert cloud.partition(server)["status"] == "active"
    assert cloud.told(server) == told

    cloud.delete(server)

    assert cloud.left() == []


@on("z16")
def test_an_unshelving_that_fails_leaves_nothing_and_can_be_repeated(cloud: Cloud) -> None:
    server = cloud.boot([cloud.port()])
    cloud.act(server, "shelve")
    cloud.until_status(server, "SHELVED_OFFLOADED")
    cloud.control.add_fault(Fault("POST", r".*/operations/start", "job-fails"))

    cloud.act(server, "unshelve")
    cloud.until_failed(server, "unshelve")

    assert cloud.left() == []
    assert cloud.show(server)["status"] == "SHELVED_OFFLOADED"

    cloud.act(server, "unshelve")
    cloud.until_status(server, "ACTIVE")
    cloud.delete(server)

    assert cloud.left() == []
