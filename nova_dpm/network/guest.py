"""What a guest is told of its NICs. Nothing here asks the HMC."""

from __future__ import annotations

from collections.abc import Iterable

from dpm_guest import bootparams
from dpm_guest.bootparams import NicParams
from dpm_guest.errors import DpmGuestError
from dpm_guest.ids import CcwId
from dpm_hmc.answers import Properties
from nova_dpm.errors import RefusedError
from nova_dpm.network.nics import Nic, Told
from nova_dpm.partition import BOOT_PARAMETERS, Partition


def nics_told(partition: Partition) -> Told:
    """Return what the guest of a partition is told."""
    return {nic.bus_id.devno: nic for nic in bootparams.parse(partition.boot_parameters).nics}


def news(partition: Partition, nics: Iterable[Nic]) -> Properties:
    """Return the properties by which a partition's guest is told of NICs; none if it is already."""
    text = boot_parameters(partition.boot_parameters, nics)
    if says_the_same(text, partition.boot_parameters):
        return {}
    return {BOOT_PARAMETERS: text}


def boot_parameters(existing: str, nics: Iterable[Nic]) -> str:
    """Return the new text of ``boot-os-specific-parameters``: what an operator wrote, and the NICs.

    Raises:
        RefusedError: the text is longer than the property may be.
    """
    params = (
        NicParams(CcwId.parse(nic.devno), nic.port, nic.mac)
        for nic in nics
        if nic.devno is not None and nic.is_ours
    )
    return compose(existing, params)


def compose(existing: str, params: Iterable[NicParams]) -> str:
    """Return the new text of ``boot-os-specific-parameters``.

    Raises:
        RefusedError: it is longer than the property may be.
    """
    try:
        return bootparams.compose(existing, params)
    except DpmGuestError as error:
        raise RefusedError(
            "the NICs do not fit into the boot parameters of a partition; give the server fewer "
            "ports, 12 at most",
            str(error),
        ) from None


def says_the_same(text: str, other: str) -> bool:
    """Whether two boot parameters tell the guest the same NICs, in whatever form, and no damage."""
    first, second = bootparams.parse(text), bootparams.parse(other)
    return first.nics == second.nics and not first.damaged and not second.damaged
