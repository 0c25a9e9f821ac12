"""A NIC made on the HMC, whatever the HMC answers."""

from __future__ import annotations

from collections.abc import Sequence

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
        can: what it can be told on this HMC

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
                f"port {wanted.port_id} has VLAN {wanted.vlan}, and this HMC knows no VLANs of NICs"
            )
        body["vlan-id"] = wanted.vlan
    return body


class NicMaker:
    """Makes the NICs of one partition.

    HMC permission: task Partition Details; access to the partition and to what they are plugged
    into.

    Args:
        hmc: the session
        partition_uri: of the partition
        known: URIs of the NICs that it has
    """

    def __init__(self, hmc: Hmc, partition_uri: str, known: Sequence[str]) -> None:
        self._hmc = hmc
        self._uri = partition_uri
        self._known = known

    def make(self, body: Properties, wanted: WantedNic, backing: Backing, devno: Devno) -> Nic:
        """Make a NIC.

        Args:
            body: its properties, by `nic_body`
            wanted: what it shall be
            backing: what it is plugged into
            devno: its device number, if the guest is told one and the HMC finds it free

        Raises:
            HmcError: the HMC failed; there is no NIC.
        """
        if not backing.is_ccw:
            uri = self._make(body, backing)
            return Nic(uri, wanted.name, wanted.mac, None, backing.port)
        try:
            uri = self._make({**body, "device-number": devno}, backing)
        except ConflictError as error:
            # Something else of the partition has the number: the HMC knows which are free.
            LOG.info("NIC %s cannot have device number %s: %s", wanted.name, devno, error)
            uri = self._make(body, backing)
            try:
                devno = devno_in(self._hmc.get(uri))
            except DpmError:
                self._hmc.delete(uri)
                raise
        return Nic(uri, wanted.name, wanted.mac, devno, backing.port)

    def _make(self, body: Properties, backing: Backing) -> str:
        def find() -> str | None:
            return self._claim(body) if backing.is_late else self._find(body["name"])

        try:
            return self._hmc.create(f"{self._uri}/nics", body, find)
        except HttpError as error:
            made = self._claim(body) if error.is_failure else None
            if made is None:
                raise
            return made

    def _claim(self, body: Properties) -> str | None:
        return claim(self._hmc, self._uri, self._known, body)

    def _find(self, name: str) -> str | None:
        for uri in answers.uris(self._hmc.get(self._uri), "nic-uris"):
            if answers.text(self._hmc.get(uri), "name") == name:
                return uri
        return None
