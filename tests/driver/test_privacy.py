"""What a server's user reads of a failure: nothing of HMC, storage, options, or others."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from nova.compute.utils import exception_to_dict
from nova.exception import NovaException

from dpm_lab.hmc import Fault
from tests.driver.compute import TARGETS, Compute, Server, port, server
from tests.driver.lab import Lab

SECRETS = re.compile(
    r"127\.0\.0\.1|/api/|OpenStack-|[0-9a-f]{16}|ordered by|target_wwpn|hmc_|\b(?:500|409)\b"
)
Act = Callable[[Compute, Server], Any]


def unshelve(compute: Compute, subject: Server) -> None:
    """Ask for the connector first, as Nova does when it unshelves a server."""
    instance = subject.instance
    instance.vm_state, instance.task_state = "shelved_offloaded", "spawning"
    compute.driver.get_volume_connector(instance)


WAYS: dict[str, tuple[str, str, Act]] = {
    "spawn": ("POST", "/api/partitions/[^/]+", lambda compute, subject: compute.build(subject)),
    "prepare": (
        "POST",
        "/api/cpcs/[^/]+/partitions",
        lambda compute, subject: compute.build(subject),
    ),
    "connector": (
        "GET",
        "/api/(partitions|storage-groups|virtual-storage-resources)/.*",
        lambda compute, subject: compute.connect(subject),
    ),
    "unshelve": ("POST", "/api/cpcs/[^/]+/partitions", unshelve),
    "destroy": (
        "POST",
        ".*/operations/stop",
        lambda compute, subject: compute.delete(subject),
    ),
    "power off": (
        "POST",
        ".*/operations/stop",
        lambda compute, subject: compute.driver.power_off(subject.instance),
    ),
    "power on": (
        "POST",
        ".*/operations/start",
        lambda compute, subject: compute.power_on(subject),
    ),
    "reboot": ("POST", ".*/operations/stop", lambda compute, subject: compute.reboot(subject)),
    "attach": (
        "POST",
        "/api/partitions/[^/]+",
        lambda compute, subject: compute.driver.attach_interface(
            compute.context, subject.instance, None, port(compute.lab, 1)
        ),
    ),
    "detach": (
        "POST",
        "/api/partitions/[^/]+",
        lambda compute, subject: compute.driver.detach_interface(
            compute.context, subject.instance, subject.ports[0]
        ),
    ),
    "volume": (
        "GET",
        "/api/partitions/.*",
        lambda compute, subject: compute.driver.attach_volume(
            compute.context,
            {
                "driver_volume_type": "fibre_channel",
                "data": {"target_wwn": TARGETS[0], "target_lun": 1},
            },
            subject.instance,
            "/dev/sdb",
        ),
    ),
    "state": (
        "GET",
        "/api/partitions/.*",
        lambda compute, subject: compute.driver.get_info(subject.instance, use_cache=False),
    ),
    "exists": (
        "GET",
        "/api/(cpcs/[^/]+/)?partitions.*",
        lambda compute, subject: compute.driver.instance_exists(subject.instance),
    ),
}
BUILDS = ("spawn", "prepare", "unshelve")


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab("z16") as lab:
        yield lab


@pytest.fixture
def said() -> Iterator[io.StringIO]:
    """What the driver logs."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    logger = logging.getLogger("nova_dpm")
    logger.addHandler(handler)
    yield text
    logger.removeHandler(handler)


@pytest.mark.parametrize("way", WAYS)
def test_a_failure_of_the_hmc_is_in_the_log_and_not_in_the_fault(
    lab: Lab, said: io.StringIO, way: str
) -> None:
    method, uri, act = WAYS[way]
    compute, subject = Compute(lab), server(lab)
    if way not in BUILDS:
        compute.build(subject)
    if way == "power on":
        compute.driver.power_off(subject.instance)
    lab.control.add_fault(Fault(method, uri, status=500, reason=9, times=None))

    with pytest.raises(NovaException) as caught:
        act(compute, subject)

    message = fault(caught.value)
    assert not SECRETS.search(message.replace(subject.uuid, "")), message
    assert f"log of nova-compute, at instance {subject.uuid}" in message
    assert "the HMC answered 500,9: ordered by the lab" in said.getvalue()


def test_a_volume_that_no_way_leads_to_names_no_target(
    lab: Lab, said: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute, subject = Compute(lab), server(lab)
    connected = compute.connect

    def elsewhere(subject: Server) -> dict[str, Any]:
        info = connected(subject)
        data = info["block_device_mapping"][0]["connection_info"]["data"]
        data["initiator_target_map"] = {"c05076d08001a7ff": [TARGETS[0]]}
        return info

    monkeypatch.setattr(compute, "connect", elsewhere)
    with pytest.raises(NovaException) as caught:
        compute.build(subject)

    assert "no way to the volume" in fault(caught.value)
    assert not SECRETS.search(fault(caught.value).replace(subject.uuid, ""))
    assert TARGETS[0] in said.getvalue()
    assert "target_wwpn_ignore_list" in said.getvalue()


def fault(error: NovaException) -> str:
    """Return what Nova shows of it."""
    return str(exception_to_dict(error)["message"])
