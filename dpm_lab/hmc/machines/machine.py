"""Machines as data: what a machine file says, in the form of an HMC definition.

A machine file is short; this module fills in what follows from it: object ids that stay the same
from start to start, ports, and the virtual switches that adapter ports bring with them up to z16.
"""

from __future__ import annotations

import copy
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any

import yaml

from dpm_lab.hmc.errors import MachineError

#: A resource as HMC definitions have it: its properties and, by kind, its children.
Definition = dict[str, Any]

_IDS = uuid.UUID("6a1d0e52-9d0e-5c0b-8a55-6d9a3a3a0f11")
#: Types of adapters, and the family of each.
FAMILIES = {
    "fcp": "ficon",
    "osd": "osa",
    "hipersockets": "hipersockets",
    "roce": "roce",
    "neth": "network-express",
    "network-express-hybrid": "network-express",
    "cna": "cna",
    "crypto": "crypto",
}
#: The adapter types of which NICs are made, and the NIC types they give.
NIC_TYPES = {"osd": "osd", "hipersockets": "iqd", "roce": "roce", "cna": "cna"}
#: The adapter types of which each port has a virtual switch of its own up to z16.
SWITCHED = frozenset({"osd", "hipersockets"})
#: What a NIC on a Network Express adapter can be (zhmccli, ``test_nic.py``); Linux knows `neth`.
NETWORK_EXPRESS = ("neth", "osh", "netd")


@dataclass(frozen=True)
class Machine:
    """One CPC and the HMC that manages it."""

    name: str
    description: str
    hmc_version: str
    api_version: tuple[int, int]
    cpc: dict[str, Any]
    features: tuple[str, ...] = ()
    api_features: tuple[str, ...] = ()
    adapters: tuple[dict[str, Any], ...] = ()
    #: Of a machine that was read from somebody else's file: all that is in the CPC, its storage
    #: groups, and sentences about what was filled in and what is not used.
    ready: Definition | None = None
    groups: tuple[Definition, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def load(cls, name: str) -> Machine:
        """Read one of ours by its name; files are for `dpm_lab.hmc.machines.reading.read`.

        Raises:
            MachineError: there is no such machine.
        """
        if name not in names():
            raise MachineError(
                f"no machine {name!r}: there are {', '.join(names())}, and files *.yaml"
            )
        text = _folder().joinpath(f"{name}.yaml").read_text(encoding="utf-8")
        return cls.parse(text, source=name)

    @classmethod
    def parse(cls, text: str, source: str = "text") -> Machine:
        """Read a machine from YAML.

        Raises:
            MachineError: the text is not right; says what and where.
        """
        try:
            data = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise MachineError(f"machine {source}: no YAML: {error}") from error
        return cls.of(data, source)

    @classmethod
    def of(cls, data: Any, source: str) -> Machine:
        """Return the machine that a file of the lab says.

        Raises:
            MachineError: it is not right; says what and where.
        """
        wanted = {"": ("name", "description", "hmc", "cpc"), "hmc": ("version", "api-version")}
        wanted["cpc"] = ("name",)
        for place, keys in wanted.items():
            part = data[place] if place else data
            for key in keys:
                if not isinstance(part, dict) or key not in part:
                    where = f"{place}/{key}" if place else key
                    raise MachineError(f"machine {source}: it lacks '{where}'")
        match = re.fullmatch(r"(\d+)\.(\d+)", str(data["hmc"]["api-version"]))
        if match is None:
            said = data["hmc"]["api-version"]
            raise MachineError(f"machine {source}: 'hmc/api-version' is no version: {said!r}")
        for key in ("features", "api-features", "adapters"):
            if not isinstance(data.get(key) or [], list):
                raise MachineError(f"machine {source}: '{key}' is no list")
        for number, adapter in enumerate(data.get("adapters") or []):
            if not isinstance(adapter, dict) or not {"name", "type"} <= adapter.keys():
                raise MachineError(f"machine {source}: adapters[{number}] lacks 'name' or 'type'")
        return cls(
            name=str(data["name"]),
            description=str(data["description"]),
            hmc_version=str(data["hmc"]["version"]),
            api_version=(int(match[1]), int(match[2])),
            cpc=dict(data["cpc"]),
            features=tuple(data.get("features") or ()),
            api_features=tuple(data.get("api-features") or ()),
            adapters=tuple(data.get("adapters") or ()),
        )

    @property
    def uri(self) -> str:
        """The CPC's URI."""
        return f"/api/cpcs/{self.cpc_object_id}"

    @property
    def cpc_object_id(self) -> str:
        """The CPC's object id, as nova.conf's ``cpc_object_id`` wants it."""
        return self._id("cpc") if self.ready is None else self.ready["properties"]["object-id"]

    @property
    def se_version(self) -> str:
        """The version of its SE, such as ``2.16.0``; "" where nobody says it."""
        properties = self.cpc if self.ready is None else self.ready["properties"]
        return str(properties.get("se-version") or "")

    @property
    def has_storage_management(self) -> bool:
        """Whether there are storage groups instead of HBAs."""
        return "dpm-storage-management" in self.features

    @property
    def has_virtual_switches(self) -> bool:
        """Whether NICs are attached to virtual switches (up to z16)."""
        return "network-express-support" not in self.api_features

    @property
    def maximum_partitions(self) -> int:
        """How many partitions it can have; older ones have no property that tells."""
        return int(self.cpc.get("maximum-partitions", 85))

    def resource(self) -> Definition:
        """Return the CPC with all that is in it."""
        if self.ready is not None:
            return copy.deepcopy(self.ready)
        features = {}
        if self.api_version >= (2, 23):  # zhmcclient: Cpc.feature_enabled
            features["available-features-list"] = self.features_list()
        cpc = dict(self.cpc)
        if self.api_version < (2, 24):  # zhmcclient: Cpc.maximum_active_partitions
            cpc.pop("maximum-partitions", None)
        return {
            "properties": {
                "object-id": self._id("cpc"),
                "dpm-enabled": True,
                "status": "active",
                "has-unacceptable-status": False,
                "is-locked": False,
                "iml-mode": "dpm",
                **cpc,
                **features,
            },
            "adapters": [self._adapter(each) for each in self.every_adapter()],
            "virtual_switches": list(self._switches()) if self.has_virtual_switches else [],
        }

    def features_list(self) -> list[dict[str, Any]]:
        """Return the firmware features as CPC and partition show them."""
        return [
            {"name": name, "description": f"{name} of the lab", "state": True}
            for name in self.features
        ]

    def _id(self, *path: str) -> str:
        return str(uuid.uuid5(_IDS, "/".join((self.name, *path))))

    def every_adapter(self) -> Iterator[dict[str, Any]]:
        """Iterate over the adapters: an entry with a `count` is so many, numbered from 1.

        Name, id and location have ``{0}`` for the number (a format, so ``{0:02d}`` and
        ``{0:03x}`` work too).
        """
        for entry in self.adapters:
            if "count" not in entry:
                yield entry
                continue
            rest = {name: value for name, value in entry.items() if name != "count"}
            for number in range(1, int(entry["count"]) + 1):
                yield {
                    name: value.format(number) if isinstance(value, str) else value
                    for name, value in rest.items()
                }

    def _adapter(self, adapter: dict[str, Any]) -> Definition:
        """Return an adapter and its ports. What the file says beyond them are properties."""
        rest = dict(adapter)
        kind, count = rest["type"], int(rest.pop("ports", 1))
        try:
            family = FAMILIES[kind]
        except KeyError as error:
            raise MachineError(
                f"machine {self.name}: adapter type {kind!r}: there are {', '.join(FAMILIES)}"
            ) from error
        ports = [{"properties": port_properties(index)} for index in range(count)]
        return {
            "properties": {
                "object-id": self._id("adapter", rest["name"]),
                "description": "",
                "adapter-family": family,
                "status": "active",
                "state": "online",
                "physical-channel-status": "operating",
                "port-count": count,
                **rest,
            },
            "ports": ports if family != "crypto" else [],
        }

    def _switches(self) -> Iterator[Definition]:
        for adapter in self.every_adapter():
            if adapter["type"] not in SWITCHED:
                continue
            for port in range(int(adapter.get("ports", 1))):
                name = f"vswitch {adapter['name']} port {port}"
                yield {
                    "properties": {
                        "object-id": self._id("virtual-switch", name),
                        "name": name,
                        "description": "",
                        "type": adapter["type"],
                        "port": port,
                        "backing-adapter-uri": (
                            f"/api/adapters/{self._id('adapter', adapter['name'])}"
                        ),
                        "connected-vnic-uris": [],
                    }
                }


def port_properties(index: int) -> dict[str, Any]:
    """Return the properties that each port of an adapter has."""
    return {"element-id": str(index), "index": index, "name": f"Port {index}"}


def names() -> list[str]:
    """Return the names of the machines that come with the lab."""
    return sorted(
        entry.name.removesuffix(".yaml")
        for entry in _folder().iterdir()
        if entry.name.endswith(".yaml")
    )


def _folder() -> Any:
    return resources.files("dpm_lab.hmc.machines")
