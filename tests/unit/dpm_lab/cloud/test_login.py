"""``dpm-lab cloud ssh``: by which way it gets in, and what it says where there is none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from dpm_lab.cloud import wires
from dpm_lab.cloud.chain import guest, login
from dpm_lab.cloud.place import HOST, MACHINE, Place
from dpm_lab.errors import LabError
from dpm_lab.process import Answer

SERVERS = [
    {"id": "s1", "name": "first"},
    {"id": "s2", "name": "twin"},
    {"id": "s3", "name": "twin"},
]
PORTS = [
    {"id": f"p{n}", "network_id": n, "fixed_ips": addresses, "mac_address": "FA:16:3E:00:00:01"}
    for n, addresses in (("n1", [{"ip_address": "192.0.2.1"}]), ("n2", []))
]
PORTS.append(
    {**PORTS[0], "id": "p3", "network_id": "n3", "fixed_ips": [{"ip_address": "192.0.2.3"}]}
)


class Api:
    """In place of the cloud's APIs."""

    statuses: list[str]

    def __init__(self, place: Place) -> None:
        pass

    def get(self, service: str, path: str) -> Any:
        if path.startswith("/servers?"):
            return {"servers": SERVERS}
        if path.startswith("/ports"):
            return {"ports": [{**each, "status": "ACTIVE"} for each in PORTS]}
        network = path.rpartition("/")[2]
        return {"network": {"id": network, "name": f"network-{network}"}}

    def post(self, service: str, path: str, body: Any) -> Any:
        return {"output": "Welcome"}

    def send(self, method: str, service: str, path: str) -> Any:
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return {"server": {"status": status, "OS-EXT-STS:task_state": None}}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The programs that were run; one of a guest that answers at the second try."""
    found: list[list[str]] = []

    def ask(words: list[str]) -> Answer:
        found.append(words)
        return Answer(255 if len(found) < 2 else 0, "", "")

    for network in ("n2", "n3"):
        (tmp_path / f"qdhcp-{network}").touch()
    Api.statuses = ["ACTIVE"]
    monkeypatch.setattr(login, "Api", Api)
    monkeypatch.setattr(wires, "_NAMESPACES", tmp_path)
    monkeypatch.setattr(wires, "obstacle", lambda: "")
    monkeypatch.setattr(guest, "ask", ask)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setattr(os, "execvp", lambda name, words: found.append([name, *words]))
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a cloud whose servers boot."""
    return Place.make(tmp_path / "cloud", HOST, [MACHINE], {}, boot=True).folder


def _login(folder: Path, name: str = "first", network: str = "") -> None:
    login.login(folder, name, network, ["uname", "-m"])


def test_it_waits_for_the_server_and_its_ssh_and_becomes_ssh(
    run: list[list[str]], folder: Path
) -> None:
    """By the first port that has an address, and whose network's DHCP is here."""
    Api.statuses = ["BUILD", "ACTIVE"]

    _login(folder)

    assert len(run) == 3
    program, *words = run[-1]
    assert program == words[0] == "ip"
    assert words[:4] == ["ip", "netns", "exec", "qdhcp-n3"]
    assert words[-3:] == ["debian@192.0.2.3", "uname", "-m"]
    assert str(folder / "key") in words


@pytest.mark.parametrize(
    ("name", "network", "status", "said"),
    [
        ("second", "", "ACTIVE", "0 servers 'second'; 'openstack server list'"),
        ("twin", "", "ACTIVE", "2 servers 'twin'"),
        ("first", "", "SHUTOFF", "is SHUTOFF; 'openstack server start first'"),
        ("first", "", "ERROR", "server first: ERROR"),
        ("first", "network-n1", "ACTIVE", "no port on network network-n1; .*: network-n3$"),
    ],
)
def test_there_is_no_way_in(
    run: list[list[str]], folder: Path, name: str, network: str, status: str, said: str
) -> None:
    Api.statuses = [status]

    with pytest.raises(LabError, match=said):
        _login(folder, name, network)

    assert not run


@pytest.mark.usefixtures("run")
def test_a_server_that_ends_is_no_longer_waited_for(folder: Path) -> None:
    Api.statuses = ["ACTIVE", "ACTIVE", "SHUTOFF"]

    with pytest.raises(LabError, match="is SHUTOFF"):
        _login(folder)


def test_nobody_waits_where_servers_boot_nothing(run: list[list[str]], tmp_path: Path) -> None:
    place = Place.make(tmp_path / "other", HOST, [MACHINE], {})

    with pytest.raises(LabError, match="without 'up --boot'"):
        _login(place.folder)

    assert not run


def test_nobody_waits_where_there_is_no_network(
    run: list[list[str]], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wires, "obstacle", lambda: "only root can make network namespaces")

    with pytest.raises(LabError, match="only root"):
        _login(folder)

    assert not run
