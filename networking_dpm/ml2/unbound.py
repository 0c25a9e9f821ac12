"""Why a port could not be bound, for whoever reads the log of neutron-server.

Nothing is asked here.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from neutron_lib import constants
from neutron_lib.api.definitions import port_security, portbindings
from neutron_lib.plugins.ml2 import api

from networking_dpm.report import BINARY, Report

NETWORK_TYPES = (constants.TYPE_FLAT, constants.TYPE_VLAN)

_REMEMBERED = 1000
_NOT_OF_LAYER_2 = (
    *(constants.AGENT_TYPE_DHCP, constants.AGENT_TYPE_L3, constants.AGENT_TYPE_METADATA),
    *(constants.AGENT_TYPE_METERING, constants.AGENT_TYPE_NIC_SWITCH),
)
"""Agents that a host may have beside the one that binds its ports."""


def reason(
    port: Mapping[str, Any],
    segments: Sequence[Mapping[str, Any]],
    agents: Sequence[Mapping[str, Any]],
    others: Sequence[Mapping[str, Any]],
    *,
    refuses_port_security: bool,
) -> str:
    """Return what is missing, and what to do.

    Args:
        port: that no mechanism driver has bound
        segments: of its network
        agents: ours of the port's host
        others: all other agents of the host
        refuses_port_security: option refuse_port_security

    Returns:
        Nothing where the host is one of another mechanism driver.
    """
    host = port[portbindings.HOST_ID]
    if not agents:
        if any(each["agent_type"] not in _NOT_OF_LAYER_2 for each in others):
            return ""
        return (
            f"no agent of the host has ever reported. If it is a part of a CPC, start {BINARY} for "
            f"it, with [DEFAULT] host = {host}"
        )
    report = Report.of(agents[0].get("configurations"))
    return _of_port(port, refuses_port_security=refuses_port_security) or (
        "; ".join(_of_segment(each, report) for each in segments)
        if any(each["alive"] for each in agents)
        else f"the host's {BINARY} has not reported since {agents[0].get('heartbeat_timestamp')}. "
        "Start it, or look at its log"
    )


def _of_port(port: Mapping[str, Any], *, refuses_port_security: bool) -> str:
    if port[portbindings.VNIC_TYPE] != portbindings.VNIC_NORMAL:
        return f"its vnic_type is {port[portbindings.VNIC_TYPE]}, and a NIC's is normal"
    if is_of_network(port):
        return f"it belongs to {port['device_owner']}, and only servers can have NICs"
    if refuses_port_security and is_filtered(port):
        return (
            "it has port security or security groups, which nobody enforces between a partition "
            "and its adapter ([ml2_dpm] refuse_port_security). Create it with --no-security-group "
            "--disable-port-security"
        )
    return ""


def is_of_network(port: Mapping[str, Any]) -> bool:
    """Whether a port belongs to Neutron itself, such as DHCP's."""
    owner = port.get("device_owner") or ""
    return bool(owner.startswith(constants.DEVICE_OWNER_NETWORK_PREFIX))


def is_filtered(port: Mapping[str, Any]) -> bool:
    """Whether somebody would have to filter what a port sends and gets."""
    if port_security.PORTSECURITY in port:  # there is no such thing without its extension driver
        return bool(port[port_security.PORTSECURITY])
    return bool(port.get("security_groups"))


def _of_segment(segment: Mapping[str, Any], report: Report) -> str:
    kind = segment[api.NETWORK_TYPE]
    if kind not in NETWORK_TYPES:
        return f"its network is of type {kind}, and a NIC's can be {' or '.join(NETWORK_TYPES)}"
    name = segment[api.PHYSICAL_NETWORK]
    if name in report.problems:
        return f"physical network {name}: {report.problems[name]}"
    if name in report.backings:
        return f"physical network {name} is there, but not for this port's subnet"
    known = ", ".join(sorted({*report.backings, *report.problems})) or "none"
    return (
        f"the host's {BINARY} knows no physical network {name}; it knows {known}. Name what is "
        "behind it in physical_network_adapter_mappings, and restart the agent"
    )


class Said:
    """What has been said, so that it is said once. The oldest is forgotten."""

    def __init__(self) -> None:
        self._said: OrderedDict[str, str] = OrderedDict()

    def is_new(self, about: str, text: str = "") -> bool:
        """Remember a text; return whether it is another one than the last about the same."""
        is_new = self._said.get(about) != text
        self._said[about] = text
        self._said.move_to_end(about)
        if len(self._said) > _REMEMBERED:
            self._said.popitem(last=False)
        return is_new
