"""Operating system messages: the list, the channel, commands."""

from __future__ import annotations

from typing import Any

import pytest

from dpm_lab.hmc.api.messages import KEPT
from tests.hmc.lab.client import Lab, refused, until
from tests.hmc.lab.test_stomp import received


def texts(partition: Any, **limits: Any) -> list[tuple[int, str]]:
    found = partition.list_os_messages(**limits)["os-messages"]
    return [(each["sequence-number"], each["message-text"]) for each in found]


def test_messages_are_listed_in_sequence_from_the_last_start_on(z16: Lab) -> None:
    partition = z16.partition()
    z16.start(partition)
    for text in ("Uncompressing Linux... \n", "Ok, booting the kernel.\n", "¬1873|: Welcome"):
        z16.control.add_os_message(partition.uri, text)

    assert texts(partition) == [
        (0, "Uncompressing Linux... \n"),
        (1, "Ok, booting the kernel.\n"),
        (2, "¬1873|: Welcome"),
    ]
    assert texts(partition, begin=1, end=1) == [(1, "Ok, booting the kernel.\n")]
    z16.stop(partition)
    assert len(texts(partition)) == 3
    z16.start(partition)
    assert texts(partition) == []


def test_the_oldest_messages_go_but_for_those_that_are_held(z16: Lab) -> None:
    partition = z16.partition()
    z16.control.add_os_message(partition.uri, "answer me", is_held=True)
    for number in range(KEPT + 2):
        z16.control.add_os_message(partition.uri, f"line {number}")

    found = texts(partition)

    assert found[:2] == [(0, "answer me"), (3, "line 2")]
    assert len(found) == KEPT + 1


def test_messages_came_with_the_z14(z13: Lab, z14: Lab) -> None:
    with refused(404, 1):
        z13.partition().list_os_messages()

    assert z14.partition().list_os_messages() == {"os-messages": []}


def test_a_command_goes_to_a_partition_that_runs(z16: Lab) -> None:
    partition = z16.partition()
    with refused(409, 1, "no messages interface"):
        partition.send_os_command("root")
    z16.start(partition)

    partition.send_os_command("root")

    assert texts(partition) == [(0, "root")]
    for wrong in ("", "x" * 201):
        with refused(400, 7, "200"):
            partition.send_os_command(wrong)


def test_a_session_has_one_channel_for_each_partition(z16: Lab) -> None:
    partition = z16.partition()
    with refused(409, 332):
        partition.open_os_message_channel()
    z16.start(partition)

    topic = partition.open_os_message_channel()

    with refused(409, 331):
        partition.open_os_message_channel()
    topics = z16.session.get_notification_topics()
    assert (topics[-1]["topic-name"], topics[-1]["object-uri"]) == (topic, partition.uri)
    login = z16.session.session_id, z16.session.session_credential
    with received(z16, topic, *login) as messages:
        z16.control.add_os_message(partition.uri, "hello")
        until(lambda: bool(messages))
    headers, body = messages[0]
    assert headers["notification-type"] == "os-message"
    assert body["os-messages"][0]["message-text"] == "hello"


@pytest.mark.parametrize("view_only", [False, True])
def test_who_may_only_view_messages_sends_no_command(z16: Lab, view_only: bool) -> None:
    partition = z16.partition()
    z16.start(partition)
    task = "Operating System Messages" + (" (view-only)" if view_only else "")
    z16.control.set_user(z16.hmc.userid, tasks=[task])

    assert texts(partition) == []
    if view_only:
        with refused(403, 1, "Operating System Messages"):
            partition.send_os_command("root")
    else:
        partition.send_os_command("root")
