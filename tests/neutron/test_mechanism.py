"""Neutron's own tests of a mechanism driver that has agents, run with ours."""

from __future__ import annotations

from typing import Any, ClassVar

from neutron.tests.unit.plugins.ml2 import _test_mech_agent as of_neutron
from neutron_lib.api.definitions import portbindings

from dpm_hmc.networks import ADAPTER, VSWITCH
from networking_dpm.ml2.mech_dpm import DPMMechanismDriver
from networking_dpm.report import AGENT_TYPE, Backing, Report

PHYSICAL_NETWORK = "fake_physical_network"


def agent(alive: bool, *backings: tuple[str, Backing]) -> dict[str, Any]:
    configurations = Report(dict(backings), {}).configurations()
    return {
        "alive": alive,
        "configurations": configurations,
        "host": "host",
        "agent_type": AGENT_TYPE,
    }


class Base(of_neutron.AgentMechanismBaseTestCase):  # type: ignore[misc]
    BACKING = Backing(VSWITCH, "switch-1", 1)
    VIF_TYPE = VSWITCH
    DETAILS: ClassVar[dict[str, Any]] = {"object_id": "switch-1"}
    AGENT_TYPE = AGENT_TYPE

    def setUp(self) -> None:
        super().setUp()
        # The first agent knows another network, as that of a host with two types of agents may.
        other = agent(True, ("another", Backing(VSWITCH, "switch-2", 0)))
        here = (PHYSICAL_NETWORK, self.BACKING)
        self.AGENTS = [other, agent(True, here)]
        self.AGENTS_DEAD = [agent(False, here)]
        self.AGENTS_BAD = [agent(False, here), other]
        self.VIF_DETAILS = {
            portbindings.CAP_PORT_FILTER: False,
            portbindings.VIF_DETAILS_CONNECTIVITY: portbindings.CONNECTIVITY_L2,
            **self.DETAILS,
        }
        self.driver = DPMMechanismDriver()
        self.driver.initialize()


class TestGeneric(Base, of_neutron.AgentMechanismGenericTestCase):  # type: ignore[misc]
    pass


class TestFlat(Base, of_neutron.AgentMechanismFlatTestCase):  # type: ignore[misc]
    pass


class TestVlan(Base, of_neutron.AgentMechanismVlanTestCase):  # type: ignore[misc]
    DETAILS: ClassVar[dict[str, Any]] = {"object_id": "switch-1", "vlan": "1234"}


class OnAdapter(Base):
    BACKING = Backing(ADAPTER, "adapter-1", 1)
    VIF_TYPE = ADAPTER
    DETAILS: ClassVar[dict[str, Any]] = {"object_id": "adapter-1", "port": 1}


class TestFlatOnAdapter(OnAdapter, of_neutron.AgentMechanismFlatTestCase):  # type: ignore[misc]
    pass


class TestVlanOnAdapter(OnAdapter, of_neutron.AgentMechanismVlanTestCase):  # type: ignore[misc]
    DETAILS: ClassVar[dict[str, Any]] = {"object_id": "adapter-1", "port": 1, "vlan": "1234"}
