"""Whatever HMC, Neutron and Cinder say: what comes out is one of our errors, or of Nova's.

A bounded fuzz, the same each time. One answer of the HMC, one VIF or one connection at a time is
damaged: another type, a property that is missing, text that means something elsewhere.
"""

from __future__ import annotations

import copy
import json
import logging
import random
import re
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from nova.exception import NovaException

from dpm_hmc.client import Hmc
from dpm_hmc.errors import DpmError
from dpm_lab.hmc import HmcServer
from nova_dpm.check import contents, start
from tests.driver.compute import Compute, Server, block_device_info, port, server
from tests.driver.haste import HASTY
from tests.driver.lab import Lab

SEED = 11
ROUNDS = 15
"""Damaged runs of an entry on a machine, at least: of each of its requests one."""

RUDE: tuple[Any, ...] = (
    None,
    True,
    -1,
    2**70,
    1.5,
    "",
    "text",
    "\u0663",
    "mac=0a:00:00:00:00:1:",
    "/api/../x?y#z\r\n",
    "@evil.example/",
    [],
    [None],
    [[]],
    ["text"],
    {},
    {"a": 1},
)
WHOLE = (
    b"",
    b"{}",
    b"[]",
    b"7",
    b'"text"',
    b"null",
    b"<html>",
    b"\xff",
    b"[" * 50_000,
)


def damaged(value: Any, dice: random.Random) -> Any:
    """Return a copy of JSON in which one place is another."""
    value = copy.deepcopy(value)
    places: list[tuple[Any, Any]] = []

    def collect(each: Any) -> None:
        items = each.items() if isinstance(each, dict) else enumerate(each)
        for key, inner in items:
            places.append((each, key))
            if isinstance(inner, dict | list):
                collect(inner)

    if isinstance(value, dict | list):
        collect(value)
    if not places or dice.random() < 0.05:
        return dice.choice(RUDE)
    owner, key = dice.choice(places)
    if isinstance(owner, dict) and dice.random() < 0.3:
        del owner[key]
    else:
        owner[key] = dice.choice(RUDE)
    return value


class Line:
    """The wire between the driver and the lab's HMC, in this process, which may damage an answer.

    Args:
        hmc: the lab's
    """

    def __init__(self, hmc: HmcServer) -> None:
        self.hmc = hmc
        self.count = 0
        self.at: int | None = None
        self.dice = random.Random(SEED)

    def send(self, request: Any, **options: Any) -> requests.Response:
        """Stand in for ``requests.adapters.HTTPAdapter.send``."""
        body = request.body or b""
        answer = self.hmc.service.answer(
            request.method,
            request.path_url,
            request.headers.get("X-API-Session"),
            body if isinstance(body, bytes) else body.encode(),
        )
        response = requests.Response()
        response.status_code, response.request, response.url = answer.status, request, request.url
        content, kind = answer.content(), "application/json"
        if self.count == self.at:
            if self.dice.random() < 0.15:
                content = self.dice.choice(WHOLE)
                kind = self.dice.choice(("application/json", "text/html", "image/png"))
                response.status_code = self.dice.choice((answer.status, 200, 202, 204, 401, 500))
            else:
                content = json.dumps(damaged(answer.body, self.dice)).encode()
        self.count += 1
        response.headers["Content-Type"] = kind
        response._content = content
        return response


def _survey(compute: Compute) -> None:
    settings = compute.lab.settings()
    hmc = Hmc(settings.hmc, HASTY)
    try:
        cpc = start.usable_cpc(hmc, settings)
        start.check_options(hmc, settings, cpc)
        contents.networks(hmc, cpc)
        contents.partitions(hmc, cpc, settings.host)
        if cpc.has_storage_management:
            contents.storage_groups(hmc, settings.host)
    finally:
        hmc.close()


Act = Callable[[Compute, Server, random.Random], Any]

ON_ANSWERS: dict[str, Act] = {
    "survey": lambda compute, subject, dice: _survey(compute),
    "build": lambda compute, subject, dice: compute.build(server(compute.lab, 2)),
    "list": lambda compute, subject, dice: compute.driver.list_instances(),
    "info": lambda compute, subject, dice: compute.driver.get_info(subject.instance, False),
    "connector": lambda compute, subject, dice: compute.connect(subject),
    "reboot": lambda compute, subject, dice: compute.reboot(subject),
    "attach": lambda compute, subject, dice: compute.driver.attach_interface(
        compute.context, subject.instance, None, port(compute.lab, 1)
    ),
    "detach": lambda compute, subject, dice: compute.driver.detach_interface(
        compute.context, subject.instance, subject.ports[0]
    ),
    "destroy": lambda compute, subject, dice: compute.delete(subject),
}


def _vif(compute: Compute, dice: random.Random) -> Any:
    return damaged(port(compute.lab, 1), dice)


def _volumes(compute: Compute, subject: Server, dice: random.Random) -> dict[str, Any]:
    info = block_device_info(subject, ["c05076d08001a700"])
    volume = info["block_device_mapping"][0]
    volume["connection_info"] = damaged(volume["connection_info"], dice)
    return info


ON_ORDERS: dict[str, Act] = {
    "ports of a build": lambda compute, subject, dice: (
        compute.driver.prepare_networks_before_block_device_mapping(
            server(compute.lab).instance, [_vif(compute, dice)]
        )
    ),
    "attached port": lambda compute, subject, dice: compute.driver.attach_interface(
        compute.context, subject.instance, None, _vif(compute, dice)
    ),
    "detached port": lambda compute, subject, dice: compute.driver.detach_interface(
        compute.context, subject.instance, _vif(compute, dice)
    ),
    "ports of a start": lambda compute, subject, dice: compute.driver.reboot(
        compute.context, subject.instance, [_vif(compute, dice)], "HARD", None
    ),
    "boot volume": lambda compute, subject, dice: compute.driver.reboot(
        compute.context,
        subject.instance,
        subject.ports,
        "HARD",
        _volumes(compute, subject, dice),
    ),
    "spawned volume": lambda compute, subject, dice: compute.driver.spawn(
        compute.context,
        subject.instance,
        None,
        [],
        None,
        {},
        network_info=[_vif(compute, dice)],
        block_device_info=_volumes(compute, subject, dice),
    ),
    "attached volume": lambda compute, subject, dice: compute.driver.attach_volume(
        compute.context,
        _volumes(compute, subject, dice)["block_device_mapping"][0]["connection_info"],
        subject.instance,
        "/dev/sdb",
    ),
}


@pytest.fixture(params=["z13", "z16", "z17"])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with Lab(request.param) as lab:
        lab.set_durations(0)
        yield lab


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Keep thousands of failures that were ordered out of a report."""
    for package in ("dpm_hmc", "nova_dpm"):
        caplog.set_level(logging.CRITICAL + 1, logger=package)


@pytest.fixture
def spots() -> Iterator[Counter[str]]:
    """Where anything but an error that somebody knows came out."""
    found: Counter[str] = Counter()
    yield found
    assert not found, f"{len(found)} spots:\n" + "\n".join(map(str, found.most_common()))


def test_a_damaged_answer_of_the_hmc_is_an_error_that_somebody_knows(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, spots: Counter[str]
) -> None:
    assert isinstance(lab.server, HmcServer)
    line = Line(lab.server)
    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", line.send)
    for name, act in ON_ANSWERS.items():
        compute, subject = _prepared(lab)
        line.count, line.at = 0, None
        _try(name, lambda: act(compute, subject, line.dice), spots)  # noqa: B023
        total = line.count
        for number in range(max(ROUNDS, total)):
            line.at = None
            compute, subject = _prepared(lab)
            line.count, line.at = 0, number % total
            _try(name, lambda: act(compute, subject, line.dice), spots)  # noqa: B023
            line.at = None
    lab.control.reset()


def test_a_damaged_port_or_connection_is_an_error_that_somebody_knows(
    lab: Lab, spots: Counter[str]
) -> None:
    dice = random.Random(SEED)
    for name, act in ON_ORDERS.items():
        compute, subject = _prepared(lab)
        for _ in range(ROUNDS):
            _try(name, lambda: act(compute, subject, dice), spots)  # noqa: B023
    lab.control.reset()


def _prepared(lab: Lab) -> tuple[Compute, Server]:
    """Return a server that runs on an HMC that has nothing else."""
    lab.control.reset()
    lab.set_durations(0)
    compute, subject = Compute(lab), server(lab, ports=2)
    compute.build(subject)
    return compute, subject


def _try(name: str, act: Callable[[], Any], spots: Counter[str]) -> None:
    try:
        act()
    except (DpmError, NovaException):
        pass
    except Exception as error:  # noqa: BLE001 - it is what is counted
        frames = [
            each
            for each in traceback.extract_tb(error.__traceback__)
            if re.search("/(nova_dpm|dpm_hmc)/", each.filename)
        ]
        place = f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else "?"
        spots[f"{name}: {type(error).__name__} at {place}"] += 1
