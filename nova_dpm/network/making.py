"""A NIC made on the HMC, whatever the HMC answers."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import partial

from oslo_log import log

from dpm_guest.ids import Devno
from dpm_hmc import answers, names
from dpm_hmc.answers import Properties
from dpm_hmc.client import Hmc
from dpm_hmc.errors import ConflictError, DpmError, HttpError
from nova_dpm.errors import RefusedError
from nova_dpm.network.backings import Backing
from nova_dpm.network.claim import claim
from nova_dpm.network.compare import Abilities
from nova_dpm.network.nics import Nic, devno_in
from nova_dpm.network.ports import WantedNic

LOG = log.getLogger(__name__)


def nic_body(host: str, wanted: WantedNic, backing: Backing, can: Abilities) -> Properties:
    """Return the properties of a new NIC, without its device number.

    Args:
        host: OpenStack host
        wanted: what it shall be
        backing: what it is plugged into
        can: what it can be told

    Raises:
        RefusedError: the port has a VLAN, and this HMC knows none of NICs.
    """
    body: Properties = {
        "name": wanted.name,
        "description": names.nic_description(host, wanted.mac),
        **backing.properties,
    }
    if can.macs:
        body["mac-address"] = wanted.mac
    if wanted.vlan is not None:
        if not can.vlans:
            raise RefusedError(
                f"port {wanted.port_id} has VLAN {wanted.vlan}, and this HMC knows no VLANs of "
                "NICs; take a port of a flat network"
            )
        body["vlan-id"] = wanted.vlan
    return body


class NicMaker:
    """Makes NICs.

    HMC permission: task Partition Details; access to the partition and to what they are plugged
    into.

    Args:
        hmc: the session
        host: OpenStack host
        can: what a NIC can be told
    """

    def __init__(self, hmc: Hmc, host: str, can: Abilities) -> None:
        self._hmc = hmc
        self._host = host
        self._can = can

    def make(
        self,
        partition_uri: str,
        wanted: WantedNic,
        backing: Backing,
        devno: Devno,
        present: Iterable[Nic],
    ) -> Nic:
        """Make a NIC.

        Args:
            partition_uri: of the partition
            wanted: what it shall be
            backing: what it is plugged into
            devno: its device number, if the guest is told one and the HMC finds it free
            present: the NICs that the partition has

        Raises:
            HmcError: the HMC failed; there is no NIC.
        """
        body = nic_body(self._host, wanted, backing, self._can)
        make = partial(self._make, partition_uri, [nic.uri for nic in present], backing.is_late)
        if not backing.is_ccw:
            return Nic(make(body), wanted.name, wanted.mac, None, backing.port)
        try:
            uri = make({**body, "device-number": devno})
        except ConflictError as error:
            # Something else of the partition has the number: the HMC knows which are free.
            LOG.info("NIC %s cannot have device number %s: %s", wanted.name, devno, error)
            uri = make(body)
            try:
                devno = devno_in(self._hmc.get(uri))
            except DpmError:
                self._hmc.delete(uri)
                raise
        return Nic(uri, wanted.name, wanted.mac, devno, backing.port)

    def _make(
        self, partition_uri: str, known: Collection[str], is_late: bool, body: Properties
    ) -> str:
        def claimed() -> str | None:
            return claim(self._hmc, partition_uri, known, body)

        def found() -> str | None:
            for uri in answers.uris(self._hmc.get(partition_uri), "nic-uris"):
                if answers.text(self._hmc.get(uri), "name") == body["name"]:
                    return uri
            return None

        try:
            return self._hmc.create(f"{partition_uri}/nics", body, claimed if is_late else found)
        except HttpError as error:
            made = claimed() if error.is_failure else None
            if made is None:
                raise
            return made
