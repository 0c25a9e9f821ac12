"""NICs: virtual switches or adapter ports, device numbers, MACs, VLANs."""

from __future__ import annotations

import re
from typing import Any, NoReturn

from dpm_lab.hmc.api import devices, fields
from dpm_lab.hmc.api.calls import Call
from dpm_lab.hmc.api.refusals import Reason, bad, inconsistent, missing, not_unique, unknown
from dpm_lab.hmc.api.resources import Resource
from dpm_lab.hmc.api.tree import Tree
from dpm_lab.hmc.machines.machine import NETWORK_EXPRESS, NIC_TYPES, Machine

_MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}")
_VLANS = range(1, 4095)


def create(call: Call) -> Any:
    """Create NIC."""
    tree = call.tree
    partition = tree.partition(call.path)
    tree.check_settled(partition)
    body = call.object("name")
    machine = tree.machine(partition)
    _check_fields(tree, machine, body, create=True)
    kinds = _backing_types(tree, machine, body)
    if "type" not in body and kinds[0] in NETWORK_EXPRESS:
        _check_type_is_optional(tree)
    kind = body.pop("type", kinds[0])
    if kind not in kinds:
        raise inconsistent(f"'type' {kind!r} does not fit the adapter: {', '.join(kinds)}")
    _check_values(tree, partition, body)
    body["device-number"] = devices.choose(
        tree, partition, body.get("device-number"), nic_type=kind
    )
    body.setdefault("mac-address", tree.new_mac())
    body.setdefault("description", "")
    body.setdefault("vlan-id", None)
    for name in ("virtual-switch-uri", "network-adapter-port-uri"):
        if body.get(name) is None:
            body.pop(name, None)
    body["type"] = kind
    if kind == "iqd" and _is_by_partition_link(tree, machine):
        _make_later(call, partition, body)
    return {"element-uri": tree.add("nic", partition, body).uri}


def _is_by_partition_link(tree: Tree, machine: Machine) -> bool:
    """Return whether a NIC on HiperSockets is made by way of a partition link, with its defects."""
    way = tree.behaviour.hipersockets_nic
    return way == "http-500" or (
        way == "by-feature" and "dpm-hipersockets-partition-link-management" in machine.api_features
    )


def _make_later(call: Call, partition: Resource, body: dict[str, Any]) -> NoReturn:
    """Have a NIC be made a moment later, under a name of its own; answer that it failed.

    500, 12 on a z16 (zhmc-ansible-modules, ``zhmc_nic.py``, ``find_nic_for_500_12``); 500, 0 on a
    z17 (zhmccli, ``_cmd_nic.py``, ``nic_mitigate_uuid``). Which name it is, and that there is no
    description, is guessed.
    """
    tree = call.tree

    def make() -> None:
        if partition.uri in tree.resources:
            number = len(partition.of("nic")) + 1
            named = {"name": f"{partition.name} {number:03d}", "description": ""}
            tree.add("nic", partition, {**body, **named})

    tree.jobs.after("nic", make)
    if tree.machine(partition).has_virtual_switches:
        raise Reason.INTERNAL("An internal error occurred")
    raise Reason.INTERNAL_WITHOUT_REASON(
        "An internal error occurred", stack="Invalid UUID string: "
    )


def update(call: Call) -> Any:
    """Update NIC Properties."""
    tree = call.tree
    nic = tree.find(call.path)
    partition = nic.owner
    tree.check_settled(partition)
    body = call.object()
    machine = tree.machine(partition)
    _check_fields(tree, machine, body, create=False)
    _check_values(tree, partition, body, nic)
    kind = nic.properties["type"]
    if "virtual-switch-uri" in body or "network-adapter-port-uri" in body:
        kinds = _backing_types(tree, machine, body)
        kind = kind if kind in kinds else kinds[0]
        tree.disconnect(nic)
    if "device-number" in body or kind != nic.properties["type"]:
        wanted = body.get("device-number", nic.properties["device-number"])
        body["device-number"] = devices.choose(tree, partition, wanted, nic.uri, nic_type=kind)
    if kind == "iqd" and not machine.has_virtual_switches and _is_by_partition_link(tree, machine):
        _update_name(nic, body)
    nic.properties.update({**body, "type": kind})
    if "virtual-switch-uri" in body:
        tree.connect(nic)


def _update_name(nic: Resource, body: dict[str, Any]) -> None:
    """Ignore a new name, as a z17 does, unless nothing else is updated, for the second time.

    zhmccli (``_cmd_nic.py``, ``nic_mitigate_name``) updates the name alone, up to three times; that
    the second time is the right one is guessed.
    """
    if body.keys() != {"name"} or not nic.properties.pop("lab-named", False):
        if body.keys() == {"name"}:
            nic.properties["lab-named"] = True
        body.pop("name", None)


def delete(call: Call) -> Any:
    """Delete NIC."""
    tree = call.tree
    nic = tree.find(call.path)
    tree.check_settled(nic.owner)
    tree.remove(nic)


def _check_fields(tree: Tree, machine: Machine, body: dict[str, Any], *, create: bool) -> None:
    for name in body:
        since_z17 = name in fields.NETWORK_EXPRESS and (create or name != "type")
        if since_z17 and not machine.has_virtual_switches:
            continue
        if name not in fields.NIC:
            raise unknown(name)
        if not fields.takes(name, tree.api_version, machine.se_version):
            raise unknown(name)


def _check_type_is_optional(tree: Tree) -> None:
    """Check that a NIC on a Network Express adapter does without `type`.

    It does not: the message is the one that zhmc-ansible-modules issue 1410 shows of a z17.
    """
    if tree.behaviour.network_express_wants_type:
        raise inconsistent(
            "The field type is required when the backing adapter is of type Network Express Hybrid"
        )


def _backing_types(tree: Tree, machine: Machine, body: dict[str, Any]) -> tuple[str, ...]:
    """Return the types that a NIC on the switch or port can have, the usual one first.

    Raises:
        Refusal: 400, 5: neither is named, or the wrong one for the machine (that a switch on a z17
            is 400, 6 is guessed); 404, 2: it does not exist.
    """
    switch, port = body.get("virtual-switch-uri"), body.get("network-adapter-port-uri")
    if switch is not None:
        if not machine.has_virtual_switches:
            raise unknown("virtual-switch-uri")
        found = tree.refer("virtual-switch-uri", switch)
        if found.properties.get("class") != "virtual-switch":
            raise bad("virtual-switch-uri", switch, "it is no virtual switch")
        return (NIC_TYPES[found.properties["type"]],)
    if port is None:
        needed = "virtual-switch-uri"
        raise missing(needed if machine.has_virtual_switches else "network-adapter-port-uri")
    adapter = tree.refer("network-adapter-port-uri", port).owner
    if adapter.properties.get("adapter-family") == "network-express":
        return NETWORK_EXPRESS
    kind = NIC_TYPES.get(adapter.properties.get("type", ""))
    if kind is None:
        raise bad("network-adapter-port-uri", port, "it is no port of a network adapter")
    if machine.has_virtual_switches and kind in {"osd", "iqd"}:
        raise missing("virtual-switch-uri")  # zhmcclient, NicManager.create: for OSA before z17
    return (kind,)


def _check_values(
    tree: Tree, partition: Resource, body: dict[str, Any], nic: Resource | None = None
) -> None:
    own = nic.uri if nic is not None else ""
    if "name" in body:
        name = body["name"]
        if not isinstance(name, str) or not 1 <= len(name) <= 64:
            raise bad("name", name, "it has 1 to 64 characters")
        if any(n.name == name for n in partition.of("nic") if n.uri != own):
            raise not_unique("name", name, f"partition {partition.name}")
    if len(body.get("description") or "") > 1024:
        raise bad("description", body["description"], "it has at most 1024 characters")
    vlan = body.get("vlan-id")
    if vlan is not None and vlan not in _VLANS:
        raise bad("vlan-id", vlan, "it is 1 to 4094")
    mac = body.get("mac-address")
    if mac is not None:
        if not isinstance(mac, str) or not _MAC.fullmatch(mac):
            raise bad("mac-address", mac, "it has six groups of two lower-case digits and colons")
        if int(mac[:2], 16) & 3 != 2:
            raise bad("mac-address", mac, "it must be locally administered and unicast")
        # Where it must be unique, and whether, is guessed.
        among = {"machines": None, "partition": partition}
        where = tree.behaviour.unique_macs
        if where != "no" and mac in tree.macs(own, among[where]):
            raise not_unique("mac-address", mac, f"the {where}")
