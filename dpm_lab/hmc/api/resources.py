"""A resource of the HMC, and the kinds that there are: where each is, and what lists it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Kind:
    """What the resources of one class have in common.

    Args:
        collection: what is before the id in their URI
        element: whether they are elements of their parent, whose URI theirs begins with
        listed: the parent's property that has their URIs
        has: properties that each of them has, with what is there where nothing else was said
    """

    collection: str
    element: bool = False
    listed: str = ""
    has: Mapping[str, Any] = field(default_factory=dict)
    key: str = ""

    @property
    def id_name(self) -> str:
        """The property that is the id."""
        return self.key or ("element-id" if self.element else "object-id")

    @property
    def uri_name(self) -> str:
        """The property that is the URI."""
        return "element-uri" if self.element else "object-uri"


def _profile(of: str) -> Kind:
    return Kind(f"{of}-activation-profiles", element=True, key="name")


#: Classes and URIs are those of the API (zhmcclient: `class_name`, `base_uri` of its managers).
KINDS = {
    "cpc": Kind("cpcs", has={"is-ensemble-member": False}),
    "adapter": Kind("adapters"),
    "network-port": Kind("network-ports", element=True, listed="network-port-uris"),
    "storage-port": Kind("storage-ports", element=True, listed="storage-port-uris"),
    "virtual-switch": Kind("virtual-switches", has={"connected-vnic-uris": []}),
    "partition": Kind(
        "partitions",
        has={
            name: []
            for name in (
                "hba-uris",
                "nic-uris",
                "partition-link-uris",
                "virtual-function-uris",
            )
        },
    ),
    "nic": Kind("nics", element=True, listed="nic-uris", has={"ssc-management-nic": False}),
    "hba": Kind("hbas", element=True, listed="hba-uris"),
    "storage-group": Kind(
        "storage-groups", has={"storage-volume-uris": [], "virtual-storage-resource-uris": []}
    ),
    "storage-volume": Kind("storage-volumes", element=True, listed="storage-volume-uris"),
    "virtual-storage-resource": Kind(
        "virtual-storage-resources", element=True, listed="virtual-storage-resource-uris"
    ),
    "user": Kind("users"),
    "user-role": Kind("user-roles"),
    "password-rule": Kind("password-rules", element=True),
    "logical-partition": Kind("logical-partitions"),
    "reset-activation-profile": _profile("reset"),
    "image-activation-profile": _profile("image"),
    "load-activation-profile": _profile("load"),
}


@dataclass(eq=False)
class Resource:
    """One resource, with what is below it in the order in which it was made."""

    uri: str
    kind: str
    properties: dict[str, Any]
    parent: Resource | None = None
    children: list[Resource] = field(default_factory=list, repr=False)

    @property
    def id(self) -> str:
        """Object or element id."""
        return self.uri.rpartition("/")[2]

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.properties["name"])

    @property
    def owner(self) -> Resource:
        """The parent of one that has one: everything but a CPC and the console."""
        assert self.parent is not None
        return self.parent

    def of(self, kind: str) -> list[Resource]:
        """Return what is directly below it of one kind."""
        return [child for child in self.children if child.kind == kind]


def public(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return properties without those that only the lab has."""
    return {name: value for name, value in properties.items() if not name.startswith("lab-")}
