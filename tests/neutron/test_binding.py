"""Ports of ML2 with the mechanism driver, and an agent that has reported over the bus."""

from __future__ import annotations

import logging
from typing import Any, ClassVar

import fixtures
from neutron.db import agents_db, provisioning_blocks
from neutron.objects import network as network_segments
from neutron.services.segments import db as segments
from neutron.tests.common import helpers
from neutron.tests.unit.plugins.ml2 import test_plugin
from neutron_lib import context as n_context
from neutron_lib import rpc as n_rpc
from neutron_lib.api.definitions import portbindings
from neutron_lib.callbacks import resources
from neutron_lib.plugins import directory
from oslo_config import cfg

from dpm_hmc.networks import ADAPTER, VSWITCH
from networking_dpm.report import AGENT_TYPE, BINARY, Backing, Report
from tests.neutron.bus import Bus, sent

HOST = "host1"
SWITCH = Backing(VSWITCH, "1ebb36be-166c-55d8-9349-6f894b06ba18", 1)
PORT_OF_ADAPTER = Backing(ADAPTER, "c0bd825e-2c93-5952-8a1f-5e611d8143ac", 1)
REPORT = Report(
    {"physnet1": SWITCH, "physnet2": PORT_OF_ADAPTER}, {"physnet3": "adapter OSA-C is gone"}
)


class Ports(test_plugin.Ml2PluginV2TestCase):  # type: ignore[misc]
    """What the tests below do with ports."""

    _mechanism_drivers: ClassVar = ["openvswitch", "dpm"]
    _extension_drivers: ClassVar = ["port_security"]

    def setUp(self) -> None:
        cfg.CONF.set_override("extension_drivers", self._extension_drivers, group="ml2")
        super().setUp()
        self.plugin = directory.get_plugin()
        self.admin = n_context.get_admin_context()
        self.log = self.useFixture(fixtures.FakeLogger("networking_dpm.ml2", logging.INFO))

    def report(self, report: Report = REPORT, host: str = HOST) -> None:
        """Have an agent send a heartbeat, and neutron-server take it."""
        context, said = sent(host, report)
        read = n_rpc.RequestContextSerializer().deserialize_context(context)
        agents_db.AgentExtRpcCallback(self.plugin).report_state(read, **said)

    def make_network(self, kind: str = "flat", physical: str = "physnet1", **more: Any) -> str:
        provider = {"provider:network_type": kind, "provider:physical_network": physical, **more}
        if kind == "vxlan":
            del provider["provider:physical_network"]
        made = self._make_network(
            self.fmt, "net", True, as_admin=True, arg_list=tuple(provider), **provider
        )
        return str(made["network"]["id"])

    def make_port(self, network: str, host: str = HOST, **more: Any) -> dict[str, Any]:
        """Make a port as Nova does, and return what it became."""
        values = {
            "device_owner": "compute:nova",
            "device_id": "a-server",
            "binding:host_id": host,
            "port_security_enabled": False,
            **more,
        }
        if "port_security" not in self._extension_drivers:
            del values["port_security_enabled"]
        values = {name: value for name, value in values.items() if value is not None}
        made = self._make_port(self.fmt, network, as_admin=True, arg_list=tuple(values), **values)
        return self.port_now(made["port"]["id"])

    def port_now(self, port_id: str) -> dict[str, Any]:
        found = self._show("ports", port_id, as_admin=True)["port"]
        assert isinstance(found, dict)
        return found

    def said(self) -> list[str]:
        return [line for line in self.log.output.splitlines() if "cannot be bound" in line]


class TestBinding(Ports):
    def test_the_agent_is_listed_as_networking_dpm_3_was(self) -> None:
        self.report()

        [agent] = self.plugin.get_agents(self.admin)

        shown = {name: agent[name] for name in ("agent_type", "binary", "host", "topic", "alive")}
        assert shown == {
            "agent_type": "DPM agent",
            "binary": "neutron-dpm-agent",
            "host": HOST,
            "topic": "N/A",
            "alive": True,
        }
        assert (agent["agent_type"], agent["binary"]) == (AGENT_TYPE, BINARY)
        assert agent["availability_zone"] is None

    def test_a_port_on_a_flat_network_is_bound_to_the_virtual_switch_and_active(self) -> None:
        self.report()

        port = self.make_port(self.make_network())

        assert port["status"] == "ACTIVE"
        assert port[portbindings.VIF_TYPE] == VSWITCH
        details = port[portbindings.VIF_DETAILS]
        assert details["object_id"] == SWITCH.object_id
        assert details[portbindings.CAP_PORT_FILTER] is False
        assert "port" not in details
        assert "vlan" not in details

    def test_a_port_on_a_vlan_is_bound_to_the_adapters_port_with_the_vlan_as_text(self) -> None:
        """nova-compute reads ``vlan`` as text or number; Nova's own details are text."""
        self.report()

        port = self.make_port(
            self.make_network("vlan", "physnet2", **{"provider:segmentation_id": 201})
        )

        details = port[portbindings.VIF_DETAILS]
        assert port["status"] == "ACTIVE"
        assert port[portbindings.VIF_TYPE] == ADAPTER
        assert (details["object_id"], details["port"], details["vlan"]) == (
            *(PORT_OF_ADAPTER.object_id, 1, "201"),
        )

    def test_several_networks_are_on_one_adapter_port_by_vlan(self) -> None:
        self.report(Report({"physnet2": PORT_OF_ADAPTER, "physnet3": PORT_OF_ADAPTER}, {}))

        ports = [
            self.make_port(self.make_network("vlan", physical, **{"provider:segmentation_id": tag}))
            for physical, tag in (("physnet2", 201), ("physnet2", 202), ("physnet3", 401))
        ]

        details = [port[portbindings.VIF_DETAILS] for port in ports]
        assert {each["object_id"] for each in details} == {PORT_OF_ADAPTER.object_id}
        assert [each["vlan"] for each in details] == ["201", "202", "401"]

    def test_a_port_that_is_there_already_becomes_active_when_it_is_given_the_host(self) -> None:
        self.report()
        port = self.make_port(self.make_network(), host=None)  # type: ignore[arg-type]
        assert port["status"] == "DOWN"

        self._update("ports", port["id"], {"port": {portbindings.HOST_ID: HOST}}, as_admin=True)

        assert self.port_now(port["id"])["status"] == "ACTIVE"

    def test_a_port_that_moves_between_hosts_follows_their_agents(self) -> None:
        self.report()
        self.report(Report({"physnet1": PORT_OF_ADAPTER}, {}), "host2")
        port = self.make_port(self.make_network())

        self._update("ports", port["id"], {"port": {portbindings.HOST_ID: "host2"}}, as_admin=True)

        now = self.port_now(port["id"])
        assert now["status"] == "ACTIVE"
        assert now[portbindings.VIF_TYPE] == ADAPTER

    def test_a_port_that_leaves_its_host_is_down(self) -> None:
        self.report()
        port = self.make_port(self.make_network())

        self._update("ports", port["id"], {"port": {portbindings.HOST_ID: ""}}, as_admin=True)

        now = self.port_now(port["id"])
        assert now["status"] == "DOWN"
        assert now[portbindings.VIF_TYPE] == "unbound"

    def test_a_port_waits_for_dhcp(self) -> None:
        self.report()
        dhcp = helpers.register_dhcp_agent("network-node")
        network = self.make_network()
        self._make_subnet(
            self.fmt,
            {"network": {"id": network, "project_id": self._project_id}},
            "10.0.0.1",
            "10.0.0.0/24",
        )
        self.plugin.add_network_to_dhcp_agent(self.admin, dhcp["id"], network)

        port = self.make_port(network)

        assert port[portbindings.VIF_TYPE] == VSWITCH
        assert port["status"] == "DOWN"
        provisioning_blocks.provisioning_complete(
            self.admin, port["id"], resources.PORT, provisioning_blocks.DHCP_ENTITY
        )
        assert self.port_now(port["id"])["status"] == "ACTIVE"

    def test_a_port_that_is_switched_off_is_not_active_before_it_is_switched_on(self) -> None:
        self.report()
        port = self.make_port(self.make_network(), admin_state_up=False)
        assert port["status"] == "DOWN"

        self._update("ports", port["id"], {"port": {"admin_state_up": True}}, as_admin=True)

        assert self.port_now(port["id"])["status"] == "ACTIVE"

    def test_a_port_of_neutron_itself_is_left_to_others(self) -> None:
        """Where an agent for DHCP runs under the name of the host."""
        self.report()

        port = self.make_port(self.make_network(), device_owner="network:router_centralized_snat")

        assert port[portbindings.VIF_TYPE] == "binding_failed"
        assert "only servers can have NICs" in self.said()[0]


class TestSegments(Ports):
    """Routed provider networks: Neutron maps segments to hosts by what agents report."""

    def get_additional_service_plugins(self) -> dict[str, str]:
        return {"segments": "neutron.services.segments.plugin.Plugin"}

    def setUp(self) -> None:
        super().setUp()
        segments.subscribe()  # Neutron's base class forgets what was at import
        segments.reported_hosts.clear()
        # What it has read of service_plugins, for a process that has many neutron-servers.
        known = "neutron.services.segments.db._USER_CONFIGURED_SEGMENT_PLUGIN"
        self.useFixture(fixtures.MonkeyPatch(known, True))

    def hosts(self, network: str) -> set[str]:
        """The hosts that Neutron takes the one segment of a network to reach."""
        [segment] = network_segments.NetworkSegment.get_objects(self.admin, network_id=network)
        found = network_segments.SegmentHostMapping.get_objects(self.admin, segment_id=segment.id)
        return {each.host for each in found}

    def test_a_segment_is_mapped_to_the_hosts_whose_agents_know_its_network(self) -> None:
        first, second = self.make_network(), self.make_network("flat", "physnet2")
        self.report()
        self.report(Report({"physnet1": SWITCH}, {}), "host2")

        assert self.hosts(first) == {HOST, "host2"}
        assert self.hosts(second) == {HOST}

    def test_the_mapping_follows_what_the_agent_finds_later(self) -> None:
        first, second = self.make_network(), self.make_network("flat", "physnet2")
        with Bus() as bus:
            heartbeat = bus.heartbeat(HOST)
            heartbeat.beat(Report({"physnet1": SWITCH}, {}))
            heartbeat.beat(Report({"physnet1": SWITCH}, {}))
            heartbeat.beat(Report({"physnet2": PORT_OF_ADAPTER}, {}))
        starts = [said["agent_state"]["agent_state"].get("start_flag") for _, said in bus.heard]
        assert starts == [True, None, True]

        for _, said in bus.heard:
            agents_db.AgentExtRpcCallback(self.plugin).report_state(self.admin, **said)

        assert (self.hosts(first), self.hosts(second)) == (set(), {HOST})


class TestUnbound(Ports):
    def unbound(self, **more: Any) -> str:
        """Make a port that cannot be bound; return the one line that is said of it."""
        port = self.make_port(self.make_network(), **more)
        assert port[portbindings.VIF_TYPE] == "binding_failed"
        [line] = self.said()
        assert f"Port {port['id']} of network {port['network_id']}" in line
        assert f"on host {more.get('host', HOST)}" in line
        return line

    def test_a_host_without_any_agent_is_said_once(self) -> None:
        helpers.register_ovs_agent(host="kvm1", bridge_mappings={"other": "br-ex"})

        assert "start neutron-dpm-agent for it, with [DEFAULT] host = host1" in self.unbound()

    def test_a_host_of_another_driver_is_none_of_our_business(self) -> None:
        helpers.register_ovs_agent(host="kvm1", bridge_mappings={"other": "br-ex"})

        port = self.make_port(self.make_network(), host="kvm1")

        assert port[portbindings.VIF_TYPE] == "binding_failed"
        assert self.said() == []

    def test_a_host_that_only_serves_dhcp_may_still_lack_its_agent(self) -> None:
        helpers.register_dhcp_agent(HOST)

        assert "start neutron-dpm-agent" in self.unbound()

    def test_a_dead_agent_is_said(self) -> None:
        self.report()
        [agent] = self.plugin.get_agents(self.admin)
        helpers.kill_agent(agent["id"])

        assert "neutron-dpm-agent has not reported since 20" in self.unbound()

    def test_a_physical_network_that_is_not_mapped_is_said(self) -> None:
        self.report(Report({"physnet2": SWITCH}, {"physnet3": "gone"}))

        line = self.unbound()

        assert "knows no physical network physnet1; it knows physnet2, physnet3" in line

    def test_what_the_agent_says_of_a_physical_network_is_passed_on(self) -> None:
        self.report(Report({}, {"physnet1": "adapter OSA-C is gone"}))

        assert "physical network physnet1: adapter OSA-C is gone" in self.unbound()

    def test_a_vnic_type_that_no_nic_has_is_said(self) -> None:
        self.report()

        assert "its vnic_type is direct" in self.unbound(**{"binding:vnic_type": "direct"})

    def test_a_tunnel_is_said(self) -> None:
        cfg.CONF.set_override("vni_ranges", ["1:1000"], group="ml2_type_vxlan")
        self.report()

        tunnel = self.make_network("vxlan", "physnet1", **{"provider:segmentation_id": 7})
        port = self.make_port(tunnel)

        assert port[portbindings.VIF_TYPE] == "binding_failed"
        [line] = self.said()
        assert "its network is of type vxlan, and a NIC's can be flat or vlan" in line

    def test_the_same_is_not_said_again_and_something_else_is(self) -> None:
        port = self.make_port(self.make_network())
        self._update("ports", port["id"], {"port": {"name": "again"}}, as_admin=True)
        assert len(self.said()) == 1

        self.report(Report({}, {}))
        self._update("ports", port["id"], {"port": {"name": "and again"}}, as_admin=True)

        assert len(self.said()) == 2
        assert "it knows none" in self.said()[1]

    def test_a_port_is_bound_by_the_next_try_when_the_agent_has_come(self) -> None:
        port = self.make_port(self.make_network())
        self.report()

        self._update("ports", port["id"], {"port": {"name": "again"}}, as_admin=True)

        assert self.port_now(port["id"])["status"] == "ACTIVE"

    def test_an_agent_of_2018_reports_nothing_that_can_be_bound_to(self) -> None:
        state = {
            "agent_type": AGENT_TYPE,
            "binary": BINARY,
            "host": HOST,
            "topic": "N/A",
            "configurations": {"adapter_mappings": {"physnet1": [SWITCH.object_id]}},
            "start_flag": True,
        }
        self.plugin.create_or_update_agent(self.admin, state)

        assert "knows no physical network physnet1" in self.unbound()


class TestPortSecurity(Ports):
    def filtered(self) -> list[str]:
        return [line for line in self.log.output.splitlines() if "nobody enforces" in line]

    def test_a_port_that_nobody_filters_is_bound_and_said_once_a_network(self) -> None:
        self.report()
        network = self.make_network()

        ports = [self.make_port(network, port_security_enabled=True) for _ in range(2)]

        assert {port["status"] for port in ports} == {"ACTIVE"}
        [line] = self.filtered()
        assert ports[0]["id"] in line
        assert network in line
        self.make_port(self.make_network("flat", "physnet2"), port_security_enabled=True)
        assert len(self.filtered()) == 2

    def test_a_port_without_port_security_is_bound_without_a_word(self) -> None:
        self.report()

        assert self.make_port(self.make_network())["status"] == "ACTIVE"

        assert self.log.output == ""

    def test_a_port_that_nobody_filters_is_refused_where_the_operator_says_so(self) -> None:
        cfg.CONF.set_override("refuse_port_security", True, group="ml2_dpm")
        self.report()
        network = self.make_network()

        port = self.make_port(network, port_security_enabled=True)

        assert port[portbindings.VIF_TYPE] == "binding_failed"
        assert "--disable-port-security" in self.said()[0]
        assert self.make_port(network)["status"] == "ACTIVE"


class TestSecurityGroups(Ports):
    """Without the extension driver port_security, which a stock Neutron does not load."""

    _extension_drivers: ClassVar = []

    def test_the_projects_default_group_is_said(self) -> None:
        self.report()

        assert self.make_port(self.make_network())["status"] == "ACTIVE"

        assert "has port security or security groups" in self.log.output

    def test_a_port_without_a_group_is_bound_where_others_are_refused(self) -> None:
        cfg.CONF.set_override("refuse_port_security", True, group="ml2_dpm")
        self.report()
        network = self.make_network()

        assert self.make_port(network)[portbindings.VIF_TYPE] == "binding_failed"
        assert self.make_port(network, security_groups=[])["status"] == "ACTIVE"
