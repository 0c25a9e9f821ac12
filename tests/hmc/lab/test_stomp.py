"""Notifications, as zhmcclient receives them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import zhmcclient
from zhmcclient import DEFAULT_STOMP_PORT

from dpm_lab.hmc import HmcServer
from tests.hmc.lab.client import Lab, until

Message = tuple[dict[str, str], Any]


def receiver(lab: Lab, topic: str, userid: str, password: str) -> zhmcclient.NotificationReceiver:
    """Return a receiver that has not connected yet."""
    return zhmcclient.NotificationReceiver(
        topic,
        lab.hmc.host,
        userid,
        password,
        port=lab.hmc.stomp_port,
        verify_cert=str(lab.hmc.ca_file),
    )


def subscribed(lab: Lab, topic: str, userid: str, password: str) -> zhmcclient.NotificationReceiver:
    """Return a receiver whom the broker knows.

    stomp.py reads its TLS connection in one thread while another one writes, which Python 3.11 does
    not bear: on a busy machine one connection of a hundred ends with "EOF occurred in violation of
    protocol", at the client, as it begins.
    """
    assert isinstance(lab.hmc, HmcServer)
    broker = lab.hmc.service.broker
    for _ in range(10):
        found = receiver(lab, topic, userid, password)
        with suppress(zhmcclient.NotificationConnectionError):
            found.connect()
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                if topic in broker.topics:
                    return found
                time.sleep(0.01)
        found.close()
    raise AssertionError("ten connections ended as they began")


@contextmanager
def received(lab: Lab, topic: str, userid: str, password: str) -> Iterator[list[Message]]:
    """The notifications of a topic, as they come."""
    found = subscribed(lab, topic, userid, password)
    found.connect = lambda: None  # notifications() would do it once more
    messages: list[Message] = []

    def listen() -> None:
        with suppress(zhmcclient.Error):  # that is how it ends
            for message in found.notifications():
                messages.append(message)

    threading.Thread(target=listen, daemon=True).start()
    try:
        yield messages
    finally:
        found.close()


def test_changes_of_a_partition_are_told(z16: Lab) -> None:
    z16.session.logon()
    z16.control.set_duration("stop", 60)
    with received(z16, z16.session.object_topic, z16.hmc.userid, z16.hmc.password) as messages:
        partition = z16.partition("web")
        partition.update_properties({"description": "changed"})
        z16.start(partition)
        partition.stop(wait_for_completion=False)
        z16.control.reset()

        def seen(kind: str) -> list[Message]:
            return [
                item
                for item in messages
                if item[0]["notification-type"] == kind
                and item[0].get("object-uri") == partition.uri
            ]

        until(lambda: len(seen("inventory-change")) == 2)

    assert [headers["action"] for headers, _ in seen("inventory-change")] == ["add", "remove"]
    statuses = [body["change-reports"][0]["new-status"] for _, body in seen("status-change")]
    assert statuses == ["starting", "active", "stopping"]
    (changed,) = seen("property-change")
    assert changed[1]["change-reports"] == [
        {"property-name": "description", "old-value": "", "new-value": "changed"}
    ]


def test_the_end_of_a_job_is_told_to_who_began_it(z16: Lab) -> None:
    partition = z16.partition()
    session = z16.session
    with received(z16, session.job_topic, session.session_id, session.session_credential) as got:
        job = partition.start(wait_for_completion=False)

        until(lambda: bool(got))

    headers, body = got[0]
    assert (headers["notification-type"], headers["job-uri"], body) == (
        "job-completion",
        job.uri,
        None,
    )


def test_a_wrong_password_hears_nothing(z16: Lab) -> None:
    with pytest.raises(zhmcclient.NotificationConnectionError):
        receiver(z16, "any", z16.hmc.userid, "wrong").connect()


def test_the_auto_updater_of_zhmcclient_keeps_a_partition_fresh() -> None:
    # It knows one port only, so the HMC has an address of its own.
    host = f"127.{1 + os.getpid() // 65536 % 250}.{os.getpid() // 256 % 256}.{os.getpid() % 256}"
    with HmcServer("z16", host=host, stomp_port=DEFAULT_STOMP_PORT) as hmc:
        lab = Lab(hmc)
        partition = lab.partition()
        lab.session.subscribe_auto_update()
        partition.enable_auto_update()
        until(lambda: lab.session.object_topic in hmc.service.broker.topics)

        lab.control.set_properties(partition.uri, {"status": "degraded"})

        until(lambda: bool(partition.get_property("status") == "degraded"))
        lab.session.unsubscribe_auto_update()
