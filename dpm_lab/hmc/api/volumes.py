"""Storage volumes: made, changed and deleted through their group, and fulfilled."""

from __future__ import annotations

from typing import Any

from dpm_lab.hmc.api import hbas
from dpm_lab.hmc.api.calls import Call
from dpm_lab.hmc.api.refusals import Reason, bad, missing, reference_not_found, unknown, wrong_state
from dpm_lab.hmc.api.resources import Resource
from dpm_lab.hmc.api.statuses import RUNNING
from dpm_lab.hmc.api.tree import Tree

_FIELDS = {
    "create": frozenset({"operation", "name", "description", "size", "usage"}),
    "modify": frozenset({"operation", "element-uri", "name", "description", "size", "usage"}),
    "delete": frozenset({"operation", "element-uri"}),
}
#: All states (zhmc-prometheus-exporter, ``metrics.yaml``); a group has none of deleting.
_WORST_FIRST = (
    "configuration-error",
    "incomplete",
    "pending-with-mismatches",
    "pending",
    "overprovisioned",
    "complete",
)
#: In these a volume can be booted from: a LUN that is larger than told is usable (tessia-baselib,
#: ``volume_descriptor.py``).
USABLE = frozenset({"complete", "overprovisioned"})
_ACCEPTABLE = frozenset({"overprovisioned", "pending-with-mismatches"})
_USAGES = ("boot", "data")


def check(tree: Tree, group: Resource | None, requests: object) -> list[dict[str, Any]]:
    """Check the field `storage-volumes` of "Create Storage Group" and "Modify ..." as a whole.

    Raises:
        Refusal: one of them cannot be; nothing was changed.
    """
    if not isinstance(requests, list):
        raise bad("storage-volumes", requests, "it is a list")
    for request in requests:
        if "operation" not in request:
            raise missing("storage-volumes/operation")
        operation = request["operation"]
        if operation not in _FIELDS or (group is None and operation != "create"):
            raise bad("storage-volumes/operation", operation, "it is create, modify or delete")
        for name in request:
            if name not in _FIELDS[operation]:
                raise unknown(f"storage-volumes/{name}")
        if operation == "create" and "size" not in request:
            raise missing("storage-volumes/size")
        size = request.get("size", 1)
        if isinstance(size, bool) or not isinstance(size, int | float) or size < 1:
            raise bad("storage-volumes/size", size, "it is a number of GiB, at least 1")
        if request.get("usage", "data") not in _USAGES:
            raise bad("storage-volumes/usage", request["usage"], f"it is one of {_USAGES}")
        if group is not None and operation != "create":
            _of_group(tree, group, request)
    return requests


def _of_group(tree: Tree, group: Resource, request: dict[str, Any]) -> None:
    uri = request.get("element-uri")
    if uri is None:
        raise missing("storage-volumes/element-uri")
    volume = tree.refer("storage-volumes/element-uri", uri)
    if volume not in group.of("storage-volume"):
        raise bad("storage-volumes/element-uri", uri, "it is no volume of this group")
    if request["operation"] == "delete":
        for partition in tree.partitions():
            properties = partition.properties
            booted = properties.get("boot-storage-volume") == uri
            if booted and properties["status"] in RUNNING:
                # Guessed.
                raise wrong_state(f"Partition {partition.name} runs from the volume")


def carry_out(tree: Tree, group: Resource, requests: list[dict[str, Any]]) -> list[str]:
    """Do what was checked; return the URIs of the volumes that were made."""
    made = []
    for request in requests:
        fields = {name: value for name, value in request.items() if name != "operation"}
        if request["operation"] == "create":
            made.append(_create(tree, group, fields))
            continue
        volume = tree.find(fields.pop("element-uri"))
        if request["operation"] == "modify":
            volume.properties.update(fields)
            continue
        tree.remove(volume)
    refresh(group)
    return made


def _create(tree: Tree, group: Resource, fields: dict[str, Any]) -> str:
    number = len(group.of("storage-volume")) + 1
    volume = tree.add(
        "storage-volume",
        group,
        {
            # A name is made up, and is not unique for certain (zhmcclient).
            "name": f"{group.name}_{number:02d}",
            "description": "",
            "usage": "data",
            "fulfillment-state": "pending",
            "active-size": 0.0,
            "uuid": None,
            "paths": [],
            **fields,
        },
    )
    return str(volume.uri)


def refresh(group: Resource) -> None:
    """Set what follows from the volumes: the group is complete when all of them are."""
    states = {volume.properties["fulfillment-state"] for volume in group.of("storage-volume")}
    # Which state of a volume counts most for the group is guessed.
    group.properties["fulfillment-state"] = next(
        (state for state in _WORST_FIRST if state in states), "pending"
    )
    ports = group.of("virtual-storage-resource")
    for volume in group.of("storage-volume"):
        target = volume.properties.get("lab-target")
        volume.properties["paths"] = [
            {
                "partition-uri": port.properties["partition-uri"],
                "device-number": port.properties["device-number"],
                "target-world-wide-port-name": target[0],
                "logical-unit-number": target[1],
            }
            for port in ports
            if target is not None
        ]


def fulfil(call: Call) -> Any:
    """Fulfill FCP Storage Volume: says which LUN the volume is.

    It is complete when the request is answered, zhmcclient says (`indicate_fulfillment_fcp`); with
    ``Control.set_duration("fulfil", ...)`` so much later.
    """
    tree = call.tree
    volume = tree.find(call.base)
    group = volume.owner
    names = ("world-wide-port-name", "logical-unit-number", "adapter-port-uri")
    body = call.object(*names)
    call.allow(*names)
    hbas.check_hexadecimal(body, *names[:2])
    cpc = tree.find(group.properties["cpc-uri"])
    tree.check_cpc(cpc)
    hbas.check_port(tree, "adapter-port-uri", body["adapter-port-uri"], cpc)
    if volume.properties["fulfillment-state"] in USABLE:
        raise Reason.IS_FULFILLED(f"Volume {volume.name} is fulfilled")

    def done() -> None:
        if volume.uri in tree.resources:
            target, lun = body["world-wide-port-name"], body["logical-unit-number"]
            complete(volume, target, lun, tree.behaviour.fulfilled_as)

    tree.jobs.after("fulfil", done)


def complete(volume: Resource, wwpn: str, lun: str, state: str = "complete") -> None:
    """Have a volume be the LUN `lun` behind the port `wwpn` of a storage server."""
    volume.properties.update(
        {
            "fulfillment-state": state,
            "active-size": volume.properties["size"],
            "uuid": f"6005076{wwpn[-9:]}{lun}",
            "lab-target": (wwpn, lun),
        }
    )
    refresh(volume.owner)


def accept(call: Call) -> None:
    """Accept Mismatched Storage Volumes: they are complete (IBM, page of that name)."""
    _decide(call, "complete")


def reject(call: Call) -> None:
    """Reject Mismatched Storage Volumes: that they are pending again is guessed."""
    _decide(call, "pending")


def _decide(call: Call, state: str) -> None:
    tree = call.tree
    group = tree.find(call.base)
    uris = call.object("storage-volume-uris")["storage-volume-uris"]
    call.allow("storage-volume-uris")
    if not isinstance(uris, list) or not uris:
        raise bad("storage-volume-uris", uris, "it is a list of URIs")
    volumes = [tree.refer("storage-volume-uris", uri) for uri in uris]
    for volume in volumes:
        if volume not in group.of("storage-volume"):
            raise reference_not_found("storage-volume-uris", volume.uri)
        found = volume.properties["fulfillment-state"]
        if found not in _ACCEPTABLE:
            # That it is a 409 is documented, the reason is guessed.
            raise wrong_state(f"Volume {volume.name} has the fulfillment state {found}")
    for volume in volumes:
        volume.properties["fulfillment-state"] = state
        if state == "pending":
            volume.properties.update({"active-size": 0.0, "uuid": None})
            volume.properties.pop("lab-target", None)
    refresh(group)
