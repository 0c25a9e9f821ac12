"""Whether every NIC of a guest is as its parameters say, by witnesses that do not know each other.

The agent's own report is one. The others: the address in ``/sys/class/net`` beside the device
that the interface hangs from, the source MACs on the wire, and the address that cloud-init gave
to the interface with the wanted MAC.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dpm_guest.ids import CcwId
from dpm_lab.errors import LabError
from dpm_lab.guests.qemu.guest import Outcome
from dpm_lab.guests.qemu.nics import GuestNic
from dpm_lab.guests.qemu.prepare import Step
from dpm_lab.plain import cut, plain

#: The commands whose answers :func:`judge` reads.
STATUS = Step("status", "dpm-guest status")
STATUS_JSON = Step("status-json", "dpm-guest status --json")
INTERFACES = Step(
    "interfaces",
    "for net in /sys/class/net/*; do [ -e $net/device ] || continue; "
    'echo "${net##*/} $(cat $net/address) $(readlink -f $net/device)"; done',
)
ADDRESSES = Step("addresses", "ip -json address")

_BUS_ID = re.compile(rf"/({CcwId.PATTERN})(?=/|$)")


@dataclass(frozen=True)
class Verdict:
    """One NIC: what is wrong with it, nothing where all is right."""

    nic: GuestNic
    interface: str
    problems: tuple[str, ...]


class VerdictError(LabError):
    """A guest's answers cannot be read."""


def judge(nics: Sequence[GuestNic], outcome: Outcome) -> tuple[Verdict, ...]:
    """Return the verdict on each NIC that the machine has."""
    agent = _agent(outcome)
    devices = _devices(outcome.steps[INTERFACES.name].output)
    addresses = _addresses(outcome.steps[ADDRESSES.name].output)
    return tuple(
        _judge(nic, agent, devices, addresses, outcome.seen) for nic in nics if nic.present
    )


def _judge(
    nic: GuestNic,
    agent: Mapping[str, Mapping[str, object]],
    devices: Mapping[str, tuple[str, str]],
    addresses: Mapping[str, Sequence[str]],
    seen: Mapping[str, Sequence[str]],
) -> Verdict:
    devno = nic.params.bus_id.devno
    problems = []
    said = agent.get(devno)
    if said is None:
        problems.append("dpm-guest status does not name it")
    elif not said.get("ok"):
        reasons = said.get("reasons")
        listed = "; ".join(map(str, reasons)) if isinstance(reasons, list) else "no reason"
        problems.append(f"dpm-guest status: {listed}")
    interface, mac = devices.get(nic.params.bus_id, ("", ""))
    if not interface:
        problems.append("no interface hangs from its device")
    elif mac != nic.wanted_mac:
        problems.append(f"{interface} has the MAC {mac}, not {nic.wanted_mac}")
    if nic.address not in addresses.get(interface, ()):
        problems.append(f"the address {nic.address} is not on it")
    wire = tuple(seen.get(devno, ()))
    if wire != (nic.wanted_mac,):
        problems.append(f"source MACs on the wire: {', '.join(wire) or 'none'}")
    return Verdict(nic, plain(interface), tuple(map(plain, problems)))


def _agent(outcome: Outcome) -> dict[str, Mapping[str, object]]:
    answer = outcome.steps[STATUS_JSON.name].output
    try:
        return {str(nic["devno"]): nic for nic in json.loads(answer)["nics"]}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise VerdictError(
            f"dpm-guest status --json did not answer JSON: {cut(repr(answer))}"
        ) from error


def _devices(text: str) -> dict[str, tuple[str, str]]:
    found = {}
    for line in text.splitlines():
        try:
            interface, mac, path = line.split(" ", 2)
        except ValueError as error:
            raise VerdictError(f"the list of interfaces has a line {cut(repr(line))}") from error
        # The last one: a virtio device's path names the subchannel first.
        bus_ids = _BUS_ID.findall(path)
        if bus_ids:
            found[bus_ids[-1]] = (interface, mac)
    return found


def _addresses(text: str) -> dict[str, list[str]]:
    try:
        return {
            link["ifname"]: [address["local"] for address in link["addr_info"]]
            for link in json.loads(text)
        }
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise VerdictError(f"ip -json address did not answer JSON: {cut(repr(text))}") from error
