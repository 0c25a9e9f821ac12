"""``dpm-guest status`` shows wanted beside actual, with the reason where they differ."""

from __future__ import annotations

import errno

import pytest

from .cards import Card, Fault
from .machine import Machine

MAC = "0a:00:00:00:00:11"
NIC = "0600,1,0a0000000011;"
RIGHT = Card("0600", start="online", portno=1)


def test_all_is_right_after_configure() -> None:
    with Machine([Card("0600"), Card("0001", kind="virtio")]) as machine:
        tuples = f"{NIC}0001,0,0a0000000012;"
        assert machine.run("configure", tuples=tuples).rc == 0

        assert machine.run("status", tuples=tuples).rc == 0
        status = machine.status(tuples)

        assert status["ok"] is True
        assert status["problems"] == []
        assert status["nics"][0] == {
            "devno": "0600",
            "bus_id": "0.0.0600",
            "kind": "qeth",
            "wanted": {"port": 1, "mac": MAC, "layer2": 1},
            "actual": {
                "port": 1,
                "layer2": 1,
                "online": True,
                "interface": "enc600",
                "mac": MAC,
                "master": None,
            },
            "ok": True,
            "reasons": [],
        }
        virtio = status["nics"][1]
        assert (virtio["kind"], virtio["ok"]) == ("virtio", True)
        assert virtio["actual"]["interface"] == "enc1"
        assert virtio["actual"]["port"] is None


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        pytest.param(Card("0600"), "not grouped", id="not grouped"),
        pytest.param(Card("0600", start="grouped", portno=1), "offline", id="offline"),
        pytest.param(Card("0600", start="online"), "port 0, not 1", id="port"),
        pytest.param(Card("0600", start="online", portno=1, layer2=0), "layer 3", id="layer"),
        pytest.param(RIGHT, "MAC is", id="MAC"),
        pytest.param(Card("0600", start="absent"), "0.0.0600", id="missing"),
        pytest.param(Card("0600", late_ids={1: 1000}), "0.0.0601", id="one id is missing"),
        pytest.param(Card("0600", ignored=True), "cio_ignore", id="ignored"),
    ],
)
def test_each_difference_has_its_reason_and_nothing_is_touched(card: Card, reason: str) -> None:
    with Machine([card]) as machine:
        status = machine.status(NIC)

        assert status["ok"] is False
        assert status["nics"][0]["ok"] is False
        assert any(reason in text for text in status["nics"][0]["reasons"]), status
        table = machine.run("status", tuples=NIC)
        assert table.rc == 1
        assert reason in table.stdout
        assert machine.writes == []


def test_json_ends_like_the_table() -> None:
    with Machine([Card("0600", start="grouped")]) as machine:
        assert machine.run("status", "--json", tuples=NIC).rc == 1
        assert machine.run("configure", tuples=NIC).rc == 0
        assert machine.run("status", "--json", tuples=NIC).rc == 0


def test_a_failed_configure_is_visible() -> None:
    with Machine([Card("0600", fail={"online": Fault(errno.EIO)})]) as machine:
        assert machine.run("configure", tuples=NIC).rc == 1

        assert "offline" in machine.status(NIC)["nics"][0]["reasons"]


def test_damaged_and_repeated_tuples_are_named() -> None:
    with Machine([RIGHT]) as machine:
        machine.set_mac("0600", MAC)

        repeated = machine.status(f"0600,0;{NIC}")
        damaged = machine.status(f"{NIC}0700,0,0a00;")

        assert repeated["ok"] is True
        assert any("0600" in text for text in repeated["problems"])
        assert damaged["ok"] is False
        assert any("0700,0,0a00" in text for text in damaged["problems"])


def test_without_tuples_there_is_nothing_wrong() -> None:
    with Machine([RIGHT]) as machine:
        assert machine.run("status").rc == 0
        assert machine.status() == {
            "ok": True,
            "nics": [],
            "problems": [],
            "unnamed": [],
            "retried": [],
        }


def test_an_unprivileged_user_may_ask() -> None:
    """The one privilege left is to read everything: this project's folder may be closed to
    others."""
    user = "--reuid=65534 --regid=65534 --clear-groups"
    reading = "--inh-caps=-all,+dac_read_search --ambient-caps=+dac_read_search"
    with Machine([RIGHT]) as machine:
        machine.set_mac("0600", MAC)

        agent = machine.start(
            "status", tuples=NIC, through=["setpriv", *user.split(), *reading.split()]
        )
        stdout, stderr = agent.communicate()

        assert agent.returncode == 0, stderr
        assert MAC in stdout
