"""Neutron's message bus in this process, and its end in neutron-server."""

from __future__ import annotations

import json
import threading
from types import TracebackType
from typing import Any, Self

import oslo_messaging
from oslo_config import cfg

from networking_dpm.agent.heartbeat import Heartbeat
from networking_dpm.report import Report

TIMEOUT = 5.0


class Bus:
    """Takes heartbeats of an agent, as JSON like the true bus. A context manager."""

    target = oslo_messaging.Target(version="1.4")

    def __init__(self) -> None:
        self.conf = cfg.CONF
        self.transport = oslo_messaging.get_rpc_transport(self.conf, "fake:///")
        self.heard: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self.came = threading.Semaphore(0)
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.answer: str | Exception = "alive"
        self._server = oslo_messaging.get_rpc_server(
            self.transport,
            oslo_messaging.Target(exchange="neutron", topic="q-reports-plugin", server="test"),
            [self],
        )

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.stop()
        self._server.wait()
        self.transport.cleanup()  # of what nobody took

    def report_state(self, context: dict[str, Any], **sent: Any) -> str:
        """Take a heartbeat."""
        self.heard.append((json.loads(json.dumps(context)), json.loads(json.dumps(sent))))
        self.came.release()
        self.may_answer.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def heartbeat(self, host: str) -> Heartbeat:
        """Return the agent's end."""
        return Heartbeat(self.conf, host, TIMEOUT, self.transport)


def sent(host: str, report: Report) -> tuple[dict[str, Any], dict[str, Any]]:
    """What an agent that starts sends: its context, and what it calls with."""
    with Bus() as bus:
        bus.heartbeat(host).beat(report)
    [heard] = bus.heard
    return heard
