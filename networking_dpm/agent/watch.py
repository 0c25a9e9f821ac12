"""Looks at the HMC now and then, and says what has changed there.

What was found stays in force while the HMC cannot be asked: partitions and their NICs go on without
it. What the HMC says is gone is withdrawn at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from oslo_log import log

from dpm_hmc.client import Hmc
from dpm_hmc.errors import AnswerError, ConfigError, DpmError, HttpError
from networking_dpm.agent.backings import Found, Look, usable_cpc
from networking_dpm.conf import Mapping
from networking_dpm.report import Report

LOG = log.getLogger(__name__)

UNKNOWN = "the HMC has not been asked yet"


class Watch:
    """What is behind the physical networks of a host.

    Args:
        hmc: the session
        cpc_object_id: of the CPC
        mappings: what the operator says
    """

    def __init__(self, hmc: Hmc, cpc_object_id: str, mappings: Sequence[Mapping]) -> None:
        self._hmc = hmc
        self._cpc_object_id = cpc_object_id
        self._mappings = mappings
        self._found: dict[str, Found] = {}
        self._problems = {each.physical_network: UNKNOWN for each in mappings}
        self._is_known = False
        self._outage = ""
        self._unknown: dict[str, str] = {}
        self.report = Report({}, dict(self._problems))

    def look(self) -> bool:
        """Ask the HMC; log what has changed; return whether the report has changed."""
        before = self.report
        try:
            cpc = usable_cpc(self._hmc, self._cpc_object_id)
            look = Look(self._hmc, cpc, dict(self._found))
            answers = {each: _answer(look, each) for each in self._mappings}
        except DpmError as error:
            self._say_outage(error)
        else:
            self._say_return()
            self._is_known = True
            for mapping, answer in answers.items():
                if isinstance(answer, Found):
                    self._take(mapping, answer)
                elif isinstance(answer, ConfigError):
                    self._withdraw(mapping, answer)
                else:
                    self._keep(mapping, answer)
        self.report = Report(
            {name: each.backing for name, each in self._found.items()}, dict(self._problems)
        )
        return self.report != before

    def run(self, stop: threading.Event, interval: float, changed: Callable[[], None]) -> None:
        """Look at once and then every `interval` seconds, until `stop`.

        Args:
            stop: ends it
            interval: in seconds
            changed: called after the first look, and after each by which the report changes
        """
        is_first = True
        while not stop.is_set():
            try:
                has_changed = self.look()
            except Exception:
                # The outermost boundary: whatever it is, the next look may find all well again.
                LOG.exception("The HMC could not be asked; again in %g s", interval)
                has_changed = False
            if has_changed or is_first:
                changed()
            is_first = False
            stop.wait(interval)

    def _take(self, mapping: Mapping, found: Found) -> None:
        name = mapping.physical_network
        before = self._found.get(name)
        self._found[name] = found
        self._problems.pop(name, None)
        self._unknown.pop(name, None)
        if before is None:
            LOG.info("Physical network %s: %s", name, found.words)
        elif not found.is_where(before):
            LOG.warning(
                "Physical network %s: was %s, and is now %s. Look at the servers with NICs there",
                *(name, before.words, found.words),
            )
        if found.doubt and (before is None or before.doubt != found.doubt):
            text = "Physical network %s: %s is %s. NICs there have no network; look at the adapter"
            LOG.warning(text, name, found.words, found.doubt)
        elif before is not None and before.doubt and not found.doubt:
            LOG.info("Physical network %s: %s works again", name, found.words)

    def _withdraw(self, mapping: Mapping, error: ConfigError) -> None:
        name = mapping.physical_network
        was_there = self._found.pop(name, None) is not None
        self._unknown.pop(name, None)
        if was_there or self._problems.get(name) != error.finding:
            self._problems[name] = error.finding
            LOG.error("Physical network %s: no port can be bound: %s", name, error)

    def _keep(self, mapping: Mapping, error: DpmError) -> None:
        """The HMC answers something about this one that says neither that it is there nor not."""
        name = mapping.physical_network
        if name not in self._found:
            self._problems[name] = error.finding
        if self._unknown.get(name) != error.finding:
            self._unknown[name] = error.finding
            LOG.warning("Physical network %s stays as it was: %s", name, error)

    def _say_outage(self, error: DpmError) -> None:
        if error.finding != self._outage:
            self._outage = error.finding
            LOG.warning("Physical networks stay as they were: %s", error)
        if not self._is_known:
            self._problems = dict.fromkeys(self._problems, error.finding)

    def _say_return(self) -> None:
        if self._outage:
            self._outage = ""
            LOG.info("HMC %s answers again", self._hmc.address)


def _answer(look: Look, mapping: Mapping) -> Found | DpmError:
    try:
        return look.find(mapping)
    except (ConfigError, HttpError, AnswerError) as error:
        return error
