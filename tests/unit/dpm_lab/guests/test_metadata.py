"""The metadata service, run as a boot runs it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dpm_lab.guests.qemu.instance import Instance
from dpm_lab.guests.qemu.metadata import Service, answers, serving
from dpm_lab.guests.qemu.nics import machine_nics, read_tuples

NICS = machine_nics(read_tuples("0001,1,0a0000000011;0004,0;"))

SECRET = "a-secret-of-the-guest"

INSTANCE = Instance(NICS, user_data=f"#!/bin/sh\n: {SECRET}\n", ssh_keys=["ssh-ed25519 AAAA me"])

_GET = """
import sys, urllib.error, urllib.request
try:
    print(urllib.request.urlopen("http://169.254.169.254" + sys.argv[1]).read().decode(), end="")
except urllib.error.HTTPError as error:
    print(error.code, end="")
"""

_CONNECT = """
import socket, sys
socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=30)
"""

_ECHO = """
import socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("ready", flush=True)
connection, _ = server.accept()
while data := connection.recv(4096):
    connection.sendall(data.upper())
"""

_SERVING = """
import sys
from dpm_lab.guests.qemu.instance import Instance
from dpm_lab.guests.qemu.metadata import serving
with serving(Instance(())) as service:
    print(service.inside([])[1].split("/")[2], flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(INSTANCE) as running:
        yield running


def inside(service: Service, script: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-c", script, *words]
    return subprocess.run(service.inside(command), check=False, capture_output=True, text=True)


def get(service: Service, path: str) -> str:
    return inside(service, _GET, path).stdout


def pid(service: Service) -> str:
    return service.inside([])[1].split("/")[2]


@pytest.mark.parametrize("version", ["latest", "2018-08-27"])
def test_it_answers_as_openstack_does(service: Service, version: str) -> None:
    assert version in get(service, "/openstack").split()
    top = f"/openstack/{version}"
    names = get(service, f"{top}/").split()

    assert json.loads(get(service, f"{top}/meta_data.json"))["uuid"] == INSTANCE.uuid
    assert get(service, f"{top}/user_data") == INSTANCE.user_data
    assert get(service, f"{top}/vendor_data2.json") == "{}"
    links = json.loads(get(service, f"{top}/network_data.json"))["links"]
    assert [link["ethernet_mac_address"] for link in links] == [
        "0a:00:00:00:00:11",
        "52:54:00:dd:00:04",
    ]
    assert {"meta_data.json", "network_data.json", "user_data", "vendor_data.json"} < set(names)


def test_without_user_data_their_path_is_not_found() -> None:
    with serving(Instance(NICS)) as running:
        assert get(running, "/openstack/latest/user_data") == "404"


def test_of_ec2s_paths_each_that_is_named_is_there(service: Service) -> None:
    names = get(service, "/latest/meta-data/").split()

    found = {name: get(service, f"/latest/meta-data/{name}") for name in names}
    assert found == {
        "hostname": INSTANCE.hostname,
        "instance-id": INSTANCE.uuid,
        "local-hostname": INSTANCE.hostname,
    }


def test_every_document_is_named_where_a_guest_looks_for_it() -> None:
    told = answers(INSTANCE)

    for path, text in told.items():
        if not path.endswith((".json", "_data")) and "meta-data/" not in path:
            assert all(f"{path}/{name}" in told for name in text.split()), path


def test_it_knows_whether_it_was_asked(service: Service) -> None:
    assert not service.asked

    get(service, "/openstack")

    assert service.asked
    assert service.asked


def test_nothing_of_the_builder_is_in_a_guests_reach(service: Service) -> None:
    with socket.create_server(("127.0.0.1", 0)) as builders:
        answer = inside(service, _CONNECT, "127.0.0.1", str(builders.getsockname()[1]))

    interfaces = inside(service, "import socket; print(socket.if_nameindex())").stdout
    assert "ConnectionRefusedError" in answer.stderr
    assert interfaces == "[(1, 'lo')]\n"
    assert "unreachable" in inside(service, _CONNECT, "192.0.2.1", "80").stderr


def test_it_listens_in_its_namespace_only(service: Service) -> None:
    # The kernel's table of sockets: address and port, 0A is "listens".
    entry = f"{int.from_bytes(socket.inet_aton('169.254.169.254'), sys.byteorder):08X}:0050"
    listening = [
        line.split()[1]
        for line in Path("/proc/net/tcp").read_text().splitlines()
        if line.split()[3] == "0A"
    ]

    assert entry not in listening
    assert entry in inside(service, "print(open('/proc/net/tcp').read())").stdout


def test_no_list_of_processes_shows_what_a_guest_is_told(service: Service) -> None:
    ours = Path("/proc", pid(service))

    assert b"metadata_server" in (ours / "cmdline").read_bytes()
    for path in (ours / "cmdline", ours / "environ"):
        assert SECRET.encode() not in path.read_bytes()


def test_it_ends_with_the_boot() -> None:
    with serving(INSTANCE) as running:
        process = Path("/proc", pid(running))
        assert process.exists()

    assert not process.exists()


def test_it_ends_with_a_boot_that_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _SERVING], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as boot:
        assert boot.stdout is not None
        process = Path("/proc", boot.stdout.readline().decode().strip())
        assert process.exists()

        boot.send_signal(signal.SIGKILL)
        boot.wait()

        for _ in range(600):
            if not process.exists():
                return
            time.sleep(0.1)
        pytest.fail("it still runs")


def test_a_port_of_this_machine_leads_to_the_same_port_inside() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with serving(INSTANCE, port) as running:
        command = running.inside([sys.executable, "-I", "-c", _ECHO, str(port)])
        with subprocess.Popen(command, stdout=subprocess.PIPE) as guest:
            assert guest.stdout is not None
            assert guest.stdout.readline() == b"ready\n"
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(b"ssh")
                client.shutdown(socket.SHUT_WR)
                assert client.makefile().read() == "SSH"


@pytest.mark.slow
def test_guests_that_keep_all_connections_open_do_not_end_it(service: Service) -> None:
    script = (
        "import socket\nopen_ = []\nfor _ in range(200):\n"
        "    open_.append(socket.create_connection(('169.254.169.254', 80)))\nprint(len(open_))"
    )

    assert inside(service, script).stdout == "200\n"
    for _ in range(600):  # it takes a moment to see that they are gone
        if answer := get(service, "/openstack"):
            break
        time.sleep(0.1)
    assert answer.split()[-1] == "latest"
