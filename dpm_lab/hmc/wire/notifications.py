"""What the HMC tells of its own accord: changes of properties, status, inventory; ends of jobs.

Operations tell nothing, so all resources are compared with what they were. That is only done while
someone has subscribed.

The forms are those that zhmcclient's auto-updater reads (``_auto_updater.py``). What a job's
completion looks like besides its type is guessed: a header ``job-uri`` and no body.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from dpm_lab.hmc.api.jobs import Job
from dpm_lab.hmc.api.tree import Tree
from dpm_lab.hmc.wire.sessions import Sessions

#: Changes go to the object topics of all sessions.
OBJECT_TOPICS = "lab.object."


@dataclass(frozen=True)
class Notification:
    """A message for the subscribers of one topic, or of all topics that begin so."""

    topic: str
    headers: dict[str, str]
    body: dict[str, Any] | None = None


class Notifier:
    """Finds out what changed and has it published."""

    def __init__(
        self, tree: Tree, sessions: Sessions, publish: Callable[[Notification], None]
    ) -> None:
        self._tree = tree
        self._sessions = sessions
        self._publish = publish
        self._seen: dict[str, dict[str, Any]] | None = None
        tree.changed = self._changed
        tree.jobs.ended = self._ended

    def watch(self) -> None:
        """Begin to compare: from now on someone listens."""
        with self._tree.lock:
            if self._seen is None:
                self._seen = self._snapshot()

    def _snapshot(self) -> dict[str, dict[str, Any]]:
        return {
            uri: copy.deepcopy(resource.properties)
            for uri, resource in self._tree.resources.items()
        }

    def _changed(self) -> None:
        """Tell what is not as it was; called with the lock held."""
        if self._seen is None:
            return
        before, self._seen = self._seen, self._snapshot()
        for notification in changes(before, self._seen):
            self._publish(notification)

    def _ended(self, job: Job) -> None:
        session = self._sessions.find(job.session)
        if self._seen is not None and session is not None:
            self._changed()
            headers = {"notification-type": "job-completion", "job-uri": job.uri}
            self._publish(Notification(session.job_topic, headers))


def changes(
    before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]
) -> Iterator[Notification]:
    """Iterate over the notifications that lead from one snapshot to another."""
    for uri in before.keys() - after.keys():
        yield _inventory(before[uri], "remove")
    for uri in after.keys() - before.keys():
        yield _inventory(after[uri], "add")
    for uri in before.keys() & after.keys():
        if before[uri] != after[uri]:
            yield from _properties(before[uri], after[uri])


def _inventory(properties: dict[str, Any], action: str) -> Notification:
    headers = {"notification-type": "inventory-change", "action": action}
    return Notification(OBJECT_TOPICS, {**headers, **_identity(properties)})


def _properties(before: dict[str, Any], after: dict[str, Any]) -> Iterator[Notification]:
    changed = {
        name: (before.get(name), after.get(name))
        for name in before.keys() | after.keys()
        if before.get(name) != after.get(name) and not name.startswith("lab-")
    }
    identity = _identity(after)
    if "status" in changed:
        old, new = changed.pop("status")
        report: dict[str, Any] = {"old-status": old, "new-status": new}
        headers = {"notification-type": "status-change", **identity}
        yield Notification(OBJECT_TOPICS, headers, {"change-reports": [report]})
    if changed:
        reports = [
            {"property-name": name, "old-value": old, "new-value": new}
            for name, (old, new) in sorted(changed.items())
        ]
        headers = {"notification-type": "property-change", **identity}
        yield Notification(OBJECT_TOPICS, headers, {"change-reports": reports})


def _identity(properties: dict[str, Any]) -> dict[str, str]:
    """Return the headers that say which object it is; an element has its parent's URI besides."""
    headers = {"class": str(properties.get("class", "")), "name": str(properties.get("name", ""))}
    if "element-uri" in properties:
        headers["element-uri"] = properties["element-uri"]
        headers["element-id"] = str(properties.get("element-id", ""))
        headers["object-uri"] = str(properties.get("parent", ""))
    else:
        headers["object-uri"] = properties["object-uri"]
        headers["object-id"] = str(properties.get("object-id", ""))
    return headers
