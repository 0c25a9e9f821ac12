"""Nova's objects read for us, and our errors as Nova's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from nova import exception
from nova.compute import power_state, utils
from nova.objects.instance import Instance
from nova.virt import configdrive, driver
from oslo_log import log

from dpm_hmc.errors import AnswerError, DpmError, HmcError, UnansweredError, UnreachableError
from dpm_hmc.statuses import Status
from nova_dpm.conf import LEAST_MEMORY
from nova_dpm.errors import NothingRunsError, RefusedError
from nova_dpm.storage import FcVolume

LOG = log.getLogger(__name__)


def power_state_of(status: Status) -> int:
    """Return Nova's power state of a partition."""
    if status.is_running:
        return int(power_state.RUNNING)
    if status is Status.TERMINATED:
        return int(power_state.CRASHED)  # Nova stops what crashed
    if status.is_stopped or status is Status.PAUSED:
        # In a paused one the operating system has shut down, or nothing could be loaded. Nova stops
        # it, as it does with a server that has ended by itself; it would leave one that is "paused"
        # alone for ever.
        return int(power_state.SHUTDOWN)
    # On its way, or nobody knows: Nova must draw no conclusion.
    return int(power_state.NOSTATE)


def check_server(instance: Instance) -> None:
    flavor = instance.flavor
    if instance.image_ref and not _boots_from_a_volume(instance):
        raise RefusedError(
            "it is to boot from an image, and a partition boots from a volume only; create one of "
            "the image (openstack server create --boot-from-volume SIZE)"
        )
    if flavor.memory_mb < LEAST_MEMORY:
        raise RefusedError(
            f"its flavor has {flavor.memory_mb} MiB of memory, and a partition has "
            f"{LEAST_MEMORY} or more; choose another flavor"
        )
    if flavor.ephemeral_gb or flavor.swap:
        raise RefusedError(
            "its flavor has a local (ephemeral or swap) disk, and a partition has none; choose "
            "another flavor"
        )
    if configdrive.required_by(instance):
        raise RefusedError(
            "it wants a configuration drive, which a partition cannot have; the guest can use the "
            "metadata service"
        )


def _boots_from_a_volume(instance: Instance) -> bool:
    """Return whether an image is one whose server boots from a volume all the same.

    Nova makes such an image of a server that boots from a volume: it has no content, but says of
    which snapshot Cinder makes the volume (``nova/compute/api.py``, ``snapshot_volume_backed``).
    """
    bdms = instance.get_bdms()
    return bool(utils.is_volume_backed_instance(instance._context, instance, bdms))


def root_volume(block_device_info: Mapping[str, Any] | None) -> FcVolume | None:
    """Return the volume that a server boots from.

    Raises:
        RefusedError: it is of a kind that a partition cannot have.
    """
    for volume in driver.block_device_info_get_mapping(block_device_info):
        if volume.get("boot_index") == 0:
            return FcVolume.parse(volume.get("connection_info"))
    return None


def told(error: DpmError, what: str, instance: Instance | None = None) -> str:
    """Return what the user of a server is told of an error; the operator reads it in the log.

    Nova shows the text to whoever may see the server: a refusal speaks of what was asked for, all
    else of HMC, storage and options, which are none of the user's business.

    Args:
        error: what went wrong
        what: could not be done, for the log
        instance: the server; None where it is about all
    """
    LOG.error("%s: %s", what, error, instance=instance)
    if isinstance(error, RefusedError | NothingRunsError):
        return error.reason
    where = f"instance {instance.uuid}" if instance is not None else "the id of this request"
    finding = "the HMC has not done what it was asked for"
    is_silent = isinstance(error, UnreachableError | UnansweredError)
    if is_silent and not isinstance(error, AnswerError):
        finding = "no HMC answers, try again when one does"
    return f"{finding}; an operator finds the reason in the log of nova-compute, at {where}"


class NotDoneError(exception.Invalid):  # type: ignore[misc]
    """Something was not done. Nova cuts a fault at 255 characters: it has no words but ours."""

    msg_fmt = "%(reason)s"


class CannotError(NotDoneError, NotImplementedError):
    """No partition can do it. Nova leaves the server what it was, as NotImplementedError says."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason)  # type: ignore[call-arg]


class UnacceptableError(exception.InstanceUnacceptable):  # type: ignore[misc]
    """A server is refused; Nova puts the server's id before it by itself."""

    msg_fmt = "%(reason)s"


class NotStoppedError(exception.InstancePowerOffFailure):  # type: ignore[misc]
    """A server was not stopped, or not removed: for Nova one thing, by which it keeps addresses."""

    msg_fmt = "%(reason)s"


class NotStartedError(exception.InstancePowerOnFailure):  # type: ignore[misc]
    """A server was not started."""

    msg_fmt = "%(reason)s"


class NotRestartedError(exception.InstanceRebootFailure):  # type: ignore[misc]
    """A server was not rebooted."""

    msg_fmt = "%(reason)s"


class HmcFailureError(NotDoneError):
    """The HMC refused or failed."""


class BuildFailureError(exception.ComputeResourcesUnavailable):  # type: ignore[misc]
    """The HMC refused or failed in a build: Nova tries another host by it.

    Of a server that is there it must not be raised: a rebuild that fails so counts as one that has
    changed nothing (``nova/compute/manager.py``, ``rebuild_instance``).
    """

    msg_fmt = "%(reason)s"


class NotReadyError(exception.VirtDriverNotReady):  # type: ignore[misc]
    """The HMC cannot say which partitions there are: Nova's periodic tasks pass over it."""

    msg_fmt = "%(reason)s"


@contextmanager
def refusals(instance: Instance) -> Iterator[None]:
    """Refuse before the build: Nova shows the reason, and asks no other host."""
    try:
        yield
    except RefusedError as error:
        reason = told(error, "The server is refused", instance)
        raise UnacceptableError(reason=reason) from None


@contextmanager
def build_refusals(instance: Instance) -> Iterator[None]:
    """Refuse during the build: Nova shows the reason, and asks no other host.

    A boot volume from which nothing could be loaded is another host's, too; and of a build that
    Nova tries again it shows only that no host is left.
    """
    try:
        yield
    except (RefusedError, NothingRunsError) as error:
        reason = told(error, "The server is refused", instance)
        raise exception.BuildAbortException(instance_uuid=instance.uuid, reason=reason) from None


@contextmanager
def build_failures(instance: Instance) -> Iterator[None]:
    """Give up a build where the HMC fails: Nova may try another host."""
    try:
        yield
    except HmcError as error:
        reason = told(error, "The HMC failed", instance)
        raise BuildFailureError(reason=reason) from error


@contextmanager
def hmc_failures(instance: Instance) -> Iterator[None]:
    """Give up where the HMC fails."""
    try:
        yield
    except HmcError as error:
        reason = told(error, "The HMC failed", instance)
        raise HmcFailureError(reason=reason) from error
