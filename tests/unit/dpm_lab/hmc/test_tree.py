"""The resources of the HMC, before anyone asks for them over HTTPS."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from dpm_lab.hmc import Machine
from dpm_lab.hmc.api.calls import Context
from dpm_lab.hmc.api.refusals import Refusal
from dpm_lab.hmc.api.tree import Tree
from dpm_lab.hmc.api.uris import dispatch


@pytest.fixture
def tree() -> Tree:
    return Tree([Machine.load("z16")])


def ask(tree: Tree, uri: str) -> Any:
    return dispatch(Context(tree), "GET", uri, None)


def test_a_resource_is_below_its_parent_which_lists_it(tree: Tree) -> None:
    (cpc,) = tree.cpcs()
    partition = tree.add("partition", cpc, {"name": "web"})

    nic = tree.add("nic", partition, {"name": "eth", "element-id": "7"})

    assert nic.uri == f"{partition.uri}/nics/7"
    assert (nic.properties["class"], nic.properties["parent"]) == ("nic", partition.uri)
    assert partition.properties["nic-uris"] == [nic.uri]
    assert (partition.of("nic"), partition.of("hba")) == ([nic], [])
    assert tree.machine(nic).name == "z16"


def test_two_resources_share_nothing_that_they_did_not_say(tree: Tree) -> None:
    (cpc,) = tree.cpcs()
    given = {"name": "a", "tags": ["x"]}
    first, second = (tree.add("partition", cpc, given) for _ in range(2))

    first.properties["tags"].append("y")
    first.properties["nic-uris"].append("z")

    assert given["tags"] == second.properties["tags"] == ["x"]
    assert second.properties["nic-uris"] == []


def test_what_is_taken_away_is_nowhere_any_more(tree: Tree) -> None:
    (cpc,) = tree.cpcs()
    (switch, *_) = cpc.of("virtual-switch")
    before = set(tree.resources)
    partition = tree.add("partition", cpc, {"name": "web"})
    nic = tree.add("nic", partition, {"name": "eth", "virtual-switch-uri": switch.uri})
    assert switch.properties["connected-vnic-uris"] == [nic.uri]

    tree.remove(partition)

    assert set(tree.resources) == before
    assert switch.properties["connected-vnic-uris"] == []
    assert cpc.of("partition") == []


def test_a_load_puts_back_what_the_machine_says(tree: Tree) -> None:
    (cpc,) = tree.cpcs()
    before = {uri: dict(each.properties) for uri, each in tree.resources.items()}
    tree.add("partition", cpc, {"name": "web"})
    cpc.properties["name"] = "other"

    tree.load()

    assert {uri: each.properties for uri, each in tree.resources.items()} == before


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["web-1", "web-10", "db"]),
        ("?name=web-1", ["web-1"]),
        ("?name=web-1|d", ["web-1"]),
        ("?name=db&name=web-1", ["web-1", "db"]),
        ("?name=web.*&status=active", ["web-10"]),
        ("?name=web%2D1", ["web-1"]),
        ("?status=none", []),
    ],
)
def test_a_list_has_what_its_query_asks_for(tree: Tree, query: str, names: list[str]) -> None:
    (cpc,) = tree.cpcs()
    for name, status in (("web-1", "stopped"), ("web-10", "active"), ("db", "stopped")):
        tree.add("partition", cpc, {"name": name, "status": status})

    found = ask(tree, f"{cpc.uri}/partitions{query}")["partitions"]

    assert [each["name"] for each in found] == names


@pytest.mark.parametrize(
    ("query", "sizes"), [("minimum-size=10", [10.0, 20.5]), ("maximum-size=10", [2.0, 10.0])]
)
def test_volumes_are_listed_by_size(tree: Tree, query: str, sizes: list[float]) -> None:
    group = tree.add("storage-group", tree.console, {"name": "disks"})
    for size in (2.0, 10.0, 20.5):
        tree.add("storage-volume", group, {"name": f"{size}", "size": size})

    found = ask(tree, f"{group.uri}/storage-volumes?{query}")["storage-volumes"]

    assert [each["size"] for each in found] == sizes


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("/api/cpcs?colour=red", (400, 1)),
        ("/api/cpcs?name", (400, 1)),
        ("/api/cpcs/CPC?properties=name,colour", (400, 14)),
        ("/api/cpcs/none/partitions", (404, 1)),
        ("/api/nothing", (404, 1)),
    ],
)
def test_what_nobody_can_be_told_is_refused(tree: Tree, uri: str, reason: tuple[int, int]) -> None:
    uri = uri.replace("CPC", tree.cpcs()[0].id)

    with pytest.raises(Refusal) as caught:
        ask(tree, uri)

    assert (caught.value.status, caught.value.reason) == reason


def test_passwords_and_what_only_the_lab_knows_are_not_shown(tree: Tree) -> None:
    (cpc,) = tree.cpcs()
    secret = {"boot-ftp-password": "x", "ssc-master-pw": "x", "lab-target": "x"}
    partition = tree.add("partition", cpc, {"name": "web", "status": "stopped", **secret})

    more = f"{cpc.uri}/partitions?additional-properties=ssc-master-pw,boot-ftp-password"

    assert secret.keys().isdisjoint(ask(tree, partition.uri))
    assert ask(tree, f"{partition.uri}?properties=name,ssc-master-pw") == {"name": "web"}
    assert secret.keys().isdisjoint(ask(tree, more)["partitions"][0])


SSC = {"ssc-host-name": "host", "ssc-master-userid": "user", "ssc-master-pw": "secret"}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, None),
        ({"partition-id": "05"}, (400, 6)),
        ({"autogenerate-partition-id": False}, (400, 5)),
        ({"autogenerate-partition-id": False, "partition-id": "05"}, None),
        ({"boot-device": "ftp"}, (400, 5)),
        ({"boot-device": "removable-media"}, (400, 5)),
        ({"boot-removable-media": "dvd"}, (400, 6)),
        ({"type": "ssc"}, (400, 5)),
        ({"type": "ssc", **SSC}, None),
        (SSC, (400, 6)),
        ({"ifl-processors": 0}, (400, 1)),
    ],
)
def test_fields_of_a_partition_that_belong_together_come_together(
    tree: Tree, given: dict[str, Any], reason: tuple[int, int] | None
) -> None:
    memory = {"initial-memory": 1024, "maximum-memory": 4096}
    body = {"name": "web", "ifl-processors": 1, **memory, **given}
    refusal = None

    try:
        made = dispatch(Context(tree), "POST", f"{tree.machines[0].uri}/partitions", body)
    except Refusal as error:
        refusal = (error.status, error.reason)
    else:
        shown = ask(tree, made["object-uri"])
        assert shown["reserved-memory"] == 3072
        assert shown["short-name"] == f"DPM{shown['partition-id']:0>5}"

    assert refusal == reason


def test_the_lab_needs_nothing_of_its_client() -> None:
    script = "import dpm_lab.hmc, sys; print('zhmcclient' in sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout == "False\n"
