"""The integrated ASCII console: the ticket, and the websocket behind it."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import websocket
import zhmcclient

from dpm_lab.hmc import HmcServer
from tests.hmc.lab.client import Lab, refused, until

TASK = "Integrated ASCII Console"


@contextmanager
def at_console(lab: Lab, uri: str) -> Iterator[Any]:
    """Be at the console that a URI is the ticket of."""
    found = websocket.create_connection(
        f"wss://{lab.hmc.host}:{lab.hmc.port}{uri}",
        timeout=60,
        sslopt={"context": ssl.create_default_context(cafile=str(lab.hmc.ca_file))},
    )
    try:
        yield found
    finally:
        found.close()


def until_said(console: Any, *texts: str) -> str:
    """What a console says until it has said one of some texts."""
    said = ""
    while not any(each in said for each in texts):
        data = console.recv()
        assert isinstance(data, str)
        assert data, said
        said += data
    return said


def is_free(lab: Lab) -> bool:
    assert isinstance(lab.hmc, HmcServer)
    return not lab.hmc.service.tree.ascii_consoles.open


def started(lab: Lab, name: str = "web") -> Any:
    partition = lab.partition(name)
    lab.start(partition)
    return partition


def test_text_goes_both_ways(z16: Lab) -> None:
    partition = started(z16)

    with at_console(z16, partition.create_os_websocket()) as console:
        assert until_said(console, "login: ") == "\r\nweb login: "
        console.send("root\n")

        assert "you typed: root\r\nweb login: " in until_said(console, "web login: ")


def test_zhmcclients_own_console_works(z16: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    # It knows one port (zhmcclient 1.26, ``_os_console.py``), and a file of certificates it takes
    # for a folder.
    monkeypatch.setattr("zhmcclient._os_console.DEFAULT_HMC_PORT", z16.hmc.port)
    partition = started(z16)
    monkeypatch.setattr(z16.session, "_verify_cert", False)
    console = zhmcclient.OSConsole(partition, ws_timeout=60)

    console.connect()

    assert console.recv_line() == "\n"
    console.disconnect()


def test_a_ticket_is_good_once_and_is_in_no_log(z16: Lab) -> None:
    partition = started(z16)
    uri = partition.create_os_websocket()
    with at_console(z16, uri) as console:
        until_said(console, "login: ")
    until(lambda: is_free(z16))

    for ticket in (uri, uri[:-1] + "2", "/api/websock/none/1"):
        with (
            pytest.raises(websocket.WebSocketBadStatusException, match="404"),
            at_console(z16, ticket),
        ):
            pass

    token = uri.split("/")[3]
    assert not any(token in request.line() for request in z16.control.requests())
    assert "GET /api/websock/..." in z16.control.counts()


def test_there_is_one_console_at_a_time(z16: Lab) -> None:
    partition, other = started(z16), started(z16, "db")
    spare = other.create_os_websocket()
    with at_console(z16, partition.create_os_websocket()) as console:
        until_said(console, "login: ")

        for each in (partition, other):
            with refused(409, 334, "is open"):
                each.create_os_websocket(force_takeover=True)
        with pytest.raises(websocket.WebSocketBadStatusException), at_console(z16, spare):
            pass
        z16.control.set_behaviour(ascii_consoles="one-per-partition")
        with refused(409, 334):
            partition.create_os_websocket()
        with at_console(z16, other.create_os_websocket()) as second:
            until_said(second, "db login: ")

    until(lambda: is_free(z16))
    assert partition.create_os_websocket()


@pytest.mark.parametrize(
    "end",
    [
        lambda lab, partition: lab.session.logoff(),
        lambda lab, partition: lab.control.expire_sessions(),
        lambda lab, partition: lab.stop(partition),
        lambda lab, partition: lab.control.reset(),
    ],
    ids=["logoff", "expiry", "stop", "reset"],
)
def test_it_ends_with_its_session_and_its_partition(
    z16: Lab, end: Callable[[Lab, Any], object]
) -> None:
    partition = started(z16)
    with at_console(z16, partition.create_os_websocket()) as console:
        until_said(console, "login: ")

        end(z16, partition)

        assert console.recv() == ""
    until(lambda: is_free(z16))


def test_a_ticket_ends_with_its_session(z16: Lab) -> None:
    partition = started(z16)
    uri = partition.create_os_websocket()
    z16.control.expire_sessions()

    with pytest.raises(websocket.WebSocketBadStatusException), at_console(z16, uri):
        pass


def test_it_takes_a_started_partition_and_an_hmc_that_is_new_enough(z13: Lab, z14: Lab) -> None:
    partition = z14.partition()
    with refused(409, 1, "not started"):
        partition.create_os_websocket()
    z14.start(partition)
    assert partition.create_os_websocket().startswith("/api/websock/")
    with refused(400, 7):
        partition.create_os_websocket(force_takeover="perhaps")

    with refused(404, 1):
        started(z13).create_os_websocket()


def test_it_needs_its_task(z16: Lab) -> None:
    partition = started(z16)
    z16.control.set_user(z16.hmc.userid, tasks=["Operating System Messages"])

    with refused(403, 1, TASK):
        partition.create_os_websocket()
    z16.control.set_user(z16.hmc.userid, tasks=[TASK])
    assert partition.create_os_websocket()
