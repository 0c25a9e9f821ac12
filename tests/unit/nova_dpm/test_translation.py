"""Nova's objects, and ours."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from nova import exception, objects
from nova.compute import power_state

from dpm_hmc.errors import StateError, UnreachableError
from dpm_hmc.statuses import Status
from nova_dpm.errors import RefusedError
from nova_dpm.translation import (
    HmcFailureError,
    build_failures,
    build_refusals,
    check_server,
    hmc_failures,
    power_state_of,
    refusals,
    root_volume,
)

STATUSES = (
    # HMC Web Services API, Partition object, property "status".
    "communications-not-active",
    "status-check",
    "stopped",
    "terminated",
    "starting",
    "active",
    "stopping",
    "degraded",
    "reservation-error",
    "paused",
)


def instance(**changed: Any) -> Any:
    flavor = {"memory_mb": 512, "vcpus": 1, "ephemeral_gb": 0, "swap": 0, "root_gb": 0}
    flavor.update(changed.pop("flavor", {}))
    fields = {
        "uuid": "u-1",
        "image_ref": "",
        "config_drive": "",
        "image_meta": None,
        "_context": None,
    }
    return SimpleNamespace(**{**fields, **changed}, flavor=SimpleNamespace(**flavor))


def bdms(destination: str) -> objects.BlockDeviceMappingList:
    """A root disk, as Nova has it of a server that is made of an image."""
    objects.register_all()
    root = objects.BlockDeviceMapping(
        boot_index=0, source_type="image", destination_type=destination
    )
    return objects.BlockDeviceMappingList(objects=[root])


def test_an_image_may_say_that_its_server_boots_from_a_volume() -> None:
    volume = bdms("volume")
    about = objects.ImageMeta.from_dict({})

    subject = instance(image_ref="an-image", image_meta=about, get_bdms=lambda: volume)

    check_server(subject)


def test_the_statuses_are_those_of_the_hmc() -> None:
    assert {str(each) for each in Status} == set(STATUSES)


@pytest.mark.parametrize(
    ("state", "statuses"),
    [
        (power_state.RUNNING, {"active", "degraded"}),
        (power_state.SHUTDOWN, {"stopped", "paused", "reservation-error"}),
        (power_state.CRASHED, {"terminated"}),
        (
            power_state.NOSTATE,
            {"starting", "stopping", "status-check", "communications-not-active", "dozing"},
        ),
    ],
)
def test_each_status_is_a_power_state_and_what_is_on_its_way_or_unknown_is_none(
    state: int, statuses: set[str]
) -> None:
    every = {*STATUSES, "dozing"}

    assert {each for each in every if power_state_of(Status(each)) == state} == statuses


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (
            {"image_ref": "an-image", "get_bdms": lambda: bdms("local")},
            "boots from a volume only",
        ),
        ({"flavor": {"memory_mb": 511}}, "511 MiB"),
        ({"flavor": {"ephemeral_gb": 1}}, "ephemeral or swap"),
        ({"flavor": {"swap": 1}}, "ephemeral or swap"),
        ({"config_drive": "True"}, "configuration drive"),
    ],
)
def test_a_server_that_cannot_be_a_partition_is_refused(changed: dict[str, Any], why: str) -> None:
    subject = instance(image_meta=SimpleNamespace(properties={}), **changed)

    with pytest.raises(RefusedError, match=why):
        check_server(subject)


def test_the_root_volume_is_the_one_with_boot_index_0() -> None:
    def volume(index: int | None, lun: int) -> dict[str, Any]:
        data = {"target_wwn": "5005076800000001", "target_lun": lun}
        info = {"driver_volume_type": "fibre_channel", "data": data}
        return {"boot_index": index, "connection_info": info, "mount_device": f"/dev/sd{lun}"}

    found = root_volume({"block_device_mapping": [volume(None, 1), volume(0, 2), volume(1, 3)]})

    assert found is not None
    assert found.targets[0][1] == "0002000000000000"
    assert root_volume({"block_device_mapping": [volume(None, 1)]}) is None
    assert root_volume(None) is None


def test_errors_become_those_by_which_nova_decides() -> None:
    with pytest.raises(exception.InstanceUnacceptable, match=r"^no room$"), refusals(instance()):
        raise RefusedError("no room")
    with pytest.raises(exception.BuildAbortException, match="no room"), build_refusals(instance()):
        raise RefusedError("no room")
    with pytest.raises(exception.ComputeResourcesUnavailable) as caught, build_failures(instance()):
        raise StateError("it is down")
    assert "is down" not in str(caught.value)
    assert "resources" not in str(caught.value)
    assert "instance u-1" in str(caught.value)


def test_a_server_that_is_there_has_no_other_host_to_go_to() -> None:
    with pytest.raises(HmcFailureError) as caught, hmc_failures(instance()):
        raise StateError("it is down")

    assert not isinstance(caught.value, exception.ComputeResourcesUnavailable)
    assert "has not done what it was asked for; an operator" in str(caught.value)
    assert "instance u-1" in str(caught.value)


def test_a_user_reads_that_no_hmc_answers_and_not_where_it_was_looked_for() -> None:
    with pytest.raises(HmcFailureError) as caught, hmc_failures(instance()):
        raise UnreachableError("No HMC answers: tried 192.0.2.9 port 6794 4 times")

    assert str(caught.value).startswith("no HMC answers, try again when one does; an operator")
    assert "192.0.2.9" not in str(caught.value)
