"""The serial console: from a TCP port of the host to the HMC's integrated ASCII console."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from nova.console import serial as ports
from nova.exception import ConsoleTypeUnavailable

from dpm_hmc.console import AsciiConsole
from dpm_lab.hmc import Fault, HmcServer
from tests.driver.compute import Compute, Server, server
from tests.driver.lab import Lab

PATIENCE = 120.0


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab("z16") as lab:
        yield lab


@pytest.fixture
def compute(lab: Lab) -> Iterator[Compute]:
    compute = Compute(lab)
    yield compute
    compute.driver.cleanup_host("host")
    until(lambda: not threads())
    assert not ports.ALLOCATED_PORTS


@pytest.fixture
def subject(lab: Lab, compute: Compute) -> Server:
    subject = server(lab)
    compute.build(subject)
    return subject


def threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("serial-")]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it does not come to be"
        time.sleep(0.005)


def port(compute: Compute, subject: Server) -> int:
    console = compute.driver.get_serial_console(compute.context, subject.instance)
    assert console.host == "127.0.0.1"
    return int(console.port)


@contextmanager
def client(compute: Compute, subject: Server) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port(compute, subject)), PATIENCE) as connection:
        yield connection


def heard(connection: socket.socket, text: str) -> str:
    """What comes until a text has."""
    said = b""
    while text.encode() not in said:
        data = connection.recv(4096)
        assert data, said
        said += data
    return said.decode()


def all_heard(connection: socket.socket) -> str:
    """What comes until the other side hangs up."""
    said = b""
    while data := connection.recv(4096):
        said += data
    return said.decode()


def logons(lab: Lab) -> int:
    """How many sessions the HMC has."""
    assert isinstance(lab.server, HmcServer)
    return lab.server.service.sessions.count


def test_what_is_typed_gets_to_the_console_and_back(compute: Compute, subject: Server) -> None:
    with client(compute, subject) as connection:
        heard(connection, "login: ")
        connection.sendall("ro\u00f6t\r".encode())

        assert "you typed: ro\u00f6t" in heard(connection, "you typed: ro\u00f6t")


def test_it_has_a_logon_of_its_own_while_somebody_is_there(
    lab: Lab, compute: Compute, subject: Server
) -> None:
    before = logons(lab)
    port(compute, subject)
    assert logons(lab) == before

    with client(compute, subject) as connection:
        heard(connection, "login: ")
        assert logons(lab) == before + 1

    until(lambda: logons(lab) == before)
    until(lambda: len(threads()) == 1)
    counts = lab.control.counts()
    assert counts["POST /api/partitions/{}/operations/get-ascii-console-websocket-uri"] == 1


def test_a_server_keeps_its_port_and_each_has_its_own(
    lab: Lab, compute: Compute, subject: Server
) -> None:
    other = server(lab)
    compute.build(other)

    first = port(compute, subject)

    assert port(compute, other) != first
    assert port(compute, subject) == first
    with client(compute, subject) as connection:
        heard(connection, "login: ")
        assert port(compute, subject) == first
    assert port(compute, subject) == first


def test_a_port_that_another_program_takes_in_that_moment_is_not_told(
    compute: Compute, subject: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    acquire = ports.acquire_port
    others: list[socket.socket] = []

    def lose(host: str) -> int:
        found = int(acquire(host))
        if not others:
            others.append(socket.create_server((host, found)))
        return found

    monkeypatch.setattr(ports, "acquire_port", lose)
    number = port(compute, subject)

    with others[0] as other:
        assert number != other.getsockname()[1]
    with client(compute, subject) as connection:
        heard(connection, "login: ")
        assert connection.getpeername()[1] == number


def test_nothing_listens_a_while_after_nova_has_asked(
    lab: Lab, compute: Compute, subject: Server
) -> None:
    compute.driver._serial_consoles._listens = 0.05
    number = port(compute, subject)

    until(lambda: not threads())

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", number))
    compute.driver._serial_consoles._bridges[subject.uuid]._listens = 60
    with client(compute, subject) as connection:
        heard(connection, "login: ")
        assert connection.getpeername()[1] == number


def test_who_comes_second_is_told(
    compute: Compute, subject: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nova_dpm.console.serial.LEAVING", 0.1)
    with client(compute, subject) as first:
        heard(first, "login: ")

        with client(compute, subject) as second:
            assert "[Somebody else is at the console of this server.]" in all_heard(second)

        first.sendall(b"still here\r")
        heard(first, "you typed: still here")


def test_who_leaves_makes_room_for_who_comes(compute: Compute, subject: Server) -> None:
    for _ in range(3):
        with client(compute, subject) as connection:
            heard(connection, "login: ")


def test_another_console_of_the_hmc_is_a_reason(
    lab: Lab, compute: Compute, subject: Server, caplog: pytest.LogCaptureFixture
) -> None:
    other = server(lab)
    compute.build(other)
    with client(compute, other) as first:
        heard(first, "login: ")
        with client(compute, subject) as second:
            assert "the server does not run, or another console is open" in all_heard(second)
    assert "cannot be taken over" in caplog.text


@pytest.mark.parametrize(
    ("fault", "told", "logged"),
    [
        (
            Fault("POST", ".*/get-ascii.*", status=403, reason=1),
            "an operator finds the reason",
            "Integrated ASCII Console",
        ),
        (
            Fault("POST", ".*/get-ascii.*", status=404, reason=1),
            "its partition, or its HMC, has none",
            "404,1",
        ),
        (Fault("POST", ".*/get-ascii.*", kind="drop-before"), "an operator finds", "no answer"),
        (Fault("POST", "/api/sessions", status=403, reason=0), "an operator finds", "refused"),
    ],
)
def test_what_the_hmc_refuses_is_said_and_nothing_is_left(
    lab: Lab,
    compute: Compute,
    subject: Server,
    fault: Fault,
    told: str,
    logged: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = logons(lab)
    lab.control.add_fault(fault)

    with client(compute, subject) as connection:
        assert told in all_heard(connection)

    assert logged in caplog.text
    until(lambda: logons(lab) == before)


def test_a_refused_logon_is_not_tried_again_at_once(
    lab: Lab, compute: Compute, subject: Server
) -> None:
    lab.control.add_fault(Fault("POST", "/api/sessions", status=403, reason=0, times=None))
    lab.control.reset_log()
    for _ in range(3):
        with client(compute, subject) as connection:
            assert "There is no console" in all_heard(connection)
        until(lambda: len(threads()) == 1)

    assert lab.control.counts()["POST /api/sessions"] == 1


def test_an_hmc_that_is_away_is_said(lab: Lab, compute: Compute, subject: Server) -> None:
    number = port(compute, subject)
    lab.server.close()

    with socket.create_connection(("127.0.0.1", number), PATIENCE) as connection:
        assert "There is no console: no HMC answers" in all_heard(connection)


def test_a_partition_that_is_stopped_has_none(compute: Compute, subject: Server) -> None:
    compute.driver.power_off(subject.instance)

    with client(compute, subject) as connection:
        assert "the server does not run" in all_heard(connection)


@pytest.mark.parametrize("end", ["power_off", "delete", "cleanup_host"])
def test_who_is_there_is_cut_off_when_the_server_ends(
    lab: Lab, compute: Compute, subject: Server, end: str
) -> None:
    with client(compute, subject) as connection:
        heard(connection, "login: ")

        {
            "power_off": lambda: compute.driver.power_off(subject.instance),
            "delete": lambda: compute.delete(subject),
            "cleanup_host": lambda: compute.driver.cleanup_host("host"),
        }[end]()

        assert connection.recv(4096) in (b"", b"\r\n[The console has ended.]\r\n")
        until(lambda: not threads())
        assert not ports.ALLOCATED_PORTS


def test_a_server_that_goes_while_the_hmc_is_asked_leaves_no_logon(
    lab: Lab, compute: Compute, subject: Server
) -> None:
    before = logons(lab)
    lab.control.add_fault(Fault("POST", ".*/get-ascii.*", kind="delay", seconds=3))
    with client(compute, subject) as connection:
        heard(connection, "Waiting for the HMC")
        until(lambda: logons(lab) == before + 1)

        compute.driver._serial_consoles.end(subject.uuid)

        assert "login" not in all_heard(connection)
    until(lambda: logons(lab) == before and not threads())


def test_the_end_of_the_session_ends_it_with_a_word(
    lab: Lab, compute: Compute, subject: Server
) -> None:
    with client(compute, subject) as connection:
        heard(connection, "login: ")

        lab.control.expire_sessions()

        assert "[The console has ended.]" in all_heard(connection)


def test_a_ticket_that_was_used_is_refused_without_being_told(
    lab: Lab,
    compute: Compute,
    subject: Server,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    monkeypatch.setattr(
        "dpm_hmc.console.AsciiConsole._ticket", lambda console: "/api/websock/used-before/1"
    )
    with client(compute, subject) as connection:
        assert "an operator finds the reason" in all_heard(connection)

    assert "the HMC answered 404" in caplog.text
    assert "used-before" not in caplog.text


def test_no_log_has_the_ticket(
    lab: Lab, compute: Compute, subject: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    seen: list[str] = []
    assert isinstance(lab.server, HmcServer)
    consoles = lab.server.service.tree.ascii_consoles
    issue = consoles.issue
    consoles.issue = lambda *given: seen.append(issue(*given)) or seen[-1]  # type: ignore
    with client(compute, subject) as connection:
        heard(connection, "login: ")

    (uri,) = seen
    assert uri.split("/")[3] not in caplog.text


def test_the_certificate_is_verified_as_ever(
    lab: Lab, compute: Compute, subject: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a logon that was let through, the websocket still wants the right certificate."""
    with Lab("z16") as other:
        wrong = str(other.server.ca_file)
        right = AsciiConsole._connected

        def connected(console: AsciiConsole, ticket: str) -> object:
            console.settings = replace(console.settings, verify=wrong)
            return right(console, ticket)

        monkeypatch.setattr(AsciiConsole, "_connected", connected)
        with client(compute, subject) as connection:
            assert "no HMC answers" in all_heard(connection)


def test_an_environment_with_a_proxy_is_not_asked(
    compute: Compute, subject: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://192.0.2.1:1")
    monkeypatch.setenv("WEBSOCKET_CLIENT_CA_BUNDLE", "/nowhere")
    with client(compute, subject) as connection:
        heard(connection, "login: ")


def test_an_hmc_that_is_too_old_has_none() -> None:
    with Lab("z13") as lab:
        compute, subject = Compute(lab), server(lab)
        compute.build(subject)

        with pytest.raises(ConsoleTypeUnavailable):
            port(compute, subject)
