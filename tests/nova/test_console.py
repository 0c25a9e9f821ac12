"""The consoles, as a user of Nova has them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import nova.conf
import pytest
from nova import objects
from nova.context import get_admin_context

from dpm_lab.hmc import Fault
from tests.nova.machine import on

if TYPE_CHECKING:
    from tests.nova.cloud import Cloud


@pytest.fixture
def serial_consoles() -> Iterator[None]:
    """Have Nova give serial consoles."""
    nova.conf.CONF.set_override("enabled", True, group="serial_console")
    yield
    nova.conf.CONF.clear_override("enabled", group="serial_console")


def _log(cloud: Cloud, server: dict[str, Any], length: int | None = None) -> str:
    asked = {} if length is None else {"length": length}
    answer = cloud.api.post_server_action(server["id"], {"os-getConsoleOutput": asked})
    return str(answer["output"])


@on("z16")
def test_a_user_reads_what_the_guest_has_said(cloud: Cloud) -> None:
    server = cloud.boot([cloud.port()])
    for text in ("Linux version 6.1\n", "\x1b[1mlogin\x1b[0m", "caf\xe9: "):
        cloud.control.add_os_message(cloud.partition(server)["object-uri"], text)

    # Nova removes control characters.
    assert _log(cloud, server) == "Linux version 6.1\n[1mlogin[0m\ncaf?: \n"
    assert _log(cloud, server, 2) == "caf?: \n"


@on("z16")
def test_a_user_is_told_that_there_is_none_and_the_server_stays_what_it_is(cloud: Cloud) -> None:
    server = cloud.boot([cloud.port()])
    refusal = Fault("GET", ".*/list-os-messages", status=403, reason=1, times=None)
    cloud.control.add_fault(refusal)

    body: dict[str, Any] = {"os-getConsoleOutput": {}}
    path = f"/servers/{server['id']}/action"
    answer = cloud.api.api_post(path, body, check_response_status=[404])

    said = answer.body["itemNotFound"]["message"]
    assert said.startswith("There is no console log: the HMC has not done what it was asked for")
    assert cloud.show(server)["status"] == "ACTIVE"
    assert "Operating System Messages" in cloud.log


@on("z16")
def test_the_serial_console_is_where_nova_validates_that_it_is(
    cloud: Cloud, serial_consoles: None
) -> None:
    """As nova-serialproxy does: it asks whether the port is still the server's, and connects."""
    server, other = cloud.boot([cloud.port()]), cloud.boot([cloud.port()])

    url = _console_url(cloud, server)

    base, _, token = url.partition("?token=")
    assert base == nova.conf.CONF.serial_console.base_url
    context = get_admin_context()
    found = objects.ConsoleAuthToken.validate(context, token)
    manager = cloud.compute.manager
    for each, is_valid in ((server, True), (other, False)):
        instance = objects.Instance.get_by_uuid(context, each["id"])
        assert is_valid is manager.validate_console_port(
            context, instance, str(found.port), "serial"
        )
    with socket.create_connection((found.host, found.port), 60) as connection:
        said = b""
        while b"login: " not in said:
            said += connection.recv(4096)
        connection.sendall(b"root\r")
        while b"you typed: root" not in said:
            said += connection.recv(4096)
        cloud.api.delete_server(server["id"])
        while connection.recv(4096):
            pass
    cloud.until_gone(server)


@on("z16")
def test_there_is_no_serial_console_unless_it_is_enabled(cloud: Cloud) -> None:
    server = cloud.boot([cloud.port()])
    body = {"remote_console": {"protocol": "serial", "type": "serial"}}

    answer = cloud.api.api_post(
        f"/servers/{server['id']}/remote-consoles", body, check_response_status=[400]
    )

    assert "Unavailable console type serial" in answer.body["badRequest"]["message"]


def _console_url(cloud: Cloud, server: dict[str, Any]) -> str:
    body = {"remote_console": {"protocol": "serial", "type": "serial"}}
    answer = cloud.api.api_post(f"/servers/{server['id']}/remote-consoles", body)
    return str(answer.body["remote_console"]["url"])
