"""The storage network: which paths work. All do, but for those that a barrier was ordered for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dpm_lab.hmc.api import attachments, hbas
from dpm_lab.hmc.api.barriers import Path
from dpm_lab.hmc.api.calls import Call
from dpm_lab.hmc.api.refusals import Reason, not_found
from dpm_lab.hmc.api.resources import Resource
from dpm_lab.hmc.api.tree import Tree


def obstacle(tree: Tree, path: Path) -> str | None:
    """Return what stops a path, None where it works. Zoning comes before masking on the way."""
    kinds = {barrier.kind for barrier in tree.barriers if barrier.stops(path)}
    kinds |= {found} if (found := tree.guests.obstacle(path)) is not None else set()
    return "zoning" if "zoning" in kinds else "masking" if kinds else None


def boot_paths(tree: Tree, partition: Resource) -> Iterator[Path]:
    """Iterate over the paths to the LUN that a partition boots from."""
    properties = partition.properties
    if properties["boot-device"] == "storage-adapter":
        hba = tree.find(properties["boot-storage-device"]).properties
        target, lun = (
            properties["boot-world-wide-port-name"],
            properties["boot-logical-unit-number"],
        )
        yield Path(hba["wwpn"], hba["adapter-port-uri"], target, lun)
    if properties["boot-device"] == "storage-volume":
        volume = tree.find(properties["boot-storage-volume"])
        target, lun = volume.properties.get("lab-target", ("", ""))
        for resource in attachments.resources(volume.owner, partition):
            port = resource.properties["adapter-port-uri"] or ""
            yield Path(resource.properties["world-wide-port-name"], port, target, lun)


def validate(call: Call) -> Any:
    """Validate LUN Path: nothing, or 484 (target) or 485 (LUN) (zhmcclient, ``_cpc.py``).

    That their status is 409 is guessed. So is that the host's name may be any.
    """
    tree = call.tree
    cpc = tree.find(call.base)
    if not tree.machine(cpc).has_storage_management:
        raise not_found(call.path)
    tree.check_cpc(cpc)
    names = (
        "host-world-wide-port-name",
        "target-world-wide-port-name",
        "logical-unit-number",
    )
    body = call.object(*names, "adapter-port-uri")
    call.allow(*names, "adapter-port-uri")
    hbas.check_hexadecimal(body, *names)
    port = body["adapter-port-uri"]
    hbas.check_port(tree, "adapter-port-uri", port, cpc)
    path = Path(body[names[0]], port, body[names[1]], body[names[2]])
    reasons = {
        "zoning": Reason.NO_TARGET(f"The target {path.target} cannot be reached"),
        "masking": Reason.NO_LUN(f"The LUN {path.lun} of target {path.target} cannot be reached"),
    }
    stopped = obstacle(tree, path)
    if stopped is not None:
        raise reasons[stopped]
