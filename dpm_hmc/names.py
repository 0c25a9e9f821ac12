"""The names by which what OpenStack makes is found again on the HMC.

They are the contract of the driver of 2018 and of its Neutron agent, which finds NICs by their
description (``reference``: nova-dpm's specification "Base support Nova Neutron Communication").
Everything the driver does starts from them, so that nothing has to be remembered in the process.
"""

from __future__ import annotations

import re
from uuid import UUID

from dpm_guest.ids import Mac

NIC_PREFIX = "OpenStack_Port_"

LONGEST = 64
"""Characters that a partition's name can have (HMC Web Services API, Partition object)."""

_UUID = 36
"""Characters of a uuid."""


def _prefix(host: str) -> str:
    """Return how the names of a host's partitions begin."""
    return f"OpenStack-{host}-"


LONGEST_HOST = LONGEST - len(_prefix("")) - _UUID
"""Characters that an OpenStack host's name can have, so that a uuid fits behind it."""


def partition_name(host: str, instance_uuid: str) -> str:
    """Return the name of an instance's partition, and of its storage group."""
    return _prefix(host) + instance_uuid


def partition_pattern(host: str) -> str:
    """Return a regular expression for the names of all of a host's partitions.

    The HMC matches it against the whole name.
    """
    return re.escape(_prefix(host)) + rf"[0-9a-f-]{{{_UUID}}}"


def instance_uuid(host: str, name: str) -> str | None:
    """Return the uuid of the instance that a partition of this host belongs to, or None."""
    prefix, rest = name[:-_UUID], name[-_UUID:]
    if prefix != _prefix(host):  # host "a" and host "a-b" begin alike
        return None
    try:
        return rest if str(UUID(rest)) == rest else None
    except ValueError:
        return None


def subset_description(host: str) -> str:
    """Return the description of a host's partitions and storage groups."""
    return f"OpenStack CPCSubset={host}"


def nic_name(port_id: str) -> str:
    """Return the name of the NIC of a Neutron port."""
    return f"{NIC_PREFIX}{port_id}"


def nic_description(host: str, mac: Mac) -> str:
    """Return the description by which the Neutron agent finds a NIC and its port."""
    return f"OpenStack mac={mac}, CPCSubset={host}"


def mac_in(description: str) -> Mac | None:
    """Return the MAC that a NIC's description promises, or None where there is no usable one.

    Anybody may have written there who may change the NIC on the HMC.
    """
    found = re.search(r"\bmac=((?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2})(?![0-9A-Fa-f:])", description)
    mac = Mac.parse(found.group(1)) if found else None
    return mac if mac is not None and mac.why_unusable() is None else None
