"""What each link of the chain says of one NIC, and whether they agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dpm_guest import bootparams


@dataclass(frozen=True)
class Port:
    """A port, as Neutron has it.

    Attributes:
        network: its name
        mac: with colons, in lower case
        address: IPv4
        status: such as ``ACTIVE``
    """

    id: str
    network: str
    network_id: str
    mac: str
    address: str
    status: str


@dataclass(frozen=True)
class HmcNic:
    """A NIC, as the HMC has it.

    Attributes:
        name: in which the driver has the id of the port
        devno: device number, four digits
        mac: with colons, in lower case; the firmware's where the API cannot set it
        backing: what it is plugged into
    """

    name: str
    devno: str
    mac: str
    backing: str


@dataclass(frozen=True)
class Guest:
    """What a guest has answered.

    Attributes:
        cmdline: ``/proc/cmdline``
        status: ``dpm-guest status --json``
        addresses: IPv4 addresses by the MAC of their interface
        cloud_init: ``cloud-init status``, one word
        blame: the agent's share of the boot, as ``systemd-analyze`` says it
    """

    cmdline: str
    status: Mapping[str, Any]
    addresses: Mapping[str, Sequence[str]]
    cloud_init: str
    blame: str = ""


@dataclass(frozen=True)
class Link:
    """One NIC from end to end.

    Attributes:
        tuple: of the boot parameters that the HMC has, "" where there is none
        problems: where two links differ
    """

    port: Port
    nic: HmcNic | None
    tuple: str
    interface: str
    guest_mac: str
    guest_addresses: Sequence[str]
    problems: Sequence[str] = field(default=())


def judge(
    ports: Iterable[Port], nics: Sequence[HmcNic], parameters: str, guest: Guest
) -> tuple[Link, ...]:
    """Return each NIC from end to end, with what is wrong with it.

    Args:
        parameters: ``boot-os-specific-parameters`` of the partition
        guest: what is asked of it
    """
    return tuple(_judge(port, nics, parameters, guest) for port in ports)


def _judge(port: Port, nics: Sequence[HmcNic], parameters: str, guest: Guest) -> Link:
    problems = [] if port.status == "ACTIVE" else [f"Neutron says that its port is {port.status}"]
    nic = next((each for each in nics if port.id in each.name), None)
    if nic is None:
        return Link(port, None, "", "-", "-", (), (*problems, "the HMC has no NIC of it"))
    text = _tuple(parameters, nic.devno)
    if not text:
        problems.append("the boot parameters do not name its device number")
    elif port.mac.replace(":", "") not in text:
        problems.append("the boot parameters have another MAC")
    if text and text not in guest.cmdline:
        problems.append("the guest's kernel was not told of it")
    told = [each for each in guest.status.get("nics", ()) if each.get("devno") == nic.devno]
    actual = told[0]["actual"] if told else {}
    if not told:
        problems.append("dpm-guest does not know it")
    elif not told[0]["ok"]:
        problems.append(f"dpm-guest: {'; '.join(told[0]['reasons'])}")
    addresses = guest.addresses.get(port.mac, ())
    interface, mac = actual.get("interface") or "-", actual.get("mac") or "-"
    if mac != port.mac:
        problems.append("the guest's interface has another MAC")
    if port.address not in addresses:
        problems.append("the guest does not have its address")
    return Link(port, nic, text, interface, mac, addresses, tuple(problems))


def _tuple(parameters: str, devno: str) -> str:
    for nic in bootparams.parse(parameters).nics:
        if nic.bus_id.devno == devno:
            return bootparams.encode([nic])
    return ""
