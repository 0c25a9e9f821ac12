"""From a request to an answer: log, faults, latency, session, resources."""

from __future__ import annotations

import json
import re
import ssl
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TextIO

from dpm_lab.hmc.api.behaviour import Behaviour
from dpm_lab.hmc.api.calls import Accepted, Context
from dpm_lab.hmc.api.faults import Fault, Faults
from dpm_lab.hmc.api.refusals import Reason, Refusal, bad, missing
from dpm_lab.hmc.api.statuses import STARTED
from dpm_lab.hmc.api.terminals import PATH, Terminal, Ticket
from dpm_lab.hmc.api.tree import Tree
from dpm_lab.hmc.api.uris import SUBMIT, dispatch, perform
from dpm_lab.hmc.machines.machine import Machine
from dpm_lab.hmc.wire import bodies
from dpm_lab.hmc.wire.log import Request, RequestLog, shown
from dpm_lab.hmc.wire.notifications import Notification, Notifier
from dpm_lab.hmc.wire.sessions import Session, Sessions
from dpm_lab.hmc.wire.stomp import Broker

_THIS_SESSION = "/api/sessions/this-session"
_TOPICS = "/api/sessions/operations/get-notification-topics"


@dataclass(frozen=True)
class Answer:
    """What goes back. `body` None: nothing but the status; `dropped`: not even that."""

    status: int
    body: Any = None
    dropped: bool = False

    def content(self) -> bytes:
        """Return the body as it is sent."""
        return b"" if self.body is None else json.dumps(self.body).encode()


_DROPPED = Answer(0, dropped=True)


class Service:
    """The HMC without its socket."""

    def __init__(
        self,
        machines: Sequence[Machine],
        sessions: Sessions,
        *logs: TextIO,
        behaviour: Behaviour | None = None,
        durations: Mapping[str, Any] | None = None,
    ) -> None:
        self.sessions = sessions
        self.faults = Faults()
        self.log = RequestLog(*logs)
        self.latency = 0.0
        self.tree = Tree(machines, behaviour, durations)
        self._stop = threading.Event()
        sessions.users.limits = self._limits
        self.broker = Broker(sessions, self._subscribed)
        self.tree.os_messages.publish = lambda topic, headers, body: self.broker.publish(
            Notification(topic, headers, body)
        )
        self._notifier = Notifier(self.tree, sessions, self.broker.publish)

    def _limits(self) -> tuple[int | None, int | None]:
        behaviour = self.tree.behaviour
        return behaviour.max_failed_logins, behaviour.disable_delay

    def _subscribed(self) -> None:
        self._notifier.watch()

    def close(self) -> None:
        """End: nobody sleeps any more, nothing happens later."""
        self._stop.set()
        self.tree.clock.close()

    def reset(self) -> None:
        """Undo what was ordered and made; sessions stay."""
        with self.tree.lock:
            self.tree.load()
            self.tree.changed()
        self.sessions.users.reset()
        self.faults.clear()
        self.log.reset()
        self.latency = 0.0

    def console(self, connection: ssl.SSLSocket, path: str, headers: list[tuple[str, str]]) -> bool:
        """Join a websocket to the ASCII console that its URI is the ticket of.

        It ends with the session that has asked for the ticket, and with the console.

        Returns:
            Whether it was one: a ticket is good once.
        """
        # Late: OpenStack's environments, which import constants of ours, have no wsproto.
        from dpm_lab.hmc.wire import websockets

        began = time.time()
        with self.tree.lock:
            ticket, terminal = self._seat(path)
        joined = False
        if ticket is not None and terminal is not None:
            try:
                joined = websockets.serve(
                    connection, headers, path, terminal, lambda: self._may_stay(ticket)
                )
            finally:
                with self.tree.lock:
                    self.tree.ascii_consoles.give_back(ticket)
                terminal.close()
        # Without the ticket, and when it has ended: how long somebody was there.
        status = 101 if joined else 404
        self.log.add(Request("GET", f"{PATH}...", status, began, time.time() - began))
        return joined

    def _seat(self, path: str) -> tuple[Ticket | None, Terminal | None]:
        tree = self.tree
        consoles = tree.ascii_consoles
        ticket = consoles.take(path)
        # Of two who have a ticket, the second one finds the console taken.
        if ticket is None or consoles.is_taken(
            ticket.partition, tree.behaviour.ascii_consoles == "one-per-hmc"
        ):
            return None, None
        partition = tree.resources.get(ticket.partition)
        lives = self.sessions.find(ticket.session) is not None
        terminal = tree.guests.terminal(partition) if partition and lives else None
        if terminal is not None:
            consoles.sit_down(ticket)
        return ticket, terminal

    def _may_stay(self, ticket: Ticket) -> bool:
        with self.tree.lock:
            partition = self.tree.resources.get(ticket.partition)
            runs = partition is not None and partition.properties["status"] in STARTED
            return (
                runs
                and ticket in self.tree.ascii_consoles.open
                and self.sessions.find(ticket.session) is not None
                and not self._stop.is_set()
            )

    def answer(self, method: str, uri: str, session: str | None, content: bytes) -> Answer:
        """Answer a request and write it down."""
        began = time.time()
        body: Any = None
        try:
            body = bodies.parse(content)
        except Refusal as refusal:
            answer = _refused(refusal, method, uri)
        else:
            answer = self._answer(method, uri, session, body)
        took = time.time() - began
        self.log.add(Request(method, uri, answer.status, began, took, shown(body)))
        return answer

    def _answer(self, method: str, uri: str, session: str | None, body: Any) -> Answer:
        faults = self.faults.hits(method, uri)
        wait = self.latency + sum(fault.seconds for fault in faults if fault.kind == "delay")
        if wait:
            self._stop.wait(wait)
        kinds = {fault.kind: fault for fault in faults}
        if "drop-before" in kinds:
            return _DROPPED
        if "expire-session" in kinds:
            self.sessions.end(session)
        try:
            if "status" in kinds:
                fault = kinds["status"]
                raise Refusal(fault.status, fault.reason, fault.message)
            answer = self._process(method, uri, session, body, faults)
        except re.error as error:
            answer = _refused(bad("name", uri, f"no regular expression: {error}"), method, uri)
        except Refusal as refusal:
            answer = _refused(refusal, method, uri)
        except Exception as error:  # noqa: BLE001 - the outermost boundary: one of many
            traceback.print_exc()
            cause = f"The lab's own fault: {type(error).__name__}: {error}"
            answer = _refused(Reason.FAULT_OF_LAB(cause), method, uri)
        if "status-after" in kinds:
            fault = kinds["status-after"]
            ordered = Refusal(fault.status, fault.reason, fault.message)
            answer = _refused(ordered, method, uri)
        return replace(answer, dropped=True, status=0) if "drop-after" in kinds else answer

    def _process(
        self, method: str, uri: str, key: str | None, body: Any, faults: list[Fault]
    ) -> Answer:
        path = uri.partition("?")[0]
        if (method, path) == ("POST", "/api/sessions"):
            return self._logon(body)
        if (method, path) == ("GET", "/api/version"):
            with self.tree.lock:
                return Answer(200, dispatch(Context(self.tree), method, uri, None))
        session = self.sessions.use(key)
        if (method, path) == ("DELETE", _THIS_SESSION):
            self.sessions.end(key)
            return Answer(204)
        if (method, path) == ("GET", _TOPICS):
            with self.tree.lock:
                channels = self.tree.os_messages.topics(session.key)
            return Answer(200, {"topics": [*_topics(session), *channels]})
        with self.tree.lock:
            users = self.sessions.users
            user = users.find(session.userid)
            context = Context(self.tree, session.key, faults, user, users)
            # The requests in one are checked one by one.
            answered = dispatch if path == SUBMIT else perform
            result = answered(context, method, uri, body)
            if method != "GET":
                self.tree.changed()
            # Answered while the lock is held, so that nothing changes what is sent.
            if isinstance(result, Accepted):
                return Answer(202, {"job-uri": result.job.uri} if result.job else None)
            return Answer(204) if result is None else Answer(200, json.loads(json.dumps(result)))

    def _logon(self, body: Any) -> Answer:
        for name in ("userid", "password"):
            if not isinstance(body, dict) or not isinstance(body.get(name), str):
                raise missing(name)
        session = self.sessions.logon(body["userid"], body["password"])
        major, minor = self.tree.api_version
        return Answer(
            200,
            {
                "api-session": session.key,
                "session-credential": session.credential,
                "notification-topic": session.object_topic,
                "job-notification-topic": session.job_topic,
                "api-major-version": major,
                "api-minor-version": minor,
                "password-expires": -1,
            },
        )


def _topics(session: Session) -> list[dict[str, str]]:
    return [
        {"topic-type": "object-notification", "topic-name": session.object_topic},
        {"topic-type": "job-notification", "topic-name": session.job_topic},
    ]


def _refused(refusal: Refusal, method: str, uri: str) -> Answer:
    return Answer(refusal.status, refusal.body(method, uri))
