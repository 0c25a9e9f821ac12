"""Nova's objects read for us, and our errors as Nova's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from nova import exception
from nova.compute import power_state
from nova.objects.instance import Instance
from nova.virt import configdrive, driver

from nova_dpm.errors import HmcError, RefusedError
from nova_dpm.storage import FcVolume

LEAST_MEMORY = 512
"""MiB that a partition has at least (help text of ``[dpm] max_memory``)."""

POWER_STATES = {
    "active": power_state.RUNNING,
    "degraded": power_state.RUNNING,
    "paused": power_state.PAUSED,
    "stopped": power_state.SHUTDOWN,
    # Nova stops what crashed: a terminated operating system, a partition without its resources.
    "terminated": power_state.CRASHED,
    "reservation-error": power_state.CRASHED,
    # On their way, or nobody knows: Nova must draw no conclusion.
    "starting": power_state.NOSTATE,
    "stopping": power_state.NOSTATE,
    "status-check": power_state.NOSTATE,
    "communications-not-active": power_state.NOSTATE,
}


def check_server(instance: Instance) -> None:
    flavor = instance.flavor
    if instance.image_ref:
        raise RefusedError(
            "it is to boot from an image, and a partition boots from a volume only; "
            "create the volume from the image (openstack server create --boot-from-volume SIZE)"
        )
    if flavor.memory_mb < LEAST_MEMORY:
        raise RefusedError(
            f"its flavor has {flavor.memory_mb} MiB of memory, and a partition has "
            f"{LEAST_MEMORY} or more"
        )
    if flavor.ephemeral_gb or flavor.swap:
        raise RefusedError(
            "its flavor has a local (ephemeral or swap) disk, and a partition has none"
        )
    if configdrive.required_by(instance):
        raise RefusedError(
            "it wants a configuration drive, which a partition cannot have; the guest can use the "
            "metadata service"
        )


def root_volume(block_device_info: Mapping[str, Any] | None) -> FcVolume | None:
    """Return the volume that a server boots from.

    Raises:
        RefusedError: it is of a kind that a partition cannot have.
    """
    for volume in driver.block_device_info_get_mapping(block_device_info):
        if volume["boot_index"] == 0:
            return FcVolume.parse(volume["connection_info"])
    return None


@contextmanager
def refusals(instance: Instance) -> Iterator[None]:
    """Refuse before the build: Nova shows the reason, and asks no other host."""
    try:
        yield
    except RefusedError as error:
        raise exception.InstanceUnacceptable(instance_id=instance.uuid, reason=str(error)) from None


@contextmanager
def build_refusals(instance: Instance) -> Iterator[None]:
    """Refuse during the build: Nova shows the reason, and asks no other host."""
    try:
        yield
    except RefusedError as error:
        raise exception.BuildAbortException(
            instance_uuid=instance.uuid, reason=str(error)
        ) from None


@contextmanager
def hmc_failures() -> Iterator[None]:
    """Give up where the HMC fails: Nova may try another host."""
    try:
        yield
    except HmcError as error:
        raise exception.ComputeResourcesUnavailable(reason=str(error)) from error
