"""A start that fails names the service, its last lines and the likely cause, and leaves nothing."""

from __future__ import annotations

import io
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dpm_lab.cloud import answers, causes, databases, environment, processes, start, things
from dpm_lab.cloud.errors import CloudError
from dpm_lab.cloud.place import MACHINE, PORTS, Place
from dpm_lab.cloud.services import Service
from dpm_lab.progress import Progress

Run = Callable[..., str]
_LISTENS = "import socket, time; s = socket.create_server(('127.0.0.12', {})); time.sleep(600)"


def _free() -> int:
    with closing(socket.create_server(("127.0.0.12", 0))) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Return a cloud of which nothing ran yet, and end what is left of it."""
    ports = {name: _free() for name in PORTS}
    made = Place.make(tmp_path / "cloud", "127.0.0.12", [MACHINE], ports)
    yield made
    processes.end(processes.marked(made), patience=0)


@pytest.fixture
def run(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Return a function that starts a cloud of given services, and returns what it said."""
    monkeypatch.setattr(environment, "check_programs", lambda **_: None)
    monkeypatch.setattr(environment, "make", lambda _progress: tmp_path)
    monkeypatch.setattr(databases, "prepare", lambda _place: None)
    monkeypatch.setattr(things, "make", lambda *_, has_dhcp: "things")

    def started(*services: Service) -> str:
        everything = {each.name: each for each in services}
        monkeypatch.setattr(start, "here", lambda _place: services)
        monkeypatch.setattr(start, "BY_NAME", everything)
        monkeypatch.setattr(start.Start, "_databases", lambda self: self._done["databases"].set())
        monkeypatch.setattr(start.Start, "_users", lambda self: self._done["users"].set())
        said = io.StringIO()
        start.Start(place, Progress(said)).run()
        return said.getvalue()

    return started


def _service(name: str, code: str, *after: str, port: str = "nova") -> Service:
    command = [sys.executable, "-c", code]
    return Service(
        name, f"a {name}", lambda _place: command, answers.port(port), after, ports=(port,)
    )


def test_services_come_up_one_after_the_other(run: Run, place: Place) -> None:
    first = _service("hmc", _LISTENS.format(place.ports["hmc"]), port="hmc")
    second = _service("nova-api", _LISTENS.format(place.ports["nova"]), "hmc")

    said = run(second, first)

    assert said.index("hmc answers") < said.index("nova-api answers") < said.index("all services")
    assert processes.runs(place, "nova-api")


def test_a_second_start_starts_only_what_does_not_run(run: Run, place: Place) -> None:
    first = _service("hmc", _LISTENS.format(place.ports["hmc"]), port="hmc")
    second = _service("nova-api", _LISTENS.format(place.ports["nova"]), "hmc")
    run(first, second)
    before = [processes.record(place, name) for name in ("hmc", "nova-api")]
    processes.kill(place, "nova-api")

    run(first, second)

    after = [processes.record(place, name) for name in ("hmc", "nova-api")]
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_a_service_that_fails_names_itself_its_lines_and_the_cause(run: Run, place: Place) -> None:
    fine = _service("hmc", _LISTENS.format(place.ports["hmc"]), port="hmc")
    code = "print('1\\n' * 30 + 'OSError: [Errno 28] No space left on device'); raise SystemExit(7)"

    with pytest.raises(CloudError) as caught:
        run(fine, _service("nova-api", code, "hmc"))

    said = str(caught.value)
    assert said.startswith("nova-api (a nova-api) ended with 7. Its last lines:")
    assert "No space left on device" in said
    assert "Likely cause: the disk is full" in said
    assert said.endswith(f"All of it: {place.log('nova-api')}")
    assert processes.marked(place) == []


def test_lines_of_an_earlier_start_are_not_shown(run: Run, place: Place) -> None:
    place.of("log").mkdir()
    place.log("nova-api").write_text("MemoryError\n")

    with pytest.raises(CloudError) as caught:
        run(_service("nova-api", "print('new')"))

    assert "MemoryError" not in str(caught.value)
    assert "new" in str(caught.value)


def test_a_service_that_does_not_answer_is_given_up(
    run: Run, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start, "LIMIT", 0.5)

    with pytest.raises(CloudError, match=r"nova-api .* does not answer after"):
        run(_service("nova-api", "import time; time.sleep(600)"))

    assert processes.marked(place) == []


def test_a_port_that_is_taken_is_said_before_anything_starts(run: Run, place: Place) -> None:
    with (
        closing(socket.create_server(("127.0.0.12", place.ports["nova"]))),
        pytest.raises(CloudError, match=rf"nova: port {place.ports['nova']} .* --port nova=N"),
    ):
        run(_service("nova-api", "print('started')"))

    assert not place.log("nova-api").exists()


def test_a_port_of_erlang_is_taken_on_whatever_address(run: Run, place: Place) -> None:
    """RabbitMQ looks at all of them, and says it in a crash report of Erlang's."""
    with (
        closing(socket.create_server(("127.0.0.77", place.ports["erlang"]))),
        pytest.raises(CloudError, match=r"erlang: port .* --port erlang=N"),
    ):
        run(_service("rabbitmq", "print('started')", port="erlang"))


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("{badmatch,{error,eaddrinuse}}", "its port is taken"),
        ("ModuleNotFoundError: No module named 'nova'", "virtual environment is not whole"),
        ("(1045, \"Access denied for user 'openstack'@'127.0.0.10'\")", "not this cloud's"),
        ("AMQP server on 127.0.0.10:5672 is unreachable: timed out", "RabbitMQ"),
        ("HMC 127.0.0.10 refused the logon of user labuser", "the lab's HMC"),
        ("keystoneauth1.exceptions.http.Unauthorized: (HTTP 401)", "Keystone"),
    ],
)
def test_a_line_tells_the_cause(line: str, cause: str) -> None:
    assert cause in causes.likely(["INFO fine", line])


def test_lines_that_tell_nothing_have_no_cause() -> None:
    assert causes.likely(["INFO nova.service Starting compute node"]) == ""


def test_of_a_long_log_the_errors_are_shown_before_its_last_lines() -> None:
    log = "ERROR nova the first\n" + "INFO nova more\n" * 50

    assert causes.last(log)[0] == "ERROR nova the first"
    assert len(causes.last(log)) < 20
