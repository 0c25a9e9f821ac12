"""What is said of a port that cannot be bound, without a neutron-server."""

from __future__ import annotations

from types import MappingProxyType

from dpm_hmc.networks import VSWITCH
from networking_dpm.ml2 import unbound
from networking_dpm.ml2.mech_dpm import DPMMechanismDriver
from networking_dpm.ml2.unbound import Said, reason
from networking_dpm.report import Backing, Report

PORT = MappingProxyType(
    {
        "binding:host_id": "host1",
        "binding:vnic_type": "normal",
        "device_owner": "compute:nova",
        "security_groups": [],
    }
)
KNOWN = Report({"physnet1": Backing(VSWITCH, "switch-1", 0)}, {})


def test_a_network_that_is_mapped_may_still_lack_the_ports_subnet() -> None:
    """Neutron leaves out segments that have none of the port's subnets."""
    segment = {"network_type": "flat", "physical_network": "physnet1"}
    agent = {"alive": True, "configurations": KNOWN.configurations()}

    said = reason(PORT, [segment], [agent], [], refuses_port_security=False)

    assert said == "physical network physnet1 is there, but not for this port's subnet"


def test_the_oldest_that_was_said_is_forgotten() -> None:
    said = Said()
    for number in range(unbound._REMEMBERED):
        said.is_new(str(number), "x")
    assert not said.is_new("0", "x"), "and it is now the newest"

    said.is_new("one more", "x")

    assert not said.is_new("0", "x")
    assert said.is_new("1", "x")


def test_no_vlan_goes_through_a_nic() -> None:
    assert DPMMechanismDriver().check_vlan_transparency(None) is False
