"""Operations on operating system messages: the list, the channel, and commands."""

from __future__ import annotations

from typing import Any

from dpm_lab.hmc.api.calls import Call
from dpm_lab.hmc.api.messages import Channel
from dpm_lab.hmc.api.refusals import Reason, bad, not_found
from dpm_lab.hmc.api.statuses import WITH_SYSTEM

#: Longest command (tessia-baselib, ``hmc.py``).
_LONGEST = 200
_SINCE = "2.14"
_PARAMETERS = frozenset(
    {"begin-sequence-number", "end-sequence-number", "is-held", "is-priority", "max-messages"}
)


def list_messages(call: Call) -> Any:
    """List OS Messages of a Partition (SE 2.14.0 and later)."""
    tree = call.tree
    partition = tree.find(call.base)
    if tree.machine(partition).hmc_version < _SINCE:
        raise not_found(call.path)
    query = {name: values[-1] for name, values in call.query(*_PARAMETERS).items()}
    begin, end = _number(query, "begin-sequence-number", 0), _number(query, "end-sequence-number")
    found = [
        message
        for message in tree.os_messages.by_partition.get(partition.uri, [])
        if begin is not None
        and message["sequence-number"] >= begin
        and (end is None or message["sequence-number"] <= end)
        and all(
            str(message[name]).lower() == query[name]
            for name in ("is-held", "is-priority")
            if name in query
        )
    ]
    most = _number(query, "max-messages", 0)
    return {"os-messages": found[-most:] if most else found}


def _number(query: dict[str, str], name: str, default: int | None = None) -> int | None:
    if name not in query:
        return default
    if not query[name].isdecimal():
        raise bad(name, query[name], "it is a number from 0")
    return int(query[name])


def open_channel(call: Call) -> Any:
    """Open OS Message Channel: one topic for each session and partition (tessia-baselib)."""
    tree = call.tree
    partition = tree.find(call.base)
    with_refresh = (call.body or {}).get("include-refresh-messages", True)
    session = call.context.session
    _check_interface(partition, Reason.NO_MESSAGES)
    messages = tree.os_messages
    mine = [each.partition for each in messages.channels if each.session == session]
    if partition.uri in mine:
        raise Reason.CHANNEL_IS_OPEN("The session has a topic for the messages of this partition")
    topic = f"lab.os.{len(messages.channels) + 1}.{partition.id}"
    messages.channels.append(Channel(session, partition.uri, topic, bool(with_refresh)))
    return {"topic-name": topic}


def _check_interface(partition: Any, reason: Reason) -> None:
    if partition.properties["status"] not in WITH_SYSTEM:
        raise reason(f"Partition {partition.name} has no messages interface")


def send_command(call: Call) -> None:
    """Send OS Command: a line for the guest, which echoes it.

    Without a guest it comes back as a message all the same (guessed).
    """
    tree = call.tree
    partition = tree.find(call.base)
    body = call.object("operating-system-command-text")
    call.allow("operating-system-command-text", "is-priority")
    text = body["operating-system-command-text"]
    if not isinstance(text, str) or not 1 <= len(text) <= _LONGEST:
        raise bad("operating-system-command-text", text, f"it has 1 to {_LONGEST} characters")
    _check_interface(partition, Reason.WRONG_STATE)
    if not tree.guests.command(partition, text):
        tree.os_messages.add(partition.uri, text)
