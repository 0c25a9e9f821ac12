"""The way to a boot volume: which initiator, over which port, to which target; and its proof."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from oslo_log import log

from dpm_hmc.answers import Properties
from dpm_hmc.client import Hmc
from dpm_hmc.errors import HttpError, JobTimeoutError, StateError
from nova_dpm.storage.volume import FcVolume, Path

LOG = log.getLogger(__name__)

PROOF_TIMEOUT = 60.0
"""Seconds until zoning and masking that Cinder has just made must be there."""

_NOT_REACHED = {
    484: "its WWPN is not reached (zoning)",
    485: "it does not show the LUN to this WWPN (masking: Cinder's backend, or its host entry)",
}
"""By the reason of the HMC's answer (zhmcclient 1.26, ``_cpc.py``, `validate_lun_path`)."""


@dataclass(frozen=True)
class Ends:
    """A partition's ends of its ways to storage.

    Args:
        partition_uri: of the partition
        uris: of each end, an HBA or a virtual storage resource, by its WWPN, in their order
        volume_uri: of the boot volume in a storage group; "" with HBAs
    """

    partition_uri: str
    uris: Mapping[str, str]
    volume_uri: str = ""

    @property
    def wwpns(self) -> list[str]:
        """World-wide port names, 16 lower case hex digits each."""
        return list(self.uris)


@dataclass(frozen=True)
class Boot:
    """What a partition boots from.

    Args:
        path: to the LUN
        properties: of the partition, which say so
    """

    path: Path
    properties: Properties


@dataclass(frozen=True)
class Resource:
    """A virtual storage resource: the partition's end of a way.

    `port_uri` is "" as long as the HMC does not say the port: it finds the port out by discovery,
    and any port of the group may be it (zhmcclient 1.26, ``_virtual_storage_resource.py``).
    """

    uri: str
    wwpn: str
    port_uri: str


@dataclass(frozen=True)
class Way:
    """A path over one port."""

    path: Path
    port_uri: str


def ways(
    resources: Sequence[Resource],
    candidates: Sequence[str],
    volume: FcVolume,
    ignored: frozenset[str],
) -> Iterator[Way]:
    """Yield the ways to a volume, the best first.

    Args:
        resources: the partition's, in the order in which they shall be booted over
        candidates: URIs of the ports that the group may use
        volume: with its targets
        ignored: target WWPNs not to boot from

    Raises:
        RefusedError: there is none.
    """
    ports = {each.wwpn: [each.port_uri] if each.port_uri else candidates for each in resources}
    for path in volume.paths([each.wwpn for each in resources], ignored):
        for port_uri in ports[path.initiator]:
            yield Way(path, port_uri)


def proved(hmc: Hmc, cpc_uri: str, found: Iterable[Way]) -> Way:
    """Return the first way of which the HMC says that it leads to the LUN.

    Where the HMC cannot or may not be asked, it is the first one.

    HMC permission: task Configure Storage - Storage Administrator; access to CPC and adapters.

    Raises:
        StateError: none does; the message says what is missing on each.
    """
    all_ways = list(found)
    wrong: dict[Way, int] = {}

    def first() -> Way | None:
        for way in all_ways:
            try:
                _validate(hmc, cpc_uri, way)
            except HttpError as error:
                if error.reason not in _NOT_REACHED:
                    LOG.info("The way to the boot volume is not proved: %s", error)
                    return way
                wrong[way] = error.reason
            else:
                return way
        return None

    try:
        return hmc.until("Way to the boot volume", first, PROOF_TIMEOUT)
    except JobTimeoutError:
        raise StateError(f"No way leads to the boot volume: {_listed(wrong)}") from None


def _validate(hmc: Hmc, cpc_uri: str, way: Way) -> None:
    hmc.update(
        f"{cpc_uri}/operations/validate-lun-path",
        {
            "host-world-wide-port-name": way.path.initiator,
            "adapter-port-uri": way.port_uri,
            "target-world-wide-port-name": way.path.target,
            "logical-unit-number": way.path.lun,
        },
    )


def _listed(wrong: dict[Way, int]) -> str:
    return "; ".join(
        f"from {way.path.initiator} over port {way.port_uri} to LUN {way.path.lun} of target "
        f"{way.path.target}: {_NOT_REACHED[reason]}"
        for way, reason in wrong.items()
    )
