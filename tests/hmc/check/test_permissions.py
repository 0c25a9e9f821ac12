"""What nova-dpm-check says of the permissions of the HMC's user."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from typing import Any

import pytest
import zhmcclient

from dpm_hmc.finding import FAILED, OK, SKIPPED, WARNING, Finding
from dpm_hmc.permissions import CONSOLE, MESSAGES, STORAGE_TASKS, TASKS
from dpm_lab.hmc import Fault
from nova_dpm.check.command import main
from tests.hmc.check.conftest import Bench, row_of

NEEDED = {*TASKS, *STORAGE_TASKS}
ALL = {*NEEDED, MESSAGES}
THIS_USER, ROLE, TASK_LIST = "/api/users/this-user", "/api/user-roles/", "/api/console/tasks"
OTHERS, LOG, SERIAL = "other permissions", "console log", "serial console"
CLASSES = ("class partition", "class storage-group")


def is_z13(bench: Bench) -> bool:
    return bool(bench.hmc.machines[0].cpc["name"] == "Z13")


def needed(bench: Bench) -> list[str]:
    """The permissions of the machine's driver in the order of the operators' page."""
    tasks, classes = [*TASKS, *STORAGE_TASKS], list(CLASSES)
    if is_z13(bench):
        tasks, classes = list(TASKS), ["class partition"]
    return [*(f"task {task}" for task in tasks), *classes]


def results(rows: list[Finding]) -> dict[str, str]:
    return {
        row.check: row.result
        for row in rows
        if row.check.startswith(("task ", "class ")) or row.check == OTHERS
    }


def permit(bench: Bench, **fields: Any) -> None:
    bench.hmc.control.set_user(bench.hmc.userid, **fields)


def logged_on(bench: Bench, userid: str, password: str) -> Any:
    """A session of somebody else than nova-dpm-check."""
    hmc = bench.hmc
    return zhmcclient.Session(
        hmc.host, userid, password, port=hmc.port, verify_cert=str(hmc.ca_file)
    )


def test_each_permission_is_a_row_in_the_order_of_the_page(bench: Bench) -> None:
    code, rows = bench.check()

    assert code == 0
    assert list(results(rows).items()) == [(each, OK) for each in needed(bench)]
    assert row_of(rows, "task New Partition").detail == "given by role labuser-role"


@pytest.mark.parametrize("names", ["short", "titles"])
@pytest.mark.parametrize("task", sorted(NEEDED))
def test_a_task_that_is_missing_is_told_with_the_command_that_adds_it(
    bench: Bench, task: str, names: str
) -> None:
    if f"task {task}" not in needed(bench):
        pytest.skip("a z13 has no storage groups")
    bench.hmc.control.set_behaviour(task_names=names)
    permit(bench, tasks=sorted(ALL - {task}))

    code, rows = bench.check()

    assert code == 1
    said = results(rows)
    assert [check for check, result in said.items() if result != OK] == [f"task {task}"]
    row = row_of(rows, f"task {task}")
    assert row.result == FAILED
    assert "none of the user's roles gives it: labuser-role" in row.detail
    assert row.cure == "Give it to a role of the user on the HMC"
    assert row.command.startswith("zhmc http post /api/user-roles/")


def test_the_commands_of_the_rows_add_what_is_missing(bench: Bench) -> None:
    permit(bench, tasks=["Partition Details (view-only)"], objects=["cpc", "adapter"])
    bench.hmc.control.set_user("admin", password="of-a-test")
    admin = logged_on(bench, userid="admin", password="of-a-test")
    _, rows = bench.check()
    commands = [row.command for row in rows if row.check in needed(bench)]

    for command in commands:
        *zhmc, uri, body = shlex.split(command)
        assert zhmc == ["zhmc", "http", "post"]
        admin.post(uri, body=json.loads(body))

    admin.logoff()
    assert len(commands) == len(needed(bench))
    _, rows = bench.check()
    assert results(rows) == dict.fromkeys(needed(bench), OK)


def test_a_task_for_viewing_only_is_missing(bench: Bench) -> None:
    permit(bench, tasks=sorted(ALL - {"Partition Details"} | {"Partition Details (view-only)"}))

    row = bench.failed()

    assert row.check == "task Partition Details"
    assert row.detail == "given by role labuser-role for viewing only"


@pytest.mark.parametrize("mode", ["", " (view-only)"])
def test_the_task_of_the_console_log_may_be_for_viewing_only(bench: Bench, mode: str) -> None:
    permit(bench, tasks=sorted({*NEEDED, f"{MESSAGES}{mode}"}))

    code, rows = bench.check()

    assert code == 0
    assert [row.result for row in rows if row.check == LOG] == ([] if is_z13(bench) else [OK])


def test_a_console_log_that_nobody_may_read_is_a_warning_and_its_command_mends_it(
    bench: Bench,
) -> None:
    if is_z13(bench):
        pytest.skip("a z13 lists no messages")
    permit(bench, tasks=sorted(NEEDED))
    bench.hmc.control.set_user("admin", password="of-a-test")

    code, rows = bench.check()
    row = row_of(rows, LOG)

    assert (code, row.result) == (0, WARNING)
    assert MESSAGES in row.detail
    *_, uri, body = shlex.split(row.command)
    assert json.loads(body)["view-only-mode"] is True
    admin = logged_on(bench, userid="admin", password="of-a-test")
    admin.post(uri, body=json.loads(body))
    admin.logoff()
    assert row_of(bench.check()[1], LOG).result == OK


def test_serial_consoles_that_nobody_may_open_are_a_warning_and_its_command_mends_it(
    bench: Bench,
) -> None:
    if is_z13(bench):
        pytest.skip("the HMC of a z13 has none")
    permit(bench, tasks=sorted(ALL))
    bench.hmc.control.set_user("admin", password="of-a-test")

    code, rows = bench.check(serial_console=True)
    row = row_of(rows, SERIAL)

    assert (code, row.result) == (0, WARNING)
    assert CONSOLE in row.detail
    *_, uri, body = shlex.split(row.command)
    admin = logged_on(bench, userid="admin", password="of-a-test")
    admin.post(uri, body=json.loads(body))
    admin.logoff()
    row = row_of(bench.check(serial_console=True)[1], SERIAL)
    assert (row.result, row.detail) == (OK, "given by role labuser-role")


def test_serial_consoles_are_off_unless_nova_gives_them(bench: Bench) -> None:
    permit(bench, tasks=sorted(ALL))

    row = row_of(bench.check()[1], SERIAL)

    assert (row.result, row.command) == (OK, "")
    if is_z13(bench):
        assert row.detail == "this HMC has none (API 2.22 has)"
    else:
        assert row.detail.startswith("off ([serial_console] enabled); none of the user's roles")


def test_a_class_that_no_role_has_is_doubtful(bench: Bench) -> None:
    permit(bench, objects=["cpc", "adapter", "virtual-switch"])

    code, rows = bench.check()

    assert code == 0
    doubtful = [check for check, result in results(rows).items() if result == WARNING]
    assert doubtful == [each for each in needed(bench) if each in CLASSES]
    assert "/operations/add-permission " in row_of(rows, "class partition").command


@pytest.mark.parametrize(("inherits", "result"), [(True, OK), (False, WARNING)])
def test_partitions_of_a_cpc_are_inherited(bench: Bench, inherits: bool, result: str) -> None:
    name = bench.hmc.machines[0].cpc["name"]
    objects = [name, "adapter", "virtual-switch"]
    permit(bench, objects=objects, inherits=inherits)

    _, rows = bench.check()

    assert row_of(rows, "class partition").result == result
    assert results(rows).get("class storage-group", WARNING) == WARNING


def test_a_user_that_the_hmc_knows_by_its_name_only_is_found(bench: Bench) -> None:
    bench.hmc.control.set_behaviour(own_user="by-list")

    _, rows = bench.check()

    assert set(results(rows).values()) == {OK}


@pytest.mark.parametrize(
    ("behaviour", "what"),
    [("hidden", "the user that is logged on"), ("without-roles", "a role of the user")],
)
def test_what_the_user_may_not_read_is_one_row(bench: Bench, behaviour: str, what: str) -> None:
    bench.hmc.control.set_behaviour(own_user=behaviour)

    code, rows = bench.check()

    assert code == 0
    assert results(rows) == {OTHERS: SKIPPED}
    row = row_of(rows, OTHERS)
    assert f"{what} cannot be read: the HMC answered 404,1" in row.detail
    assert all(each in row.detail for each in needed(bench))


def test_a_command_to_paste_is_one_line(
    bench: Bench, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    permit(bench, tasks=sorted(ALL - {"Start Partition"}))

    main(["--config-file", str(bench.write())])

    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    (command,) = [line for line in lines if line.startswith("zhmc ")]
    assert json.loads(shlex.split(command)[4])["view-only-mode"] is False


def test_few_requests_are_made_and_none_that_changes_anything(bench: Bench) -> None:
    bench.hmc.control.reset_log()

    bench.check()

    asked = [(each.method, each.uri) for each in bench.hmc.control.requests()]
    ours = [each for each in asked if each[1].startswith((THIS_USER, ROLE, TASK_LIST))]
    assert len(ours) == 3
    assert {method for method, _ in ours} == {"GET"}


# The user lacks "Start Partition" in all of these. Which answer, and what becomes of it.
def _set(name: str, value: Any) -> Callable[[Any], Any]:
    return lambda answer: {**answer, name: value}


def _each(name: str, change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda answer: {**answer, name: [change(each) for each in answer[name]]}


def _without(name: str) -> Callable[[Any], Any]:
    return lambda answer: {key: value for key, value in answer.items() if key != name}


Damage = tuple[str, Callable[[Any], Any]]


def _all(uri: str, name: str, values: list[Any]) -> list[Damage]:
    return [(uri, _set(name, value)) for value in values]


def _in_all(uri: str, list_name: str, name: str, values: list[Any]) -> list[Damage]:
    return [(uri, _each(list_name, _set(name, value))) for value in values]


def _whole(uri: str) -> list[Damage]:
    return [(uri, lambda _: None), (uri, lambda _: []), (uri, lambda _: 7), (uri, lambda _: {})]


DAMAGES: list[Damage] = [
    *(each for uri in (THIS_USER, ROLE, TASK_LIST) for each in _whole(uri)),
    *_all(THIS_USER, "user-roles", [None, [], {}, "/api", [1], [None], ["/api/cpcs"]]),
    *_all(THIS_USER, "user-roles", [["//elsewhere/api/user-roles/1"], ["/api/user-roles/1"] * 999]),
    *_all(ROLE, "permissions", [None, {}, 1, [None], ["x"], [{}], []]),
    *_all(ROLE, "name", [None, 1, {"a": 1}, "\x1b[2J\n"]),
    *_all(ROLE, "type", [None, 1, "system-defined"]),
    *_all(ROLE, "is-inheritance-enabled", ["true", None, []]),
    *_in_all(ROLE, "permissions", "view-only-mode", ["no", None, 0, {}]),
    *_in_all(ROLE, "permissions", "permitted-object", [None, 3, [], ""]),
    *_in_all(ROLE, "permissions", "permitted-object-type", [None, "else", "view", ["object"]]),
    (ROLE, _each("permissions", _without("permitted-object"))),
    (ROLE, _each("permissions", _without("view-only-mode"))),
    *_all(TASK_LIST, "tasks", [None, {}, [None], ["x"], [[]], [{}], []]),
    *_in_all(TASK_LIST, "tasks", "name", [None, 1, "x", []]),
    *_in_all(TASK_LIST, "tasks", "element-uri", [None, 1, "x", []]),
    (TASK_LIST, _each("tasks", _without("element-uri"))),
]


ONE_MACHINE = pytest.mark.parametrize("machine", ["z16"], indirect=True)


def change_answers(
    monkeypatch: pytest.MonkeyPatch, start: str, change: Callable[[Any], Any]
) -> None:
    """Have each answer to a GET whose URI begins so changed on its way."""
    get = zhmcclient.Session.get

    def other(session: zhmcclient.Session, asked: str, **options: Any) -> Any:
        answer = get(session, asked, **options)
        return change(answer) if asked.startswith(start) else answer

    monkeypatch.setattr(zhmcclient.Session, "get", other)


@ONE_MACHINE
@pytest.mark.parametrize("at", range(len(DAMAGES)))
def test_a_damaged_answer_is_no_traceback_and_grants_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    damaged, change = DAMAGES[at]
    permit(bench, tasks=sorted(ALL - {"Start Partition"}))
    change_answers(monkeypatch, damaged, change)

    _, rows = bench.check()

    assert row_of(rows, "partitions").result == OK
    assert results(rows).get("task Start Partition", FAILED) == FAILED


@ONE_MACHINE
@pytest.mark.parametrize("uri", [THIS_USER, f"{ROLE}.*", TASK_LIST])
@pytest.mark.parametrize(
    "fault",
    [
        {"status": 403, "reason": 1},
        {"status": 404, "reason": 1},
        {"status": 400, "reason": 14},
        {"status": 409, "reason": 1},
        {"status": 500, "reason": 0},
        {"kind": "drop-before"},
        {"kind": "drop-after"},
        {"kind": "expire-session"},
    ],
    ids=lambda fault: str(fault.get("kind", fault.get("status"))),
)
def test_a_request_that_fails_is_no_traceback_and_grants_nothing(
    bench: Bench, uri: str, fault: dict[str, Any]
) -> None:
    permit(bench, tasks=sorted(ALL - {"Start Partition"}))
    bench.hmc.control.add_fault(Fault(method="GET", uri=uri, times=None, **fault))

    _, rows = bench.check()

    assert row_of(rows, "partitions").result == OK
    said = results(rows)
    if (fault.get("status"), uri) in {(400, THIS_USER), (404, THIS_USER)}:
        assert said["task New Partition"] == OK  # found by its name
        return
    assert said[OTHERS] == SKIPPED
    assert "task New Partition" not in said
    assert [check for check, result in said.items() if result != SKIPPED] == (
        [each for each in needed(bench) if each in CLASSES] if uri == TASK_LIST else []
    )


def test_of_two_roles_one_that_cannot_be_read_leaves_open_what_the_other_lacks(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    permit(bench, tasks=sorted(ALL - {"Start Partition"}))

    def with_another_role(user: Any) -> Any:
        return {**user, "user-roles": [*user["user-roles"], "/api/user-roles/of-others"]}

    change_answers(monkeypatch, THIS_USER, with_another_role)

    code, rows = bench.check()

    assert code == 0
    assert results(rows) == {
        **{each: OK for each in needed(bench) if each != "task Start Partition"},
        OTHERS: SKIPPED,
    }
    assert row_of(rows, OTHERS).detail.startswith("task Start Partition: ")


def test_a_permission_of_an_unknown_kind_leaves_open_what_the_others_lack(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    permit(bench, tasks=sorted(ALL - {"Start Partition"}))

    def with_an_unknown_kind(role: Any) -> Any:
        known = role["permissions"]
        return {**role, "permissions": [*known, {**known[0], "permitted-object-type": "x"}]}

    change_answers(monkeypatch, ROLE, with_an_unknown_kind)

    code, rows = bench.check()

    assert code == 0
    assert row_of(rows, OTHERS).detail.startswith("task Start Partition: ")
    assert row_of(rows, "task New Partition").result == OK


def test_a_connection_report_that_is_refused_shows_that_both_storage_tasks_are_missing(
    bench: Bench,
) -> None:
    if bench.hmc.machines[0].cpc["name"] == "Z13":
        pytest.skip("a z13 has no storage groups")
    session = logged_on(bench, userid=bench.hmc.userid, password=bench.hmc.password)
    body = {
        "cpc-uri": bench.cpc_uri,
        "name": "OpenStack-lab-00000000-0000-0000-0000-000000000001",
        "type": "fcp",
        "shared": False,
    }
    session.post("/api/storage-groups", body=body)
    session.logoff()
    bench.hmc.control.set_behaviour(own_user="hidden")

    _, rows = bench.check()
    assert set(results(rows)) == {OTHERS}

    permit(bench, tasks=sorted(TASKS))
    _, rows = bench.check()
    assert {check for check, result in results(rows).items() if result == FAILED} == {
        f"task {task}" for task in STORAGE_TASKS
    }


def test_an_adapter_behind_a_switch_that_is_not_shown_is_a_warning(bench: Bench) -> None:
    if bench.hmc.machines[0].cpc["name"] == "Z17":
        pytest.skip("a z17 has no virtual switches")
    permit(bench, objects=["cpc", "virtual-switch", "partition", "storage-group", "FCP-A", "FCP-B"])

    code, rows = bench.check()

    assert code == 0
    row = row_of(rows, "network 1")
    assert row.result == WARNING
    assert "which is not shown to this user" in row.detail
    assert "a NIC needs it" in row.cure
