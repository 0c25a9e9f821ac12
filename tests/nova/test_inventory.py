"""What Placement and Nova's API know of the host, and what it costs the HMC to ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.nova.machine import HOST, MEMORY, PROCESSORS, on

if TYPE_CHECKING:
    from tests.nova.cloud import Cloud


@on("z13", "z16", "z17")
def test_placement_knows_processors_and_memory_and_of_no_disk(cloud: Cloud) -> None:
    inventories = provider(cloud, "inventories")["inventories"]

    assert set(inventories) == {"VCPU", "MEMORY_MB"}
    vcpu, memory = inventories["VCPU"], inventories["MEMORY_MB"]
    assert (vcpu["total"], vcpu["max_unit"], vcpu["reserved"]) == (PROCESSORS, PROCESSORS, 0)
    assert vcpu["allocation_ratio"] == 4.0  # Nova's initial_cpu_allocation_ratio
    assert (memory["total"], memory["max_unit"], memory["reserved"]) == (MEMORY, MEMORY, 0)
    assert memory["min_unit"] == 512
    assert memory["allocation_ratio"] == 1.0


@on("z16")
def test_processors_can_be_promised_more_than_once_and_memory_cannot(cloud: Cloud) -> None:
    cloud.flags(cpu_allocation_ratio=2.0, ram_allocation_ratio=3.0, reserved_host_cpus=1)

    cloud.audit()

    inventories = provider(cloud, "inventories")["inventories"]
    assert inventories["VCPU"]["allocation_ratio"] == 2.0
    assert inventories["VCPU"]["reserved"] == 1
    assert inventories["MEMORY_MB"]["allocation_ratio"] == 1.0
    cloud.flags(cpu_allocation_ratio=None, ram_allocation_ratio=None, reserved_host_cpus=0)
    cloud.audit()


@on("z13", "z16", "z17")
def test_traits_say_s390x_and_what_the_driver_can(cloud: Cloud) -> None:
    traits = set(provider(cloud, "traits")["traits"])

    assert "HW_ARCH_S390X" in traits
    assert "COMPUTE_NET_ATTACH_INTERFACE" in traits
    assert (
        not {
            "COMPUTE_VOLUME_EXTEND",
            "COMPUTE_VOLUME_MULTI_ATTACH",
            "COMPUTE_DEVICE_TAGGING",
            "COMPUTE_TRUSTED_CERTS",
            "COMPUTE_RESCUE_BFV",
        }
        & traits
    )


@on("z16")
def test_a_server_takes_its_flavor_from_the_inventory(cloud: Cloud) -> None:
    server = cloud.boot([])

    usages = provider(cloud, "usages")["usages"]
    assert usages == {"VCPU": 2, "MEMORY_MB": 4096}

    cloud.delete(server)

    assert provider(cloud, "usages")["usages"] == {"VCPU": 0, "MEMORY_MB": 0}


@on("z13", "z16", "z17")
def test_the_hypervisor_is_shown_as_prsm_of_the_machines_firmware(cloud: Cloud) -> None:
    cloud.audit()
    before = len(cloud.log)

    [shown] = cloud.api.api_get("/os-hypervisors/detail").body["hypervisors"]

    assert "Traceback" not in cloud.log[before:]
    assert "the HMC does not say" in shown["uptime"]

    version = cloud.machine.cpc["se-version"]
    major, minor, fix = map(int, version.split("."))
    assert shown["hypervisor_type"] == "PRSM"
    assert shown["hypervisor_version"] == (major * 1000 + minor) * 1000 + fix
    assert shown["hypervisor_hostname"] == HOST
    assert shown["state"] == "up"
    with_cpu = old_api(cloud, "/os-hypervisors/detail")["hypervisors"][0]
    cpu = with_cpu["cpu_info"]
    assert cpu["arch"] == "s390x"
    machine = (cloud.machine.cpc["machine-type"], cloud.machine.cpc["machine-model"])
    assert cpu["model"] == "-".join(machine)
    assert (cpu["cpc"], cpu["se_version"]) == (cloud.machine.cpc["name"], version)
    assert (with_cpu["vcpus"], with_cpu["memory_mb"], with_cpu["local_gb"]) == (
        PROCESSORS,
        MEMORY,
        0,
    )


@on("z13", "z16")
@pytest.mark.parametrize("partitions", [1, 10])
def test_an_audit_is_one_request_whatever_the_number_of_partitions(
    cloud: Cloud, partitions: int
) -> None:
    name = f"OpenStack-{HOST}-00000000-0000-4000-8000-{{:012d}}"
    cloud.control.add_partitions(partitions, name, status="active")
    cloud.control.add_partitions(partitions, "of-somebody-else-{}", status="active")
    cloud.audit()
    cloud.control.reset_log()

    cloud.audit()

    assert len(cloud.control.requests()) == 1


@on("z16")
@pytest.mark.parametrize("servers", [1, 3])
def test_a_look_at_all_power_states_is_one_request(cloud: Cloud, servers: int) -> None:
    for _ in range(servers):
        cloud.boot([])
    cloud.control.reset_log()

    cloud.sync_power_states()
    cloud.until_synced()

    assert len(cloud.control.requests()) == 1


def provider(cloud: Cloud, what: str) -> dict[str, Any]:
    """Return what Placement has of the host."""
    [found] = cloud.placement.get(f"/resource_providers?name={HOST}").body["resource_providers"]
    answer: dict[str, Any] = cloud.placement.get(
        f"/resource_providers/{found['uuid']}/{what}", version="1.6"
    ).body
    return answer


def old_api(cloud: Cloud, uri: str) -> dict[str, Any]:
    """Return the answer of a microversion that shows figures of a host."""
    cloud.api.microversion = "2.87"
    try:
        answer: dict[str, Any] = cloud.api.api_get(uri).body
    finally:
        cloud.api.microversion = "latest"
    return answer
