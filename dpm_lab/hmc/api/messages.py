"""The operating system messages of partitions.

Fields are those of "os-message-info" as zhmc-ansible-modules shows them
(``zhmc_partition_messages.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

#: How many messages are kept that are neither held nor of priority; how many it is is not said.
KEPT = 500
Publish = Callable[[str, dict[str, str], dict[str, Any]], None]


def _tell_nobody(topic: str, headers: dict[str, str], body: dict[str, Any]) -> None:
    """What happens to messages while no broker is there."""


@dataclass
class Channel:
    """A topic for the messages of one partition, for one session."""

    session: str
    partition: str
    topic: str
    with_refresh: bool


@dataclass
class OsMessages:
    """The messages of all partitions. To be used with the lock of the resource tree held."""

    publish: Publish = _tell_nobody
    by_partition: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    channels: list[Channel] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)
    _identity: int = 2328551

    def clear(self) -> None:
        """Forget all."""
        self.by_partition.clear()
        self.channels.clear()
        self._numbers.clear()

    def boot(self, uri: str) -> None:
        """A partition starts: that it begins with number 0 then, and has no others, is guessed."""
        self.by_partition.pop(uri, None)
        self._numbers.pop(uri, None)

    def add(self, uri: str, text: str, **fields: Any) -> None:
        """Add a message and tell who listens."""
        number = self._numbers.get(uri, 0)
        self._numbers[uri] = number + 1
        self._identity += 1
        message = {
            "sequence-number": number,
            "message-text": text,
            "message-id": self._identity,
            "timestamp": -1,
            "sound-alarm": False,
            "is-priority": False,
            "is-held": False,
            "prompt-text": "",
            "os-name": None,
            **fields,
        }
        messages = self.by_partition.setdefault(uri, [])
        messages.append(message)
        plain = [each for each in messages if not (each["is-held"] or each["is-priority"])]
        for each in plain[: max(0, len(plain) - KEPT)]:
            messages.remove(each)
        for channel in self.channels:
            if channel.partition == uri:
                headers = {"notification-type": "os-message", "object-uri": uri}
                # A notification's message has it, and one that is listed has not (zhmccli 1.15,
                # ``_helper.py``, `display_messages`).
                told = {**message, "is-refresh": False}
                self.publish(channel.topic, headers, {"os-messages": [told]})

    def topics(self, session: str) -> list[dict[str, Any]]:
        """Return the topics of a session, as "Get Notification Topics" has them."""
        return [
            {
                "topic-type": "os-message-notification",
                "topic-name": channel.topic,
                "object-uri": channel.partition,
                "include-refresh-messages": channel.with_refresh,
            }
            for channel in self.channels
            if channel.session == session
        ]
