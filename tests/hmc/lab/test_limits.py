"""What strangers send costs the lab little, and is answered: it is no fault of the lab."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import stat
from pathlib import Path
from typing import Any

import pytest
import zhmcclient

from dpm_lab.hmc import HmcServer
from dpm_lab.hmc.errors import StartError
from dpm_lab.hmc.wire import listener, stomp
from dpm_lab.hmc.wire.notifications import Notification
from dpm_lab.hmc.wire.stomp import Frame, read_frame
from tests.hmc.lab.client import Lab, until

LARGE = 1_000_000

NO_TEXT = {
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "deep, but read by Python": b'{"a":' * 400 + b"1" + b"}" * 400,
    "deeper than any request": b"[" * 33 + b"]" * 33,
    "half a surrogate pair": b'{"userid": "labuser", "password": "\\ud800"}',
    "half a surrogate pair, as bytes": b'{"userid": "labuser", "password": "\xed\xa0\x80"}',
    "half a surrogate pair in a name": b'{"\\udfff": 1}',
    "NaN": b'{"maximum-memory": NaN}',
    "infinite": b'{"maximum-memory": 1e999}',
    "a number without an end": b"9" * 5000,
}


def answered(lab: Lab, uri: str, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
    """The answer to a request, and that the connection is of use afterwards."""
    context = ssl.create_default_context(cafile=str(lab.hmc.ca_file))
    connection = http.client.HTTPSConnection(lab.hmc.host, lab.hmc.port, context=context)
    connection.request("POST", uri, body, headers)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.request("GET", "/api/version")
    assert connection.getresponse().status == 200
    connection.close()
    return response.status, answer


@pytest.mark.parametrize("body", NO_TEXT.values(), ids=NO_TEXT.keys())
def test_a_body_that_nothing_can_work_with_is_refused(
    z16: Lab, body: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    assert isinstance(z16.hmc, HmcServer)
    status, answer = answered(z16, "/api/sessions", body, {})
    assert (status, answer["reason"]) == (400, 9)

    status, answer = answered(z16, "/lab/set-latency", body, {"X-Lab-Token": z16.hmc.token})
    assert (status, "body" in answer["error"]) == (400, True)

    assert capfd.readouterr().err == ""


SUBMIT = "/api/services/aggregation/submit"


@pytest.mark.parametrize(
    ("method", "uri", "body"),
    [
        ("GET", "/api/cpcs?name=(", None),
        ("GET", "/api/cpcs?name=%5B", None),
        ("POST", SUBMIT, {"requests": None}),
        ("POST", SUBMIT, {"requests": ["GET"]}),
        ("POST", SUBMIT, {"requests": [{"method": 1, "uri": []}]}),
        ("POST", SUBMIT, {"requests": [{"method": "GET", "uri": "/api/cpcs?name=("}]}),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(
    z16: Lab, method: str, uri: str, body: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(zhmcclient.HTTPError) as caught:
        z16.session.get(uri) if method == "GET" else z16.session.post(uri, body=body)

    assert caught.value.http_status == 400
    assert capfd.readouterr().err == ""


def test_a_body_as_deep_as_the_api_has_them_is_read(z16: Lab) -> None:
    deep: Any = "labuser"
    for _ in range(10):
        deep = {"userid": deep}

    status, answer = answered(z16, "/api/sessions", json.dumps(deep).encode(), {})

    assert (status, answer["reason"]) == (400, 5)


def test_the_log_has_the_beginning_of_a_large_request(z16: Lab) -> None:
    z16.control.reset_log()
    uri = "/api/cpcs?name=" + "y" * 50_000

    answered(z16, uri, json.dumps({"text": "x" * LARGE}).encode(), {})

    request, _ = z16.control.requests()
    assert len(request.body) < 5000
    assert request.body.startswith('{"text": "xxx')
    assert request.body.endswith(f"({LARGE + 12} characters)")
    assert len(request.uri) < 5000
    assert z16.control.counts()["POST /api/cpcs"] == 1


def test_connections_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "MOST_CONNECTIONS", 4)
    with HmcServer("z16") as hmc:
        place = (hmc.host, hmc.port)
        idle = [socket.create_connection(place) for _ in range(4)]

        with socket.create_connection(place, timeout=15) as one_more:
            assert one_more.recv(1) == b""

        idle.pop().close()

        def has_room() -> bool:
            try:
                Lab(hmc).session.logon()
            except zhmcclient.ConnectionError:
                return False
            return True

        until(has_room)
        for connection in idle:
            connection.close()


def test_a_client_that_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stomp, "MOST_WAITING", 10)
    with HmcServer("z16") as hmc:
        context = ssl.create_default_context(cafile=str(hmc.ca_file))
        broker = hmc.service.broker
        with (
            socket.create_connection((hmc.host, hmc.stomp_port), timeout=30) as plain,
            context.wrap_socket(plain, server_hostname=hmc.host) as client,
        ):
            login = {"login": hmc.userid, "passcode": hmc.password}
            client.sendall(Frame("CONNECT", login).encode())
            client.sendall(Frame("SUBSCRIBE", {"destination": "/topic/t", "id": "1"}).encode())
            until(lambda: "t" in broker.topics)
            until(lambda: sent(broker))


def sent(broker: stomp.Broker) -> bool:
    """Send a client more than it reads; return whether it is gone."""
    broker.publish(Notification("t", {}, {"text": "x" * LARGE}))
    return not broker.topics


def test_keys_replace_whatever_is_in_their_place(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "hmc", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.write_text("mine")
    (folder / "server.key").write_text("from an earlier start")
    (folder / "server.key").chmod(0o644)
    for name in ("ca.pem", "server.pem"):
        (folder / name).symlink_to(elsewhere)

    with HmcServer("z16", folder=folder) as hmc:
        Lab(hmc).session.logon()

    found = {path.name: path.lstat().st_mode for path in folder.iterdir()}
    assert stat.S_IMODE(found["server.key"]) == 0o600
    assert all(map(stat.S_ISREG, found.values()))
    assert elsewhere.read_text() == "mine"


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "server.key").mkdir()

    with pytest.raises(StartError, match=r"server\.key: "):
        HmcServer("z16", folder=tmp_path).start()


class Secret(str):
    """A secret that ``==`` must not be used on: it takes as long as the beginnings are alike."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        raise AssertionError("a secret is compared by ==")


def test_secrets_are_compared_in_constant_time() -> None:
    with HmcServer("z16", password=Secret("pass-ä")) as hmc:
        hmc.token = Secret("token")
        lab = Lab(hmc)
        lab.session.logon()
        session = hmc.service.sessions.find(lab.session.session_id)
        assert session is not None
        session.credential = Secret(session.credential)

        assert answered(lab, "/lab/counts", b"", {"X-Lab-Token": "token"})[0] == 200
        assert answered(lab, "/lab/counts", b"", {"X-Lab-Token": "tokem"})[0] == 403
        for passcode, command in ((str(session.credential), "CONNECTED"), ("wröng", "ERROR")):
            assert stomp_answer(hmc, session.key, passcode).command == command


def stomp_answer(hmc: HmcServer, login: str, passcode: str) -> Frame:
    context = ssl.create_default_context(cafile=str(hmc.ca_file))
    with (
        socket.create_connection((hmc.host, hmc.stomp_port), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname=hmc.host) as client,
        client.makefile("rb") as stream,
    ):
        client.sendall(Frame("CONNECT", {"login": login, "passcode": passcode}).encode())
        answer = read_frame(stream)
    assert answer is not None
    return answer
