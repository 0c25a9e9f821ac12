"""How Neutron's DHCP agent gets to the lab's networks: what it and Neutron's server load.

Neutron's own interface drivers are for Open vSwitch and macvtap (neutron 29, entry points
``neutron.interface_drivers``); the lab's networks are segments of `dpm_lab.network`.
"""

from __future__ import annotations

import functools
import os
import signal
from pathlib import Path
from typing import Any

from neutron import privileged
from neutron.agent.linux import dhcp, interface, ip_lib
from neutron_lib import constants
from neutron_lib.api.definitions import portbindings, provider_net
from neutron_lib.plugins.ml2 import api
from oslo_config import cfg
from oslo_privsep.priv_context import PrivContext

from dpm_lab.cloud.place import CONTROL_HOST
from dpm_lab.network import taps
from dpm_lab.network.segments import of_vlan
from dpm_lab.network.taps import Tap

_GROUP = "lab"
_OPTIONS = (
    cfg.StrOpt("networks", help="The folder of the lab's networks."),
    cfg.DictOpt("segments", default={}, help="The segment behind each physical network."),
)


class LabInterfaceDriver(interface.LinuxInterfaceDriver):  # type: ignore[misc]
    """Plugs a port of Neutron's own into the segment of its network, as a tap."""

    DEV_NAME_PREFIX = constants.TAP_DEVICE_PREFIX

    def __init__(self, conf: Any, get_networks_callback: Any = None, **kwargs: Any) -> None:
        super().__init__(conf, **kwargs)
        conf.register_opts(_OPTIONS, group=_GROUP)
        self._options = conf[_GROUP]
        self._get_networks = get_networks_callback
        _stay_in_this_process()

    def plug_new(  # noqa: PLR0917 (Neutron's signature)
        self,
        network_id: str,
        port_id: str,
        device_name: str,
        mac_address: str,
        bridge: str | None = None,
        namespace: str | None = None,
        prefix: str | None = None,
        mtu: int | None = None,
    ) -> None:
        """Make the tap, and have the lab's switch plug it in."""
        segment = self._segment(network_id)
        device = ip_lib.IPWrapper().add_tuntap(device_name)
        device.link.set_address(mac_address)
        if mtu:
            device.link.set_mtu(mtu)
        ip_lib.IPWrapper().ensure_namespace(namespace).add_device_to_namespace(device)
        device.link.set_up()
        taps.plug(Path(self._options.networks), Tap(device_name, str(namespace), segment))

    def unplug(
        self,
        device_name: str,
        bridge: str | None = None,
        namespace: str | None = None,
        prefix: str | None = None,
    ) -> None:
        """Have the switch let go of the tap, and remove it."""
        taps.unplug(Path(self._options.networks), device_name)
        device = ip_lib.IPDevice(device_name, namespace=namespace)
        if device.exists():
            device.link.delete()

    def set_mtu(
        self,
        device_name: str,
        mtu: int,
        namespace: str | None = None,
        prefix: str | None = None,
    ) -> None:
        """Set the MTU of a tap that is there."""
        ip_lib.IPDevice(device_name, namespace=namespace).link.set_mtu(mtu)

    def _segment(self, network_id: str) -> str:
        fields = [
            "id",
            provider_net.NETWORK_TYPE,
            provider_net.PHYSICAL_NETWORK,
            provider_net.SEGMENTATION_ID,
        ]
        (network,) = self._get_networks(filters={"id": [network_id]}, fields=fields)
        is_vlan = network[provider_net.NETWORK_TYPE] == constants.TYPE_VLAN
        vlan = network[provider_net.SEGMENTATION_ID] if is_vlan else None
        return of_vlan(self._options.segments[network[provider_net.PHYSICAL_NETWORK]], vlan)


@functools.cache
def _stay_in_this_process() -> None:
    """Have root do what takes root itself, and not by four more processes of some 50 MB each."""
    if os.geteuid() != 0:
        return
    for each in vars(privileged).values():
        if isinstance(each, PrivContext):
            each.set_client_mode(False)
    # What Neutron has done in a namespace, a child does, which is ended by SIGTERM. With what it
    # inherits it would only tell this process that it shall end.
    os.register_at_fork(after_in_child=_forget_signals)


def _forget_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)


class LabDnsmasq(dhcp.Dnsmasq):  # type: ignore[misc]
    """Dnsmasq as Neutron runs it, without a rule of netfilter, which not every kernel has.

    The rule fills in checksums of what dnsmasq sends, for receivers to which a card never passes
    it on. A tap whose reader never asked for offloading gets them (drivers/net/tun.c,
    `tun_net_fix_features`).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.device_manager.fill_dhcp_udp_checksums = _nothing


def _nothing(namespace: str | None = None) -> None:
    pass


class LabMechanismDriver(api.MechanismDriver):  # type: ignore[misc]
    """Binds the ports of DHCP, whose host is no part of a CPC.

    They would work without: the DHCP agent asks for no binding. But they would be DOWN, and
    Neutron's log full of them.
    """

    def initialize(self) -> None:
        """Do nothing."""

    @property
    def connectivity(self) -> str:
        """A port needs no IP address."""
        return str(portbindings.CONNECTIVITY_L2)

    def bind_port(self, context: Any) -> None:
        """Bind a port of Neutron's own on the host that has its agents."""
        owner = context.current.get("device_owner") or ""
        if context.host != CONTROL_HOST or not owner.startswith(
            constants.DEVICE_OWNER_NETWORK_PREFIX
        ):
            return
        for segment in context.segments_to_bind:
            if segment[api.PHYSICAL_NETWORK]:
                context.set_binding(
                    segment[api.ID],
                    portbindings.VIF_TYPE_TAP,
                    {},
                    status=constants.PORT_STATUS_ACTIVE,
                )
                return

    def filter_hosts_with_segment_access(
        self, _context: object, _segments: object, candidate_hosts: set[str], _agents: object
    ) -> set[str]:
        """Return the host that all segments lead to; Neutron places DHCP there."""
        return {CONTROL_HOST} & set(candidate_hosts)
