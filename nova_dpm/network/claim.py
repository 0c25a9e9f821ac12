"""A NIC that the HMC has made although it answered that it failed.

On a z16 with partition links "Create NIC" on HiperSockets answers 500,12 and makes the NIC a moment
later, under a name of its own (zhmc-ansible-modules, ``zhmc_nic.py``: `find_nic_for_500_12`, which
waits up to 10 s). On a z17 it answers 500,0, makes the NIC, and ignores the name, at the first
updates too (zhmccli 1.15, ``_cmd_nic.py``: three tries).
"""

from __future__ import annotations

from collections.abc import Collection

from oslo_log import log

from dpm_hmc import answers, names
from dpm_hmc.answers import Properties
from dpm_hmc.client import Hmc
from dpm_hmc.errors import (
    DpmError,
    JobTimeoutError,
    NotFoundError,
    StateError,
)

LOG = log.getLogger(__name__)

_APPEARS_WITHIN = 10.0
"""Seconds."""
_NAMED_AFTER = 3
"""Updates of the name."""


def claim(hmc: Hmc, partition_uri: str, known: Collection[str], body: Properties) -> str | None:
    """Find the NIC that a failed request has made, and give it its name and description.

    HMC permission: task Partition Details.

    Args:
        hmc: the session
        partition_uri: of the partition
        known: URIs of the NICs that it had before
        body: what the NIC was to be

    Returns:
        Its URI, or None where there is no new NIC.

    Raises:
        StateError: there is one, and it cannot be given its name; it was removed again.
        HmcError: the HMC failed.
    """
    try:
        uri = hmc.until("A new NIC", lambda: _new(hmc, partition_uri, known, body), _APPEARS_WITHIN)
    except JobTimeoutError:
        return None
    LOG.warning("NIC %s was made although the HMC said that it failed: %s", body["name"], uri)
    try:
        hmc.update(uri, {"description": body["description"]})
        for _ in range(_NAMED_AFTER):
            hmc.update(uri, {"name": body["name"]})
            if answers.text(hmc.get(uri), "name") == body["name"]:
                return uri
        raise StateError(f"NIC {uri} does not take the name {body['name']}")
    except DpmError:
        hmc.delete(uri)
        raise


def _new(hmc: Hmc, partition_uri: str, known: Collection[str], body: Properties) -> str | None:
    """Return the NIC that is new and may be ours: somebody else may be adding NICs as well."""
    for uri in answers.uris(hmc.get(partition_uri), "nic-uris"):
        if uri in known:
            continue
        try:
            properties = hmc.get(uri)
        except NotFoundError:
            continue
        name = answers.text(properties, "name")
        if name != body["name"] and name.startswith(names.NIC_PREFIX):
            continue  # of another port, made at the same time
        mac = answers.optional_text(properties, "mac-address").lower()
        if name == body["name"] or mac == str(body.get("mac-address", mac)).lower():
            return uri
    return None
