"""What goes wrong to order, and orders behind the clients' backs: in this process and another."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import zhmcclient

from dpm_lab.hmc import Fault, HmcProcess
from dpm_lab.hmc.errors import ControlError
from tests.hmc.lab.client import Lab, refused

PARTITIONS = "/api/cpcs/[^/]+/partitions"


@pytest.fixture(scope="module")
def process() -> Iterator[Lab]:
    with HmcProcess("z16", options=("--behaviour", "after-start=none")) as hmc:
        yield Lab(hmc)


@pytest.fixture(params=["threads", "process"])
def lab(request: pytest.FixtureRequest, labs: Callable[[str], Lab], process: Lab) -> Lab:
    made = labs("z16") if request.param == "threads" else process
    made.control.reset()
    made.cpc.pull_full_properties()  # whose first time is a logon
    made.control.reset_log()
    return made


def test_a_connection_that_drops_before_has_done_nothing(lab: Lab) -> None:
    lab.control.add_fault(Fault("POST", PARTITIONS, "drop-before"))

    with pytest.raises(zhmcclient.ConnectionError):
        lab.partition()

    assert lab.control.inventory()["partitions"] == {}
    assert [(r.method, r.status) for r in lab.control.requests()] == [("POST", 0)]


def test_a_connection_that_drops_after_has_done_it(lab: Lab) -> None:
    lab.control.add_fault(Fault("POST", PARTITIONS, "drop-after"))

    with pytest.raises(zhmcclient.ConnectionError):
        lab.partition()

    assert list(lab.control.inventory()["partitions"]) == ["web"]


def test_the_first_requests_are_spared_and_only_so_many_are_hit(lab: Lab) -> None:
    lab.control.add_fault(Fault("POST", PARTITIONS, "status", 503, after=1, times=2))

    lab.partition("one")
    for _ in range(2):
        with refused(503, 0, "ordered by the lab"):
            lab.partition("two")
    lab.partition("two")

    assert lab.control.counts() == {"POST /api/cpcs/{}/partitions": 4}


def test_an_error_can_come_after_everything_was_done(lab: Lab) -> None:
    lab.control.add_fault(Fault("POST", PARTITIONS, "status-after", 500, 12))

    with refused(500, 12, "ordered by the lab"):
        lab.partition()

    assert list(lab.control.inventory()["partitions"]) == ["web"]


def test_a_fault_without_times_stays_until_it_is_cleared(lab: Lab) -> None:
    lab.control.add_fault(Fault("GET", PARTITIONS, "status", 409, 2, "busy", times=None))

    for _ in range(3):
        with refused(409, 2, "busy"):
            lab.cpc.partitions.list()
    lab.control.clear_faults()

    assert lab.cpc.partitions.list() == []


def test_a_busy_object_is_tried_again_by_zhmcclient_where_asked_to(lab: Lab) -> None:
    uri = lab.partition().uri
    lab.control.add_fault(Fault("DELETE", "/api/partitions/.*", "status", 409, 2, times=2))

    lab.session.delete(uri, busy_retries=2, busy_wait=0)

    assert lab.control.counts()["DELETE /api/partitions/{}"] == 3


def test_faults_can_meet_in_one_request(lab: Lab) -> None:
    lab.control.add_fault(Fault("POST", PARTITIONS, "delay", seconds=0.01))
    lab.control.add_fault(Fault("POST", PARTITIONS, "expire-session"))

    lab.partition()

    assert [r.status for r in lab.control.requests()] == [403, 200, 200]


def test_the_log_has_no_secrets(lab: Lab) -> None:
    lab.control.expire_sessions()
    lab.cpc.partitions.list()
    body = {"boot-device": "ftp", "boot-ftp-host": "h", "boot-ftp-username": "u"}
    lab.partition(**body, **{"boot-ftp-insfile": "i", "boot-ftp-password": "hush"})

    text = "\n".join(request.line() for request in lab.control.requests())

    assert "POST /api/sessions" in text
    assert '"boot-ftp-password": "..."' in text
    assert "hush" not in text
    assert lab.hmc.password not in text
    assert lab.session.session_id not in text


def test_properties_change_behind_everybodys_back(lab: Lab) -> None:
    partition = lab.partition()

    lab.control.set_properties(partition.uri, {"status": "degraded"})

    assert lab.status(partition) == "degraded"
    with pytest.raises(ControlError, match="no object"):
        lab.control.set_properties("/api/partitions/none", {})


def test_a_machine_is_filled_quickly(lab: Lab) -> None:
    uris = lab.control.add_partitions(3, "OpenStack-host-{}", status="active", description="x")

    found = lab.cpc.partitions.list()

    assert [item.uri for item in found] == uris
    assert [item.name for item in found] == [f"OpenStack-host-{n}" for n in range(3)]
    assert {item.prop("status") for item in found} == {"active"}


def test_the_inventory_has_all_that_was_made(lab: Lab) -> None:
    partition = lab.partition()
    partition.nics.create({"name": "eth", "virtual-switch-uri": lab.switch()})
    group = lab.group(**{"storage-volumes": [{"operation": "create", "size": 1}]})
    partition.attach_storage_group(group)

    inventory = lab.control.inventory()

    assert [nic["name"] for nic in inventory["partitions"]["web"]["nics"]] == ["eth"]
    assert inventory["partitions"]["web"]["hbas"] == []
    disks = inventory["storage-groups"]["disks"]
    assert [volume["size"] for volume in disks["storage-volumes"]] == [1]
    assert len(disks["virtual-storage-resources"]) == 2


def test_a_reset_puts_all_back_but_sessions(lab: Lab) -> None:
    lab.partition()
    lab.group()
    lab.control.set_latency(0.01)
    lab.control.set_duration("start", 60)
    lab.control.set_properties(lab.cpc.uri, {"dpm-enabled": False})
    lab.control.add_fault(Fault(times=None))

    lab.control.reset()

    assert lab.control.inventory() == {"partitions": {}, "storage-groups": {}}
    lab.start(lab.partition())
    assert "POST /api/sessions" not in lab.control.counts()


def test_twenty_clients_at_once_make_twenty_partitions(lab: Lab) -> None:
    lab.control.set_latency(0.02)

    with ThreadPoolExecutor(20) as pool:
        made = list(pool.map(lambda number: lab.partition(f"p-{number}"), range(20)))
        jobs = list(pool.map(lambda item: item.start(wait_for_completion=False), made))
        list(pool.map(lab.finish, jobs))

    inventory = lab.control.inventory()["partitions"]
    assert {item["status"] for item in inventory.values()} == {"active"}
    assert len({item["partition-id"] for item in inventory.values()}) == 20


def test_an_order_that_is_no_order_is_refused(lab: Lab) -> None:
    with pytest.raises(ControlError, match="no such fault"):
        Fault(kind="explode")
    with pytest.raises(ControlError, match="regular expression"):
        Fault(uri="(")
    with pytest.raises(ControlError, match="number of seconds"):
        lab.control.set_duration("start", "long")  # type: ignore[arg-type]
    with pytest.raises(ControlError, match="no duration 'begin': there are start"):
        lab.control.set_duration("begin", 1)


def test_orders_need_the_token(lab: Lab) -> None:
    context = ssl.create_default_context(cafile=str(lab.hmc.ca_file))
    connection = http.client.HTTPSConnection(lab.hmc.host, lab.hmc.port, context=context)
    connection.request("POST", "/lab/reset")

    assert connection.getresponse().status == 403
    connection.close()
