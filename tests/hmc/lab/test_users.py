"""Users: logons that are refused, tasks, and objects that are not seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import zhmcclient

from dpm_lab.hmc import HmcServer
from dpm_lab.hmc.errors import ControlError
from tests.hmc.lab.client import Lab, refused, session
from tests.hmc.lab.test_storage_groups import BOOT, TARGET, ports

SYSTEM_PROGRAMMER = "Configure Storage - System Programmer"
STORAGE_ADMINISTRATOR = "Configure Storage - Storage Administrator"
ALL = [
    "New Partition",
    "Partition Details",
    "Start Partition",
    "Stop Partition",
    "Delete Partition",
    SYSTEM_PROGRAMMER,
    STORAGE_ADMINISTRATOR,
]


def logon_as(lab: Lab, password: str) -> tuple[int, int]:
    """Status and reason of a logon's refusal, 200 and 0 where it is taken."""
    try:
        session(lab.hmc, password=password).logon()
    except zhmcclient.ServerAuthError as error:
        details = error.details
        assert isinstance(details, zhmcclient.HTTPError)
        return details.http_status, details.reason
    return 200, 0


def test_some_refused_logons_disable_a_user(z16: Lab) -> None:
    z16.control.set_behaviour(max_failed_logins=3)
    right = z16.hmc.password

    assert [logon_as(z16, "wrong") for _ in range(2)] == [(403, 0)] * 2
    assert logon_as(z16, right) == (200, 0)
    assert [logon_as(z16, "wrong") for _ in range(4)] == [(403, 0)] * 3 + [(403, 40)]
    assert logon_as(z16, right) == (403, 40)
    z16.control.set_user(z16.hmc.userid)
    assert logon_as(z16, right) == (200, 0)


def test_a_user_is_disabled_for_a_time_only_where_told_so(z16: Lab) -> None:
    z16.control.set_behaviour(max_failed_logins=1, disable_delay=0)

    assert logon_as(z16, "wrong") == (403, 0)

    assert logon_as(z16, z16.hmc.password) == (200, 0)


@pytest.mark.parametrize(
    ("field", "value", "reason"), [("disabled", True, 40), ("management", False, 41)]
)
def test_a_user_that_may_not_log_on_is_told_why(
    z16: Lab, field: str, value: bool, reason: int
) -> None:
    z16.control.set_user(z16.hmc.userid, **{field: value})

    assert logon_as(z16, z16.hmc.password) == (403, reason)
    assert logon_as(z16, "wrong") == (403, 40 if field == "disabled" else 0)


def whole_life(lab: Lab) -> None:
    """One of each operation that a server takes."""
    partition = lab.partition()
    partition.nics.create({"name": "eth", "virtual-switch-uri": lab.switch()}).delete()
    group = lab.group(**{"storage-volumes": [BOOT]})
    group.add_candidate_adapter_ports(ports(lab))
    partition.attach_storage_group(group)
    (volume,) = group.storage_volumes.list()
    volume.indicate_fulfillment_fcp(TARGET, "1", ports(lab)[0])
    lab.cpc.validate_lun_path("c05076ff00000001", ports(lab)[0], TARGET, "1")
    partition.update_properties({"description": "new"})
    lab.start(partition)
    lab.stop(partition)
    partition.detach_storage_group(group)
    group.delete()
    partition.delete()


def test_the_tasks_of_the_page_are_enough(z16: Lab) -> None:
    objects = ["cpc", "adapter", "virtual-switch", "partition", "storage-group"]
    z16.control.set_user(z16.hmc.userid, tasks=ALL, objects=objects, sees_own=False)

    whole_life(z16)

    with refused(403, 1, "Manage Secure Execution Keys"):
        z16.session.get(z16.cpc.uri)
    z16.session.get(f"{z16.cpc.uri}?properties=name")


@pytest.mark.parametrize("task", ALL)
def test_each_task_is_needed(z16: Lab, task: str) -> None:
    assert z16.cpc.name == "Z16"
    z16.control.set_user(z16.hmc.userid, tasks=[each for each in ALL if each != task])

    with refused(403, 1, task):
        whole_life(z16)


def test_objects_without_access_are_not_there(z16: Lab) -> None:
    one, two = z16.partition("one"), z16.partition("two")
    card = z16.adapter("FCP-A")
    port, switch = z16.port("FCP-A"), z16.switch()
    group = z16.group()
    nic = {"name": "eth", "virtual-switch-uri": switch}
    z16.control.set_user(z16.hmc.userid, objects=["cpc", "one", "OSA-A", group.uri], sees_own=False)

    assert [each.name for each in z16.cpc.partitions.list()] == ["one"]
    assert [each.name for each in z16.cpc.adapters.list()] == ["OSA-A"]
    assert z16.cpc.virtual_switches.list() == []
    for uri in (two.uri, card.uri, port.uri, switch):
        with refused(404, 1):
            z16.session.get(uri)
    with refused(404, 2, "virtual-switch-uri"):
        one.nics.create(nic)
    with refused(404, 2, "adapter-port-uris"):
        group.add_candidate_adapter_ports([port])
    z16.control.set_behaviour(object_access="403-1")
    with refused(403, 1):
        one.nics.create(nic)


def test_several_requests_in_one_are_checked_one_by_one(z16: Lab) -> None:
    one, two = z16.partition("one"), z16.partition("two")
    z16.control.set_user(z16.hmc.userid, objects=["cpc", "one"], sees_own=False)
    requests = [{"method": "GET", "uri": each.uri} for each in (one, two)]
    requests.append({"method": "GET", "uri": f"{z16.cpc.uri}/partitions"})

    answers = z16.session.post("/api/services/aggregation/submit", body={"requests": requests})

    assert [answer["status"] for answer in answers] == [200, 404, 200]
    assert [each["name"] for each in answers[2]["body"]["partitions"]] == ["one"]


@pytest.mark.parametrize(
    ("fields", "seen"),
    [
        ({"sees_own": False}, False),
        ({"sees_own": True}, True),
        ({"sees_own": False, "objects": ["cpc", "partition"]}, True),
        ({"sees_own": True, "objects": ["cpc"]}, True),
        ({"sees_own": False, "objects": ["cpc"]}, False),
    ],
)
def test_a_creator_may_not_see_what_it_made(z16: Lab, fields: dict[str, Any], seen: bool) -> None:
    z16.control.set_user(z16.hmc.userid, **fields)

    made = z16.partition("new")

    assert [each.name for each in z16.cpc.partitions.list()] == ["new"] * seen
    if not seen:
        with refused(404, 1):
            made.delete()
        with refused(400, 8, "taken"):
            z16.partition("new")


def test_users_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "users.yaml"
    path.write_text("labuser:\n  tasks: []\nreader:\n  password: of-a-test\n  objects: [cpc]\n")

    with HmcServer("z16", users_file=path) as hmc:
        lab = Lab(hmc)
        with refused(403, 1, "New Partition"):
            lab.partition()
        hmc.userid = "reader"
        reader = Lab(hmc)
        reader.__dict__["session"] = session(hmc, password="of-a-test")
        assert reader.cpc.adapters.list() == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "mapping of names"),
        ("reader: {tasks: []}", "user reader has no password"),
        ("labuser: {task: []}", "no field 'task': there are password, tasks"),
        ("labuser: {tasks: all}", "tasks is a list, not 'all'"),
        ("labuser: {disabled: maybe}", "disabled cannot be 'maybe'"),
        ("[", "users.yaml"),
    ],
)
def test_a_wrong_users_file_is_said_what_is_wrong_with(
    tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "users.yaml"
    path.write_text(text)

    with pytest.raises(ControlError, match=said):
        HmcServer("z16", users_file=path)
