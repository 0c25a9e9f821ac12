"""Mechanism driver ``dpm`` of ML2 (entry point ``neutron.ml2.mechanism_drivers``).

It binds ports to what Neutron's agent of the host reports. A port is complete as soon as it is
bound: the HMC plugs a NIC in the request that makes it, and nova-compute, which makes it, reads the
answer. So the driver itself lifts the block that Neutron's base class puts on the port for an agent
of layer 2; the one for DHCP stays until the DHCP agent lifts it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from neutron.db import provisioning_blocks
from neutron.plugins.ml2.drivers import mech_agent
from neutron_lib import constants
from neutron_lib import context as n_context
from neutron_lib.api.definitions import portbindings
from neutron_lib.callbacks import resources
from neutron_lib.plugins.ml2 import api
from oslo_config import cfg
from oslo_log import log

from dpm_hmc.networks import ADAPTER, OBJECT_ID, PORT, VLAN, VSWITCH
from networking_dpm.conf import SERVER_GROUP, SERVER_OPTIONS
from networking_dpm.ml2.unbound import NETWORK_TYPES, Said, is_filtered, is_of_network, reason
from networking_dpm.report import AGENT_TYPE, Backing, Report

LOG = log.getLogger(__name__)


class DPMMechanismDriver(mech_agent.SimpleAgentMechanismDriverBase):  # type: ignore[misc]
    """Binds ports of servers whose host is a subset of a CPC."""

    def __init__(self) -> None:
        cfg.CONF.register_opts(SERVER_OPTIONS, group=SERVER_GROUP.name)
        super().__init__(AGENT_TYPE, VSWITCH, {portbindings.CAP_PORT_FILTER: False})
        self._said = Said()
        self._unfiltered = Said()

    @property
    def connectivity(self) -> str:
        """A port needs no IP address."""
        return str(portbindings.CONNECTIVITY_L2)

    def get_allowed_network_types(self, agent: object = None) -> Iterable[str]:
        """Networks that a NIC can be on."""
        return NETWORK_TYPES

    def get_mappings(self, agent: Mapping[str, Any]) -> Mapping[str, Backing]:
        """Return what is behind each physical network, as the agent says."""
        return Report.of(agent.get("configurations")).backings

    def check_vlan_transparency(self, context: object) -> bool:
        """A NIC has one VLAN at most, and takes it off."""
        return False

    def bind_port(self, context: Any) -> None:
        """Bind a port, if it can be a NIC's."""
        port = context.current
        if is_of_network(port) or (self._refuses_port_security and is_filtered(port)):
            return  # update_port_postcommit says why
        super().bind_port(context)

    def get_vif_type(self, context: object, agent: Mapping[str, Any], segment: Any) -> str:
        """Return whether ports are plugged into virtual switches or into adapters' ports."""
        return self._backing(agent, segment).vif_type

    def get_vif_details(
        self, context: object, agent: Mapping[str, Any], segment: Any
    ) -> dict[str, Any]:
        """Return what nova-compute makes the NIC of."""
        backing = self._backing(agent, segment)
        details = {**self.vif_details, OBJECT_ID: backing.object_id}
        if backing.vif_type == ADAPTER:
            details[PORT] = backing.port
        if segment[api.NETWORK_TYPE] == constants.TYPE_VLAN:
            details[VLAN] = str(segment[api.SEGMENTATION_ID])
        return details

    def update_port_postcommit(self, context: Any) -> None:
        """Complete a port that is bound here; say why none could bind it.

        ML2 calls it after it has stored how the binding ended, well or not (neutron 29,
        ``plugins/ml2/plugin.py``, `_commit_port_binding`).
        """
        if context.vif_type == portbindings.VIF_TYPE_BINDING_FAILED:
            self._say_unbound(context)
        elif context.vif_type in (VSWITCH, ADAPTER):
            self._say_unfiltered(context)
            if context.status != constants.PORT_STATUS_ACTIVE:
                provisioning_blocks.provisioning_complete(
                    n_context.get_admin_context(),
                    context.current["id"],
                    resources.PORT,
                    provisioning_blocks.L2_AGENT_ENTITY,
                )

    @property
    def _refuses_port_security(self) -> bool:
        return bool(cfg.CONF[SERVER_GROUP.name].refuse_port_security)

    def _backing(self, agent: Mapping[str, Any], segment: Any) -> Backing:
        return self.get_mappings(agent)[segment[api.PHYSICAL_NETWORK]]

    def _say_unbound(self, context: Any) -> None:
        port = context.current
        text = reason(
            port,
            context.network.network_segments,
            context.host_agents(self.agent_type),
            self._other_agents(context),
            refuses_port_security=self._refuses_port_security,
        )
        if text and self._said.is_new(port["id"], f"{context.host}: {text}"):
            LOG.warning(
                "Port %s of network %s cannot be bound on host %s: %s",
                *(port["id"], port["network_id"], context.host, text),
            )

    def _other_agents(self, context: Any) -> list[Mapping[str, Any]]:
        filters = {"host": [context.host]}
        found = context._plugin.get_agents(n_context.get_admin_context(), filters=filters)
        return [each for each in found if each["agent_type"] != self.agent_type]

    def _say_unfiltered(self, context: Any) -> None:
        port = context.current
        if is_filtered(port) and self._unfiltered.is_new(port["network_id"]):
            LOG.warning(
                "Port %s of network %s has port security or security groups, and nobody enforces "
                "them between a partition and its adapter on host %s. Disable port security on "
                "such networks, or set [ml2_dpm] refuse_port_security (said once a network)",
                *(port["id"], port["network_id"], context.host),
            )
