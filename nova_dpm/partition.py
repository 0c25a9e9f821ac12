"""A partition's life on the HMC: made, found, started, stopped, deleted.

A partition is found by its name, `names.partition_name`. URIs that were found once are kept to save
that request, and looked up again when the HMC does not know them any more.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from oslo_log import log

from dpm_hmc import answers, names
from dpm_hmc.answers import Properties
from dpm_hmc.client import Hmc
from dpm_hmc.errors import (
    ConflictError,
    HttpError,
    JobTimeoutError,
    NotFoundError,
    StateError,
    UnansweredError,
)

LOG = log.getLogger(__name__)

BOOT_PARAMETERS = "boot-os-specific-parameters"
"""The property that the firmware appends to the kernel command line."""

STOPPED = "stopped"
STARTING = "starting"
STOPPING = "stopping"
RUNNING = frozenset({"active", "degraded"})
RESERVATION_ERROR = "reservation-error"
NOT_RUNNING = frozenset({STOPPED, RESERVATION_ERROR})
"""Of a partition that could not have its resources, Stop is refused, and Start and Delete are not
(zhmc-ansible-modules, ``common.py``, ``stop_partition``)."""

HALTED = frozenset({"paused", "terminated"})
"""No operating system runs, and the partition has to be stopped before it can be started."""

STATUS_TIMEOUT = 60.0
"""Seconds from the end of a job to the status that it leads to: meanwhile the HMC may show the one
before, or ``paused`` (zhmcclient 1.26, ``_partition.py``, "deferred status behavior", and its
``DEFAULT_STATUS_TIMEOUT``)."""

_WHY = {
    "paused": "nothing could be loaded, or what was loaded has ended; its operating system "
    "messages on the HMC say why. Is the boot volume an s390x image?",
    "terminated": "its operating system has ended; its operating system messages on the HMC say "
    "why",
    RESERVATION_ERROR: "the CPC cannot give it its processors, memory or adapters; its hardware "
    "messages on the HMC say which",
}

_BRIEF_TIMES = 2


@dataclass(frozen=True)
class Listed:
    """What a list of partitions shows of one."""

    uri: str
    name: str
    status: str


@dataclass(frozen=True)
class Partition:
    """What the HMC says of a partition."""

    uri: str
    name: str
    status: str
    nic_uris: tuple[str, ...]
    hba_uris: tuple[str, ...]
    storage_group_uris: tuple[str, ...]
    boot_parameters: str
    properties: Properties

    @classmethod
    def of(cls, properties: Properties) -> Partition:
        """Read the properties of a partition.

        Raises:
            AnswerError: they are none.
        """
        return cls(
            answers.uri(properties, "object-uri"),
            answers.text(properties, "name"),
            answers.text(properties, "status"),
            answers.uris(properties, "nic-uris"),
            answers.uris(properties, "hba-uris"),
            answers.uris(properties, "storage-group-uris"),
            answers.optional_text(properties, BOOT_PARAMETERS),
            properties,
        )

    @property
    def is_stopped(self) -> bool:
        """Whether it can be started or deleted as it is."""
        return self.status in NOT_RUNNING

    @property
    def is_running(self) -> bool:
        """Whether an operating system runs in it, as far as the HMC knows."""
        return self.status in RUNNING


class Partitions:
    """The partitions of one OpenStack host on one CPC.

    Args:
        hmc: the session
        cpc_uri: of the CPC
        host: OpenStack host
    """

    def __init__(self, hmc: Hmc, cpc_uri: str, host: str) -> None:
        self._hmc = hmc
        self._list_uri = f"{cpc_uri}/partitions"
        self._host = host
        self._uris: dict[str, str] = {}

    def name(self, instance_uuid: str) -> str:
        """Return the name of the partition of an instance."""
        return names.partition_name(self._host, instance_uuid)

    def listed(self) -> dict[str, Listed]:
        """Return all partitions of this host by the uuid of their instance. One request.

        Raises:
            HmcError: the HMC failed.
        """
        found = {}
        for listed in self._list(names.partition_pattern(self._host)):
            uuid = names.instance_uuid(self._host, listed.name)
            if uuid is not None:
                found[uuid] = listed
        self._uris = {self.name(uuid): listed.uri for uuid, listed in found.items()}
        return found

    def find(self, instance_uuid: str) -> Partition | None:
        """Return the partition of an instance, or None. One request where its URI is known.

        Raises:
            HmcError: the HMC failed.
        """
        name = self.name(instance_uuid)
        for _ in range(_BRIEF_TIMES):
            uri = self._uris.get(name) or self._look_up(name)
            if uri is None:
                return None
            try:
                return Partition.of(self._hmc.get(uri))
            except NotFoundError:
                self._uris.pop(name, None)  # deleted by somebody else, or made anew meanwhile
        return None

    def known_uri(self, instance_uuid: str) -> str | None:
        """Return the URI of an instance's partition: from memory, or as the HMC lists it."""
        name = self.name(instance_uuid)
        return self._uris.get(name) or self._look_up(name)

    def create(self, instance_uuid: str, processors: int, memory: int) -> str:
        """Make a stopped partition, and return its URI.

        Args:
            instance_uuid: of the instance that it is for
            processors: number of shared IFL processors
            memory: MiB

        Raises:
            NameTakenError: there is one of this name.
            HmcError: the HMC failed.
        """
        name = self.name(instance_uuid)
        body: Properties = {
            "name": name,
            "description": names.subset_description(self._host),
            "processor-mode": "shared",
            "ifl-processors": processors,
            "initial-memory": memory,
            "maximum-memory": memory,
        }
        uri = self._hmc.create(self._list_uri, body, lambda: self._look_up(name))
        self._uris[name] = uri
        return uri

    def update(self, uri: str, properties: Properties) -> None:
        """Set properties of a partition.

        Raises:
            HmcError: the HMC failed.
        """
        self._hmc.update(uri, properties)

    def start(self, uri: str) -> None:
        """Start a partition, and return when it is active or degraded.

        Raises:
            HmcError: it did not become so.
        """
        self._run(uri, "start", lambda status: status in RUNNING)

    def stop(self, uri: str) -> None:
        """Stop a partition, whatever state it is in, and return when it is stopped.

        Raises:
            HmcError: it did not become so.
        """
        self._run(uri, "stop", lambda status: status in NOT_RUNNING)

    def delete(self, partition: Partition) -> None:
        """Delete a stopped partition, with its NICs and HBAs; that it is gone is as good.

        Raises:
            HmcError: it is still there.
        """
        self._hmc.delete(partition.uri)
        self._uris.pop(partition.name, None)

    def status(self, uri: str) -> str:
        """Return a partition's status.

        Raises:
            NotFoundError: it is not there.
            HmcError: the HMC failed.
        """
        return answers.text(self._hmc.get(uri), "status")

    def _run(self, uri: str, operation: str, is_done: Callable[[str], bool]) -> None:
        """Do an operation once, or join the one that is under way, and see it to its end.

        That is not the end of the job, but the status that it leads to: it also tells whether a
        request was carried out whose answer was lost, or was an error of the HMC itself.
        """
        under_way = STARTING if operation == "start" else STOPPING
        for attempt in range(1, _BRIEF_TIMES + 1):
            try:
                job = self._hmc.begin(f"{uri}/operations/{operation}", {})
            except (UnansweredError, HttpError) as error:
                # It was carried out and the answer lost, or the state is not right for it.
                if isinstance(error, HttpError) and not _leaves_doubt(error):
                    raise
                *passed, status = self._statuses(uri)
                if is_done(status):
                    return
                is_begun = under_way in passed or (operation == "start" and status in HALTED)
                if is_begun or attempt == _BRIEF_TIMES:
                    # What this request or another did may show late.
                    if is_done(self._become(uri, is_done)):
                        return
                    raise
                LOG.info("Partition %s is %s after: %s; %s again", uri, status, error, operation)
            else:
                try:
                    self._hmc.wait(job)
                except NotFoundError:
                    pass  # the HMC lost the job, not what the job did
                except JobTimeoutError:
                    if is_done(self.status(uri)):
                        return
                    raise
                break
        status = self._become(uri, is_done)
        if not is_done(status):
            why = _WHY.get(status, "its hardware and operating system messages on the HMC say why")
            raise StateError(f"Partition {uri} is {status} after {operation}: {why}")

    def _become(self, uri: str, is_done: Callable[[str], bool]) -> str:
        """Return the status that `is_done` waits for, or the one in which it has stayed instead."""

        def is_last(status: str) -> bool:
            return is_done(status) or status == RESERVATION_ERROR

        def last() -> str | None:
            status = self.status(uri)
            return status if is_last(status) else None

        status = self._statuses(uri)[-1]
        if is_last(status):
            return status
        try:
            return self._hmc.until(f"Partition {uri} as it should be", last, STATUS_TIMEOUT)
        except JobTimeoutError:
            return self.status(uri)

    def _statuses(self, uri: str) -> list[str]:
        """Return the statuses that are seen until one is neither starting nor stopping."""
        seen: list[str] = []

        def settled() -> list[str] | None:
            seen.append(self.status(uri))
            return None if seen[-1] in (STARTING, STOPPING) else seen

        return self._hmc.until(f"Partition {uri} neither starting nor stopping", settled)

    def _look_up(self, name: str) -> str | None:
        for listed in self._list(re.escape(name)):
            if listed.name == name:
                self._uris[name] = listed.uri
                return listed.uri
        return None

    def _list(self, pattern: str) -> list[Listed]:
        answer = self._hmc.get(f"{self._list_uri}?name={quote(pattern)}")
        return [
            Listed(
                answers.uri(each, "object-uri"),
                answers.text(each, "name"),
                answers.text(each, "status"),
            )
            for each in answers.objects(answer, "partitions")
        ]


def _leaves_doubt(error: HttpError) -> bool:
    """Whether the operation may be done, or under way, in spite of this answer."""
    return isinstance(error, ConflictError) or error.is_failure
