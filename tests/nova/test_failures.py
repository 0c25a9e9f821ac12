"""What the user of a server is told where its boot volume does not do, by Nova's own API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import nova.conf

from dpm_lab.hmc import Fault
from tests.nova.machine import on

if TYPE_CHECKING:
    from tests.nova.cloud import Cloud


@on("z13", "z16")
def test_a_server_whose_volume_is_masked_to_another_stays_shut_off_and_its_event_says_whom_to_ask(
    cloud: Cloud,
) -> None:
    server = cloud.boot([cloud.port()])
    cloud.act(server, "os-stop")
    cloud.until_status(server, "SHUTOFF")
    cloud.control.add_barrier("masking")

    cloud.act(server, "os-start")
    event = cloud.until_failed(server, "start")

    assert "an operator finds the reason in the log of nova-compute" in event["details"]
    assert cloud.show(server)["status"] == "SHUTOFF"
    assert "No path to the boot volume" in cloud.log
    assert "works: masking" in cloud.log

    cloud.control.clear_barriers()
    cloud.act(server, "os-start")
    cloud.until_status(server, "ACTIVE")


@on("z16")
def test_a_server_of_which_nothing_can_be_loaded_says_so_in_its_fault(cloud: Cloud) -> None:
    cloud.control.add_fault(Fault("POST", ".*/operations/start", "nothing-loaded"))

    with _hasty(cloud):
        server = cloud.boot_in_vain([cloud.port()])

    assert server["status"] == "ERROR"
    assert (
        "its partition is paused after the start: is its boot volume" in server["fault"]["message"]
    )
    assert cloud.left() == []


@contextmanager
def _hasty(cloud: Cloud) -> Iterator[None]:
    """Have a driver that has little patience with a status."""
    nova.conf.CONF.set_override("hmc_status_timeout", 1, "dpm")
    cloud.restart_compute()
    try:
        yield
    finally:
        nova.conf.CONF.clear_override("hmc_status_timeout", "dpm")
        cloud.restart_compute()
