"""While no HMC answers, no server is sent to the host; it comes back by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dpm_lab.hmc import Fault
from tests.nova.machine import HOST, on

if TYPE_CHECKING:
    from tests.nova.cloud import Cloud

AWAY = Fault(kind="drop-before", times=None)
DISABLED = "COMPUTE_STATUS_DISABLED"


@on("z16")
def test_a_host_whose_hmc_is_away_is_out_of_scheduling_and_comes_back(cloud: Cloud) -> None:
    running = cloud.boot([])
    before = len(cloud.log)
    cloud.control.add_fault(AWAY)

    for _ in range(2):
        cloud.audit()
        cloud.sync_power_states()
    said = cloud.log[before:]

    assert service(cloud)["status"] == "disabled"
    assert service(cloud)["disabled_reason"].startswith("AUTO: GET /api/cpcs/")
    assert "no answer from HMC 127.0.0.1" in service(cloud)["disabled_reason"]
    assert DISABLED in traits(cloud)
    assert said.count("No server can be built: ") == 1
    assert said.count(f"Host {HOST} is out of scheduling until the HMC answers") == 1
    assert "Traceback" not in said
    assert cloud.show(running)["status"] == "ACTIVE"
    assert "No valid host was found" in cloud.boot_in_vain([])["fault"]["message"]

    cloud.control.clear_faults()
    cloud.audit()

    assert service(cloud)["status"] == "enabled"
    assert service(cloud)["disabled_reason"] is None
    assert DISABLED not in traits(cloud)
    assert f"Host {HOST} is in scheduling again" in cloud.log[before:]
    cloud.boot([])


@on("z16")
def test_a_nova_compute_that_is_started_again_takes_the_host_in(cloud: Cloud) -> None:
    cloud.control.add_fault(AWAY)
    cloud.audit()
    assert service(cloud)["status"] == "disabled"
    cloud.control.clear_faults()

    cloud.restart_compute()
    cloud.audit()

    assert service(cloud)["status"] == "enabled"
    assert DISABLED not in traits(cloud)


@on("z16")
def test_a_host_that_an_operator_has_disabled_stays_so(cloud: Cloud) -> None:
    found = service(cloud)["id"]
    cloud.api.put_service(found, {"status": "disabled", "disabled_reason": "new firmware"})
    try:
        cloud.control.add_fault(AWAY)
        cloud.audit()
        seen = [service(cloud)["disabled_reason"]]
        cloud.control.clear_faults()
        cloud.audit()
        seen.append(service(cloud)["disabled_reason"])

        assert seen == ["new firmware", "new firmware"]
        assert service(cloud)["status"] == "disabled"
        assert DISABLED in traits(cloud)
    finally:
        cloud.api.put_service(found, {"status": "enabled"})


def service(cloud: Cloud) -> dict[str, Any]:
    """Return nova-compute as ``openstack compute service list`` shows it."""
    [found] = cloud.api.get_services(binary="nova-compute")
    shown: dict[str, Any] = found
    return shown


def traits(cloud: Cloud) -> list[str]:
    """Return what Placement has of the host."""
    [found] = cloud.placement.get(f"/resource_providers?name={HOST}").body["resource_providers"]
    uri = f"/resource_providers/{found['uuid']}/traits"
    shown: list[str] = cloud.placement.get(uri, version="1.6").body["traits"]
    return shown
