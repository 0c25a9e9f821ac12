"""The command zhmc of zhmccli, as it comes from PyPI, against the lab's HMC."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zhmcclient

from dpm_lab.hmc import HmcServer
from dpm_lab.hmc.command import DEFAULT_HMC_PORT
from dpm_lab.hmc.errors import StartError
from tests import brisk
from tests.hmc.lab.client import until

Zhmc = Callable[..., str]


@pytest.fixture(scope="module")
def hmc() -> Iterator[HmcServer]:
    """An HMC at the port that zhmc insists on, at an address where nobody else has it."""
    for last in range(1, 255):
        server = HmcServer(
            "z16",
            host=f"127.6.79.{last}",
            port=DEFAULT_HMC_PORT,
            stomp_port=zhmcclient.DEFAULT_STOMP_PORT,
            behaviour=brisk.LATE,
        )
        try:
            server.start()
        except StartError:
            continue
        # zhmc asks about a job and then sleeps 10 s.
        server.control.set_duration("start", 0)
        server.control.set_duration("stop", 0)
        yield server
        server.close()
        return


def _environment(hmc: HmcServer) -> dict[str, str]:
    return {
        **os.environ,
        "ZHMC_HOST": hmc.host,
        "ZHMC_USERID": hmc.userid,
        "ZHMC_PASSWORD": hmc.password,
        "ZHMC_CA_CERTS": str(hmc.ca_file),
        "PYTHONUNBUFFERED": "1",
    }


@pytest.fixture
def zhmc(hmc: HmcServer) -> Zhmc:
    environment = _environment(hmc)

    def run(*words: str) -> str:
        command = [str(Path(sys.executable).with_name("zhmc")), "-o", "json", *words]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def partitions(zhmc: Zhmc) -> list[dict[str, Any]]:
    return list(json.loads(zhmc("partition", "list", "Z16")))


def test_zhmc_makes_starts_stops_and_deletes_a_partition(zhmc: Zhmc, hmc: HmcServer) -> None:
    zhmc("partition", "create", "Z16", "--name", "web", "--ifl-processors", "2")
    assert [(item["name"], item["status"]) for item in partitions(zhmc)] == [("web", "stopped")]

    zhmc("partition", "start", "Z16", "web")
    assert [item["status"] for item in partitions(zhmc)] == ["active"]

    zhmc("partition", "stop", "Z16", "web")
    zhmc("partition", "delete", "Z16", "web", "--yes")
    assert hmc.control.inventory()["partitions"] == {}


def test_zhmc_makes_nics_and_storage_groups(zhmc: Zhmc, hmc: HmcServer) -> None:
    hmc.control.add_partitions(1, "web")

    zhmc("nic", "create", "Z16", "web", "--name", "eth", "--adapter", "OSA-A", "--port", "1")
    zhmc("storagegroup", "create", "--name", "disks", "--cpc", "Z16", "--type", "fcp")
    zhmc("storagevolume", "create", "disks", "--name", "root", "--size", "10", "--usage", "boot")
    zhmc("partition", "attach-storagegroup", "Z16", "web", "--storagegroup", "disks")

    inventory = hmc.control.inventory()
    assert [nic["name"] for nic in inventory["partitions"]["web"]["nics"]] == ["eth"]
    assert [item["name"] for item in inventory["storage-groups"]["disks"]["storage-volumes"]] == [
        "root"
    ]
    assert len(inventory["partitions"]["web"]["storage-group-uris"]) == 1


def test_a_role_is_shown_and_given_permissions(hmc: HmcServer, zhmc: Zhmc) -> None:
    hmc.control.set_user("nova", password="of-a-test", tasks=["New Partition"], objects=["cpc"])
    tasks = json.loads(zhmc("http", "get", "/api/console/tasks", "--unpack"))
    uris = {each["name"]: each["element-uri"] for each in tasks}
    listed = json.loads(zhmc("http", "get", "/api/console/user-roles?name=nova-role", "--unpack"))

    zhmc("userrole", "add-permission", "nova-role", "--class", "partition")
    task = {
        "permitted-object": uris["start-partition"],
        "permitted-object-type": "object",
        "view-only-mode": False,
    }
    zhmc("http", "post", f"{listed[0]['object-uri']}/operations/add-permission", json.dumps(task))

    shown = json.loads(zhmc("userrole", "show", "nova-role"))
    assert shown["permissions"] == [
        "task 'new-partition'",
        "task 'start-partition'",
        "class cpc",
        "class partition",
    ]


def test_somebody_is_at_the_line_mode_console(hmc: HmcServer, zhmc: Zhmc) -> None:
    """Messages come by notifications, what is typed goes by Send OS Command."""
    zhmc("partition", "create", "Z16", "--name", "talks", "--ifl-processors", "1")
    zhmc("partition", "start", "Z16", "talks")
    (partition,) = [each for each in hmc.service.tree.resources.values() if each.name == "talks"]
    with subprocess.Popen(
        [str(Path(sys.executable).with_name("zhmc")), "partition", "console", "Z16", "talks"],
        env=_environment(hmc),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as zhmc_console:
        assert zhmc_console.stdin is not None
        assert zhmc_console.stdout is not None
        until(lambda: any(partition.id in topic for topic in hmc.service.broker.topics))
        hmc.control.add_os_message(partition.uri, "Linux says hello")
        zhmc_console.stdin.write(b"uname -a\n")
        zhmc_console.stdin.flush()
        said = b""
        while not (b"Linux says hello\n" in said and b"uname -a\n" in said):
            data = os.read(zhmc_console.stdout.fileno(), 4096)
            assert data, said
            said += data
        zhmc_console.stdin.write(b":exit\n")
        zhmc_console.stdin.flush()
        rest = zhmc_console.stdout.read()
    # That its own hanging up is a lost connection to it: zhmcclient 1.26, ``_notification.py``,
    # `notifications`, which looks at the connection before it looks whether it was closed.
    assert b"Traceback" not in rest


@pytest.mark.slow
def test_the_commands_of_the_operators_page_make_a_user_that_lacks_nothing(
    hmc: HmcServer, tmp_path: Path
) -> None:
    """Those of the page, and then those that nova-dpm-check says of what is missing."""
    install = Path(__file__).parents[3] / "doc/source/operators/install.rst"
    page = install.read_text(encoding="utf-8")
    part = page[page.index("   zhmc userrole create") :]
    commands = part[: part.index("\n\n``zhmc userrole")]
    commands = commands.replace("CPC1", "Z16").replace("--password ...", "--password of-a-test")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "ZHMC_HOST": hmc.host,
        "ZHMC_USERID": hmc.userid,
        "ZHMC_PASSWORD": hmc.password,
        "ZHMC_CA_CERTS": str(hmc.ca_file),
    }

    def shell(script: str, *, good: tuple[int, ...] = (0,)) -> str:
        done = subprocess.run(
            ["bash", "-e", "-c", script],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode in good, done.stdout + done.stderr
        return done.stdout

    shell(commands)
    (cpc,) = hmc.service.tree.cpcs()
    (fcp,) = [each.id for each in cpc.of("adapter") if each.name == "FCP-A"]
    (tmp_path / "nova.conf").write_text(
        f"""[DEFAULT]
compute_driver = dpm.DPMDriver
host = lab
[dpm]
hmc = {hmc.host}
hmc_username = nova-dpm
hmc_password = of-a-test
hmc_ca_file = {hmc.ca_file}
cpc_object_id = {hmc.machines[0].cpc_object_id}
max_processors = 8
max_memory = 65536
physical_storage_adapter_mappings = {fcp}:0
"""
    )
    check = f"nova-dpm-check --json --config-file {tmp_path / 'nova.conf'}"

    rows = json.loads(shell(check, good=(1,)))
    missing = [row for row in rows if row["result"] != "ok"]
    *tasks, log = (row["check"] for row in missing)
    assert len(tasks) == 7
    assert all(each.startswith("task ") for each in tasks)
    assert log == "console log"
    shell("\n".join(row["command"] for row in missing))

    assert {row["result"] for row in json.loads(shell(check))} == {"ok"}
