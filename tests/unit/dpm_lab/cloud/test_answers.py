"""Whether a service answers: what the APIs list counts only since the service was started."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest

from dpm_lab.cloud import answers, processes
from dpm_lab.cloud.api import Api
from dpm_lab.cloud.errors import ApiError
from dpm_lab.cloud.place import MACHINE, PORTS, Place


class _Cloud(BaseHTTPRequestHandler):
    """Keystone and all others at one port: what is listed, and which tokens are good."""

    listed: dict[str, Any]
    logons: int
    bad_token: str

    def _say(self, status: int, body: Any, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def do_POST(self) -> None:
        type(self).logons += 1
        self._say(201, {}, X_Subject_Token=f"token{self.logons}")

    def do_GET(self) -> None:
        if self.path == "/":
            self._say(300, {})
        elif self.headers["X-Auth-Token"] == self.bad_token:
            self._say(401, {})
        elif (key := self.path.partition("?")[0].rpartition("/")[2]) in self.listed:
            self._say(200, self.listed[key])
        else:
            self._say(503, {"error": "not now"})

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def cloud() -> Iterator[tuple[type[_Cloud], int]]:
    """Return the imitated cloud and its port."""
    handler = type("Handler", (_Cloud,), {"listed": {}, "logons": 0, "bad_token": "none"})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield handler, server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture
def place(
    tmp_path: Path, cloud: tuple[type[_Cloud], int], monkeypatch: pytest.MonkeyPatch
) -> Place:
    """Return a cloud whose services are this process."""
    monkeypatch.setattr(processes, "runs", lambda _place, _name: psutil.Process())
    ports = dict.fromkeys(PORTS, cloud[1])
    return Place.make(tmp_path / "cloud", "127.0.0.1", [MACHINE], ports)


def _at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()


@pytest.mark.parametrize(
    ("state", "age", "is_up"), [("up", 0, True), ("down", 0, False), ("up", 36000, False)]
)
def test_a_report_of_an_earlier_life_does_not_count(
    place: Place, cloud: tuple[type[_Cloud], int], state: str, age: float, is_up: bool
) -> None:
    when = _at(time.time() - age)
    cloud[0].listed["os-services"] = {"services": [{"state": state, "updated_at": when}]}

    assert answers.nova("nova-compute")(place, Api(place)) is is_up


def test_times_of_neutron_are_read_too(place: Place, cloud: tuple[type[_Cloud], int]) -> None:
    when = _at(time.time()).replace("T", " ")
    cloud[0].listed["agents"] = {"agents": [{"alive": True, "heartbeat_timestamp": when}]}

    assert answers.neutron_agent("neutron-dpm-agent")(place, Api(place))


def test_a_service_whose_api_is_not_there_does_not_answer(place: Place) -> None:
    assert not answers.nova("nova-compute")(place, Api(place))
    assert not answers.compute(place.hosts[0])(place, Api(place))


@pytest.mark.parametrize("lacks", ["", "os-services", "os-hypervisors", "inventories"])
def test_nova_compute_answers_when_servers_can_be_built_on_it(
    place: Place, cloud: tuple[type[_Cloud], int], lacks: str
) -> None:
    """Without what takes Nova a minute in a cloud that was up shortly before: ``/detail``."""
    host = place.hosts[0]
    up = {"state": "up", "updated_at": _at(time.time())}
    cloud[0].listed |= {
        "os-services": {"services": [up]},
        "os-hypervisors": {"hypervisors": [{"hypervisor_hostname": host.name}]},
        "resource_providers": {"resource_providers": [{"uuid": "1"}]},
        "inventories": {"inventories": {"PCPU": {}}},
    }
    for empty in cloud[0].listed.get(lacks, {}):
        cloud[0].listed[lacks] = {empty: []}

    assert answers.compute(host)(place, Api(place)) is not bool(lacks)


@pytest.mark.parametrize("pools", [[{"name": "control@fc#fc"}], []])
def test_cinder_volume_answers_when_its_scheduler_knows_of_it(
    place: Place, cloud: tuple[type[_Cloud], int], pools: list[dict[str, str]]
) -> None:
    up = {"state": "up", "updated_at": _at(time.time())}
    cloud[0].listed |= {"os-services": {"services": [up]}, "get_pools": {"pools": pools}}

    assert answers.volumes(place, Api(place)) is bool(pools)


def test_cinder_volume_does_not_answer_while_its_scheduler_does_not(
    place: Place, cloud: tuple[type[_Cloud], int]
) -> None:
    up = {"state": "up", "updated_at": _at(time.time())}
    cloud[0].listed["os-services"] = {"services": [up]}

    assert not answers.volumes(place, Api(place))


def test_a_program_that_answers_at_all_is_there(place: Place) -> None:
    assert answers.web("nova")(place, Api(place))


def test_a_token_that_is_no_longer_good_is_replaced(
    place: Place, cloud: tuple[type[_Cloud], int]
) -> None:
    cloud[0].listed["flavors"] = {"flavors": []}
    api = Api(place)
    api.get("nova", "/flavors")
    cloud[0].bad_token = "token1"

    assert api.get("nova", "/flavors") == {"flavors": []}
    assert cloud[0].logons == 2


def test_a_refusal_says_what_was_asked_and_answered(place: Place) -> None:
    with pytest.raises(
        ApiError, match=r"GET http://127.0.0.1:\d+/v2.1/servers: 503 .*not now"
    ) as e:
        Api(place).get("nova", "/servers")

    assert e.value.status == 503
