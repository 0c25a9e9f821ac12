"""The NICs of a machine that is booted: what its parameters say, and what QEMU gives it.

The format of the parameters is :mod:`dpm_guest.bootparams`'s and nobody else's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from dpm_guest.bootparams import NicParams, parse
from dpm_lab.errors import LabError
from dpm_lab.guests import Nic

FirmwareMac = Literal["wrong", "right"]

#: Guests get addresses out of 198.18.0.0/15, which is set aside for tests (RFC 2544).
MAX_NICS = 254


@dataclass(frozen=True)
class GuestNic(Nic):
    """A NIC of a guest in QEMU.

    Attributes:
        number: its place among the guest's NICs, from 1; its network has it
        firmware_mac: the MAC that the machine starts with
    """

    number: int
    firmware_mac: str

    @property
    def wanted_mac(self) -> str:
        """The MAC that the interface shall have in the end."""
        return self.params.mac or self.firmware_mac

    @property
    def network(self) -> str:
        """The network that the NIC is in, with QEMU's own host in it; each NIC has its own."""
        return f"198.18.{self.number}.0/24"

    @property
    def address(self) -> str:
        """The guest's address in that network."""
        return f"198.18.{self.number}.15"

    @property
    def gateway(self) -> str:
        """The address at which QEMU's side of the network answers."""
        return f"198.18.{self.number}.2"


class NicError(LabError):
    """Text that should describe NICs does not."""


def read_tuples(text: str) -> tuple[NicParams, ...]:
    """Return the NICs in boot parameters such as ``0001,1,0a0000000011;0004,0;``."""
    parsed = parse(text)
    if parsed.damaged:
        raise NicError("; ".join(parsed.damaged))
    if not parsed.nics:
        raise NicError(f"{text!r} has no tuple <devno>,<port>[,<mac>]; in it")
    return parsed.nics


def read_nic(text: str) -> NicParams:
    """Return the NIC in ``0001,1,0a0000000011``; the ``;`` of a tuple may be left out."""
    nics = read_tuples(text.removesuffix(";") + ";")
    if len(nics) != 1:
        raise NicError(f"{text!r} is more than one NIC; repeat --nic, or use --tuples")
    return nics[0]


def made_up_mac(devno: str) -> str:
    """Return a MAC that nobody asked for, of QEMU's own range, for a device number."""
    return f"52:54:00:dd:{devno[:2]}:{devno[2:]}"


def machine_nics(
    params: Iterable[NicParams],
    firmware_mac: FirmwareMac = "wrong",
    absent: Iterable[str] = (),
) -> tuple[GuestNic, ...]:
    """Return what the machine gets for `params`; devices in `absent` are left out of it.

    The wrong MAC is one that nobody asked for, the same in every run: of QEMU's own range, with
    the device number in it.
    """
    missing = {devno.lower() for devno in absent}
    nics = []
    for number, nic in enumerate(params, start=1):
        if number > MAX_NICS:
            raise NicError(f"a machine here has at most {MAX_NICS} NICs")
        devno = nic.bus_id.devno
        mac = nic.mac if firmware_mac == "right" and nic.mac else made_up_mac(devno)
        nics.append(GuestNic(nic, number, mac, present=devno not in missing))
        missing.discard(devno)
    if missing:
        raise NicError(f"no tuple names {', '.join(sorted(missing))}, so it is absent anyway")
    return tuple(nics)
