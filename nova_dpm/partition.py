"""A partition's life on the HMC: made, found, started, stopped, deleted.

A partition is found by its name, `names.partition_name`. URIs that were found once are kept to save
that request, and looked up again when the HMC does not know them any more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from dpm_hmc import answers, names
from dpm_hmc.answers import Properties
from dpm_hmc.client import Hmc
from dpm_hmc.errors import NotFoundError
from dpm_hmc.statuses import Status
from nova_dpm import operations

BOOT_PARAMETERS = "boot-os-specific-parameters"
"""The property that the firmware appends to the kernel command line."""

_BRIEF_TIMES = 2


@dataclass(frozen=True)
class Listed:
    """What a list of partitions shows of one."""

    uri: str
    name: str
    status: Status

    @classmethod
    def of(cls, shown: Properties) -> Listed:
        """Read an item of a list.

        Raises:
            AnswerError: it is none of partitions.
        """
        return cls(answers.uri(shown, "object-uri"), answers.text(shown, "name"), _status(shown))


@dataclass(frozen=True)
class Partition:
    """What the HMC says of a partition; it is the key to all that belongs to it."""

    uri: str
    name: str
    status: Status
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
            _status(properties),
            answers.uris(properties, "nic-uris"),
            answers.uris(properties, "hba-uris"),
            answers.uris(properties, "storage-group-uris"),
            answers.optional_text(properties, BOOT_PARAMETERS),
            properties,
        )

    @classmethod
    def gone(cls, name: str) -> Partition:
        """Return what stands for one that is not there, of which other things may be left."""
        return cls("", name, Status.STOPPED, (), (), (), "", {})

    @property
    def is_there(self) -> bool:
        """Whether there is such a partition."""
        return bool(self.uri)


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

    def create(self, instance_uuid: str, processors: int, memory: int) -> Partition:
        """Make a stopped partition.

        HMC permission: task New Partition; access to the CPC.

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
        return Partition.of({**body, "object-uri": uri, "status": Status.STOPPED})

    def update(self, uri: str, properties: Properties) -> None:
        """Set properties of a partition.

        HMC permission: task Partition Details.

        Raises:
            HmcError: the HMC failed.
        """
        self._hmc.update(uri, properties)

    def start(self, uri: str) -> None:
        """Start a partition, and return when it is active or degraded.

        HMC permission: task Start Partition.

        Raises:
            NothingRunsError: nothing could be loaded, or what was loaded has ended.
            HmcError: it did not become so.
        """
        operations.run(self._hmc, uri, operations.START)

    def stop(self, uri: str) -> None:
        """Stop a partition, whatever state it is in, and return when it is stopped.

        HMC permission: task Stop Partition.

        Raises:
            HmcError: it did not become so.
        """
        operations.run(self._hmc, uri, operations.STOP)

    def delete(self, partition: Partition) -> None:
        """Delete a stopped partition, with its NICs and HBAs; that it is gone is also fine.

        HMC permission: task Delete Partition.

        Raises:
            HmcError: it is still there.
        """
        self._hmc.delete(partition.uri)
        self._uris.pop(partition.name, None)

    def _look_up(self, name: str) -> str | None:
        for listed in self._list(re.escape(name)):
            if listed.name == name:
                self._uris[name] = listed.uri
                return listed.uri
        return None

    def _list(self, pattern: str) -> list[Listed]:
        answer = self._hmc.get(f"{self._list_uri}?name={quote(pattern)}")
        return [Listed.of(each) for each in answers.objects(answer, "partitions")]


def _status(properties: Properties) -> Status:
    return Status(answers.text(properties, "status"))
