"""The boot volume of a storage group: which LUN it is, and whether the group has it."""

from __future__ import annotations

from oslo_log import log

from dpm_hmc import answers
from dpm_hmc.answers import Properties
from dpm_hmc.client import Hmc
from dpm_hmc.errors import ConflictError, HttpError, JobTimeoutError, StateError
from nova_dpm.storage.volume import wwpn
from nova_dpm.storage.ways import Way

LOG = log.getLogger(__name__)

_USABLE = frozenset({"complete", "overprovisioned"})
"""Overprovisioned: the LUN is larger than was said, as where an array rounds sizes up
(tessia-baselib, ``volume_descriptor.py``)."""
_FAILED = frozenset({"configuration-error", "incomplete", "deleting"})
_MISMATCH = "pending-with-mismatches"


def new_boot_volume(size: float) -> Properties:
    """Return how a group is told of a boot volume that it gets; `size` in GiB."""
    return {"operation": "create", "name": "boot", "size": size, "usage": "boot"}


def boot_volume_of(hmc: Hmc, group: Properties) -> str:
    """Return the URI of a group's boot volume; no request where the group has one volume.

    Raises:
        StateError: it has none.
    """
    uris = answers.uris(group, "storage-volume-uris")
    for uri in uris:
        # An operator may have added data volumes.
        if len(uris) == 1 or hmc.get(uri).get("usage") == "boot":
            return uri
    raise StateError(f"Storage group {answers.text(group, 'name')} has no boot volume")


def group_of(volume_uri: str) -> str:
    """Return the URI of a volume's group."""
    return volume_uri.partition("/storage-volumes/")[0]


def luns_of(volume: Properties, partition_uri: str) -> set[tuple[str, str]]:
    """Return target and LUN of the ways that the HMC knows to a volume; none: it does not say."""
    return {
        (
            wwpn(path, "target-world-wide-port-name"),
            answers.matching(path, "logical-unit-number", "[0-9a-f]{16}", "a LUN"),
        )
        for path in answers.optional_objects(volume, "paths")
        if path.get("partition-uri", partition_uri) == partition_uri
        and path.get("target-world-wide-port-name")
    }


def fulfilled(hmc: Hmc, volume_uri: str, partition_uri: str, way: Way) -> str:
    """Return the URI of a group's boot volume when it is the LUN at the end of a way.

    HMC permission: tasks Configure Storage - Storage Administrator, and Configure Storage - System
    Programmer where the volume is another LUN already.

    Args:
        hmc: the session
        volume_uri: of the boot volume
        partition_uri: of the partition
        way: to the LUN

    Raises:
        StateError: the HMC cannot use the LUN.
        HmcError: the HMC failed.
    """
    try:
        _fulfil(hmc, volume_uri, way)
    except ConflictError as error:
        # Of a volume that is fulfilled already: by a request whose answer was lost, by a
        # nova-compute that was ended, or when Cinder said another LUN.
        properties = hmc.get(volume_uri)
        if answers.text(properties, "fulfillment-state") not in _USABLE:
            raise
        luns = luns_of(properties, partition_uri)
        if luns and (way.path.target, way.path.lun) not in luns:
            LOG.warning("Boot volume %s is another LUN by now: made anew", volume_uri)
            volume_uri = _made_anew(hmc, volume_uri, properties)
            _fulfil(hmc, volume_uri, way)
        else:
            LOG.info("Boot volume %s was fulfilled before: %s", volume_uri, error)
    return volume_uri


def _fulfil(hmc: Hmc, volume_uri: str, way: Way) -> None:
    hmc.update(
        f"{volume_uri}/operations/fulfill-fcp-storage-volume",
        {
            "world-wide-port-name": way.path.target,
            "logical-unit-number": way.path.lun,
            "adapter-port-uri": way.port_uri,
        },
    )
    _wait_until_fulfilled(hmc, volume_uri)


def _made_anew(hmc: Hmc, old_uri: str, old: Properties) -> str:
    """Put another boot volume in the place of one that stays the LUN that it was told to be."""
    group_uri = group_of(old_uri)
    new = new_boot_volume(answers.amount(old, "size"))
    gone = {"operation": "delete", "element-uri": old_uri}
    hmc.update(f"{group_uri}/operations/modify", {"storage-volumes": [gone, new]})
    return boot_volume_of(hmc, hmc.get(group_uri))


def _wait_until_fulfilled(hmc: Hmc, volume_uri: str) -> None:
    state = ""

    def usable() -> str | None:
        nonlocal state
        state = answers.text(hmc.get(volume_uri), "fulfillment-state")
        if state == _MISMATCH:
            _accept(hmc, volume_uri)
        if state in _FAILED:
            raise _wrong(volume_uri, state)
        return state if state in _USABLE else None

    try:
        hmc.until(f"Boot volume {volume_uri} fulfilled", usable)
    except JobTimeoutError as error:
        raise StateError(f"{error.finding}; it is {state}", error.cure) from None


def _accept(hmc: Hmc, volume_uri: str) -> None:
    """Accept the LUN as it is: nobody but the driver has said the size that it does not have.

    "Accept Mismatched Storage Volumes" (HMC Web Services API; it is no part of zhmcclient).
    """
    try:
        hmc.update(
            f"{group_of(volume_uri)}/operations/accept-mismatched-storage-volumes",
            {"storage-volume-uris": [volume_uri]},
        )
    except ConflictError:
        LOG.debug("Boot volume %s has no mismatch any more", volume_uri)
    except HttpError as error:
        raise StateError(f"{_wrong(volume_uri, _MISMATCH)}. {error}") from None


def _wrong(volume_uri: str, state: str) -> StateError:
    return StateError(
        f"Boot volume {volume_uri} is in fulfillment state {state}; the connection report of its "
        "storage group on the HMC says why"
    )
