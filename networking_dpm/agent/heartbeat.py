"""The heartbeat: what neutron-server hears of a host, over Neutron's message bus.

It is one call of Neutron's (neutron 29, ``agent/rpc.py``, `PluginReportStateAPI`; its other end is
``db/agents_db.py``, `AgentExtRpcCallback`), made here with oslo.messaging alone: an agent that
imports Neutron takes twice the memory.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import oslo_messaging
from oslo_config import cfg
from oslo_context.context import RequestContext
from oslo_log import log

from networking_dpm.report import AGENT_TYPE, BINARY, Report

LOG = log.getLogger(__name__)

_TOPIC = "q-reports-plugin"
_VERSION = "1.1"
"""Since it the answer says how the server sees the agent."""
BUS_FAILURES = (oslo_messaging.MessagingException,)
"""What the message bus raises, also of a ``transport_url`` that is none."""
_REVIVED = "revived"

oslo_messaging.set_transport_defaults(control_exchange="neutron")


class Heartbeat:
    """Reports a host to neutron-server.

    Args:
        conf: with the message bus
        host: OpenStack host
        interval: seconds between two reports, and in which one has to be answered
        transport: to it; made of `conf` where there is none
    """

    def __init__(
        self, conf: cfg.ConfigOpts, host: str, interval: float, transport: Any = None
    ) -> None:
        self._host = host
        self._interval = interval
        self._client = oslo_messaging.get_rpc_client(
            transport or oslo_messaging.get_rpc_transport(conf),
            oslo_messaging.Target(topic=_TOPIC, version=_VERSION),
            timeout=interval,
        )
        self._reported: Report | None = None
        self._fails = False

    def beat(self, report: Report) -> None:
        """Report; log where it fails, and where it is done again."""
        try:
            status = self._client.call(
                RequestContext(is_admin=True, overwrite=False).to_dict(),
                "report_state",
                agent_state={"agent_state": self._state(report)},
                time=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f"),
            )
        except BUS_FAILURES as error:
            if not self._fails:
                text = "neutron-server does not take the heartbeat: %s: %s. Trying on"
                LOG.error(text, type(error).__name__, error)
            self._fails = True
            return
        if self._fails or status == _REVIVED:
            LOG.info("neutron-server takes the heartbeat again")
        elif self._reported is None:
            LOG.info("neutron-server knows the agent of host %s", self._host)
        self._fails, self._reported = False, report

    def run(self, stop: threading.Event, news: threading.Event, now: Callable[[], Report]) -> None:
        """Report every `interval` seconds, and when there are news, until `stop`.

        Args:
            stop: ends it
            news: there is something else to report
            now: returns what to report
        """
        while not stop.is_set():
            news.wait(self._interval)
            news.clear()
            if stop.is_set():
                return
            try:
                self.beat(now())
            except Exception:
                # The outermost boundary: the next one may go through.
                LOG.exception("The heartbeat failed; again in %g s", self._interval)

    def _state(self, report: Report) -> dict[str, Any]:
        state: dict[str, Any] = {
            "agent_type": AGENT_TYPE,
            "binary": BINARY,
            "host": self._host,
            "topic": "N/A",
            "configurations": report.configurations(),
            "uuid": str(uuid.uuid4()),
        }
        if report != self._reported:
            # Neutron maps segments to hosts again only with it (``services/segments/db.py``,
            # `_update_segment_host_mapping_for_agent`).
            state["start_flag"] = True
        return state
