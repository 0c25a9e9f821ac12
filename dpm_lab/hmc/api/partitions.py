"""Partitions: create, update, delete, start, stop."""

from __future__ import annotations

from typing import Any

from dpm_lab.hmc.api import attachments, fabric, fields, settling, volumes
from dpm_lab.hmc.api.calls import Accepted, Call
from dpm_lab.hmc.api.jobs import Work
from dpm_lab.hmc.api.refusals import (
    Reason,
    Refusal,
    bad,
    inconsistent,
    missing,
    not_unique,
    reference_not_found,
    unknown,
    wrong_state,
)
from dpm_lab.hmc.api.resources import Resource
from dpm_lab.hmc.api.statuses import AT_REST, RUNNING, STARTED, WITH_SYSTEM, Status
from dpm_lab.hmc.api.tree import Tree
from dpm_lab.hmc.machines.partition import PARTITION, SMALLEST

#: What fits into `boot-os-specific-parameters`.
BOOT_PARAMETERS = 256
_NAME = 64
_DESCRIPTION = 1024
_LOAD_PARAMETERS = 8

#: Fields of "Create Partition" that are required where another one has a value, and are not known
#: where it has not (zhmcclient.mock).
_TOGETHER = (
    ("autogenerate-partition-id", False, ("partition-id",)),
    (
        "boot-device",
        "ftp",
        ("boot-ftp-host", "boot-ftp-username", "boot-ftp-password", "boot-ftp-insfile"),
    ),
    ("boot-device", "removable-media", ("boot-removable-media", "boot-removable-media-type")),
    ("type", "ssc", ("ssc-host-name", "ssc-master-userid", "ssc-master-pw")),
)
_WEIGHTS = ("initial-ifl-processing-weight", "initial-cp-processing-weight")


def create(call: Call) -> Any:
    """Create Partition."""
    tree = call.tree
    body = call.object("name", "initial-memory", "maximum-memory")
    cpc = call.above
    tree.check_cpc(cpc)
    for name in body:
        if name not in fields.CREATE_PARTITION:
            raise unknown(name)
    _check_values(tree, cpc, body)
    if body.get("ifl-processors") and body.get("cp-processors"):
        raise inconsistent(
            "Expected exactly one of 'ifl-processors' and 'cp-processors'"  # zhmcclient issue 258
        )
    if not body.get("ifl-processors") and not body.get("cp-processors"):
        raise Reason.BAD_REQUEST("One of 'ifl-processors' and 'cp-processors' is required")
    partitions = cpc.of("partition")
    limit = cpc.properties.get("maximum-partitions", tree.machine(cpc).maximum_partitions)
    if len(partitions) >= limit:
        raise Reason.TOO_MANY_PARTITIONS(f"CPC {cpc.name} has its maximum of {limit} partitions")
    properties = {**PARTITION, **body}
    _check_together(properties, body)
    if properties["autogenerate-partition-id"]:
        used = {partition.properties.get("partition-id") for partition in partitions}
        free = (f"{number:02X}" for number in range(0x80))
        properties["partition-id"] = next(key for key in free if key not in used)
    properties.setdefault("short-name", f"DPM{properties['partition-id']:0>5}")
    properties.setdefault("ifl-processors", 0)
    _reserve(properties)
    machine = tree.machine(cpc)
    if machine.api_version >= (2, 23):  # zhmcclient: Partition.feature_enabled
        properties["available-features-list"] = machine.features_list()
    if machine.has_storage_management:
        properties |= {"storage-group-uris": [], "tape-link-uris": []}
    else:
        del properties["boot-storage-volume"]
    return {"object-uri": tree.add("partition", cpc, properties).uri}


def _check_together(properties: dict[str, Any], body: dict[str, Any]) -> None:
    for field, value, names in _TOGETHER:
        for name in names:
            if properties[field] == value and name not in body:
                raise missing(name)
            if properties[field] != value and name in body:
                raise unknown(name)


def _reserve(properties: dict[str, Any]) -> None:
    properties["reserved-memory"] = properties["maximum-memory"] - properties["initial-memory"]


def _check_values(
    tree: Tree, cpc: Resource, new: dict[str, Any], old: Resource | None = None
) -> None:
    """Check the values of fields for "Create" and "Update"."""
    if "name" in new:
        name = new["name"]
        if not isinstance(name, str) or not 1 <= len(name) <= _NAME:
            raise bad("name", name, f"it has 1 to {_NAME} characters")
        if any(p.name == name for p in cpc.of("partition") if p is not old):
            raise not_unique("name", name, f"CPC {cpc.name}")
    _check_texts(new)
    for field in _WEIGHTS:
        if not 1 <= new.get(field, 1) <= 999:
            raise bad(field, new[field], "it is 1 to 999")
    _check_capacity(cpc, new)
    now = {**(old.properties if old is not None else {}), **new}
    if now["initial-memory"] > now["maximum-memory"]:
        raise inconsistent("'initial-memory' cannot be more than 'maximum-memory'")
    device = new.get("boot-device", "none")
    if device not in fields.BOOT_DEVICES:
        raise bad("boot-device", device, f"it is one of {', '.join(sorted(fields.BOOT_DEVICES))}")


def _check_texts(new: dict[str, Any]) -> None:
    for field, limit in (
        ("description", _DESCRIPTION),
        ("boot-os-specific-parameters", BOOT_PARAMETERS),
        ("boot-load-parameters", _LOAD_PARAMETERS),
    ):
        value = new.get(field, "")
        if not isinstance(value, str) or len(value) > limit:
            raise bad(field, value, f"it is a string of at most {limit} characters")


def _check_capacity(cpc: Resource, new: dict[str, Any]) -> None:
    for field in ("initial-memory", "maximum-memory"):
        total = cpc.properties["storage-customer"]
        # That more memory or processors than the CPC has are 400, 7 and not a 409 is guessed.
        if field in new and not (isinstance(new[field], int) and SMALLEST <= new[field] <= total):
            raise bad(field, new[field], f"it is {SMALLEST} to {total} MiB")
    for field, owned in (
        ("ifl-processors", "processor-count-ifl"),
        ("cp-processors", "processor-count-general-purpose"),
    ):
        most = cpc.properties[owned]
        if field in new and not (isinstance(new[field], int) and 0 <= new[field] <= most):
            raise bad(field, new[field], f"CPC {cpc.name} has {most}")


def update(call: Call) -> Any:
    """Update Partition Properties."""
    tree = call.tree
    body = call.object()
    partition = tree.find(call.path)
    tree.check_settled(partition)
    for name in body:
        if name not in fields.UPDATE_PARTITION or (
            name not in partition.properties and name not in fields.CREATE_PARTITION
        ):
            raise unknown(name)
    if partition.properties["status"] in RUNNING:
        for name in fields.STOPPED_ONLY & body.keys():
            if body[name] != partition.properties[name]:
                raise wrong_state(f"The field {name!r} cannot be changed while it is running")
    cpc = partition.owner
    _check_values(tree, cpc, body, partition)
    _check_boot(tree, partition, body)
    partition.properties.update(body)
    properties = partition.properties
    _reserve(properties)
    for kind in ("ifl", "cp"):
        weight = f"initial-{kind}-processing-weight"
        if weight in body:
            properties[f"current-{kind}-processing-weight"] = body[weight]


def _check_boot(tree: Tree, partition: Resource, new: dict[str, Any]) -> None:
    """Check that what is to be booted from is the partition's own.

    That it is checked at the update and not first at the start is guessed for both kinds.
    """
    now = {**partition.properties, **new}
    volume = new.get("boot-storage-volume")
    if volume is not None:
        usage = tree.refer("boot-storage-volume", volume).properties.get("usage")
        group = str(volume).partition("/storage-volumes/")[0]
        if group not in partition.properties["storage-group-uris"]:
            raise inconsistent(f"The storage group of {volume} is not attached to the partition")
        if usage != "boot":
            raise inconsistent(f"{volume} is a volume for data, not to boot from")  # guessed
    hba = new.get("boot-storage-device")
    if hba is not None and hba not in partition.properties["hba-uris"]:
        raise reference_not_found("boot-storage-device", hba)
    if "boot-device" not in new:
        return
    needed = {
        "storage-adapter": (
            "boot-storage-device",
            "boot-world-wide-port-name",
            "boot-logical-unit-number",
        ),
        "storage-volume": ("boot-storage-volume",),
    }.get(new["boot-device"], ())
    for name in needed:
        if not now.get(name):
            raise inconsistent(f"'boot-device' {new['boot-device']!r} needs {name!r}")


def _named(call: Call) -> Resource:
    """Return the partition that a request names, on a CPC that can be worked with."""
    partition = call.tree.find(call.base)
    call.tree.check_cpc(partition.owner)
    return partition


def _check_at_rest(partition: Resource) -> str:
    status: str = partition.properties["status"]
    if status not in AT_REST:
        raise wrong_state(f"Partition {partition.name} has the status {status}, not stopped")
    return status


def delete(call: Call) -> Any:
    """Delete Partition."""
    tree, partition = call.tree, _named(call)
    _check_at_rest(partition)
    for uri in list(partition.properties.get("storage-group-uris", ())):
        # A partition with storage groups can be deleted, which detaches them: guessed.
        attachments.take_away(tree, partition, tree.find(uri))
    tree.remove(partition)


def start(call: Call) -> Accepted:
    """Start Partition: ``stopped``, ``starting``, ``active``."""
    tree, partition = call.tree, _named(call)
    status = _check_at_rest(partition)
    settling.disturb(tree, partition.uri)
    tree.os_messages.boot(partition.uri)
    partition.properties["status"] = Status.STARTING
    spoilt = any(fault.kind == "nothing-loaded" for fault in call.context.faults)
    rest = status

    def done() -> dict[str, Any]:
        nonlocal rest
        try:
            _check_resources(partition)
        except Refusal:
            rest = tree.behaviour.lack_of_resources
            raise
        loaded = not spoilt and _is_loaded(tree, partition)
        if loaded and tree.guests.boot:
            # It is active when the guest says so.
            tree.guests.start(partition)
            return {}
        after = tree.behaviour.after_start
        settling.settle(tree, partition, Status.ACTIVE if loaded else Status.PAUSED, status, after)
        return {}

    def undone() -> None:
        partition.properties["status"] = rest

    return call.start(Work("start", done, undone))


def _check_resources(partition: Resource) -> None:
    """Check that the CPC has processors and memory left.

    That the start fails, and with which code, is guessed; only dedicated processors count.
    """
    cpc = partition.owner
    others = [
        other.properties
        for other in cpc.of("partition")
        if other is not partition and other.properties["status"] in RUNNING
    ]
    mine = partition.properties
    memory = sum(other["initial-memory"] for other in others) + mine["initial-memory"]
    if memory > cpc.properties["storage-customer"]:
        raise Reason.NO_MEMORY(f"CPC {cpc.name} has not enough memory left: {memory} MiB wanted")
    processors = sum(
        item["ifl-processors"] for item in [*others, mine] if item["processor-mode"] == "dedicated"
    )
    if processors > cpc.properties["processor-count-ifl"]:
        raise Reason.NO_PROCESSORS(f"CPC {cpc.name} has not enough processors: {processors} wanted")


def _is_loaded(tree: Tree, partition: Resource) -> bool:
    """Return whether something is loaded.

    Raises:
        Refusal: 500, 263: nothing can be, and a start fails then.
    """
    reason = _hindrance(tree, partition)
    if reason is not None and tree.behaviour.nothing_to_load == "paused":
        return False
    if reason is not None and partition.properties["boot-device"] != "none":
        raise Reason.NOTHING_LOADED(reason)
    return True


def _hindrance(tree: Tree, partition: Resource) -> str | None:
    """Return why nothing can be loaded, None where something can."""
    properties = partition.properties
    if properties["boot-device"] == "none":
        return f"Partition {partition.name} has no boot device"
    if properties["boot-device"] == "storage-volume":
        uri = properties["boot-storage-volume"]
        if uri not in tree.resources:
            return f"The boot volume {uri} of {partition.name} does not exist"
        state = tree.find(uri).properties["fulfillment-state"]
        if state not in volumes.USABLE:
            return f"The boot volume of {partition.name} is {state}, not complete"
    found = [fabric.obstacle(tree, path) for path in fabric.boot_paths(tree, partition)]
    obstacles = sorted({each for each in found if each is not None})
    if found and None not in found:
        return f"No path to the boot volume of {partition.name} works: {', '.join(obstacles)}"
    return None


def stop(call: Call) -> Accepted:
    """Stop Partition: ``active``, ``stopping``, ``stopped``."""
    tree, partition = call.tree, _named(call)
    before = partition.properties["status"]
    # zhmcclient.mock names those that are started, and wonders about reservation-error;
    # zhmc-ansible-modules (``common.py``, ``stop_partition``) takes that for stopped.
    if before not in STARTED and not (
        before == Status.RESERVATION_ERROR and tree.behaviour.reservation_error_stops
    ):
        raise wrong_state(f"Partition {partition.name} has the status {before}")
    settling.disturb(tree, partition.uri)
    partition.properties["status"] = Status.STOPPING

    def done() -> dict[str, Any]:
        tree.guests.stop(partition, ended)
        return {}

    def ended() -> None:
        settling.settle(tree, partition, Status.STOPPED, before, tree.behaviour.after_stop)

    def undone() -> None:
        partition.properties["status"] = before

    # That the operating system is asked to shut down, and waited for, is guessed.
    longer = tree.jobs.duration("shutdown") if before in WITH_SYSTEM else 0.0
    return call.start(Work("stop", done, undone, longer=longer))


def restart(call: Call) -> Accepted:
    """PSW Restart, Start Dump Program, SCSI Dump: a job that leaves the partition as it is.

    Of a partition that is a guest, a PSW restart interrupts the processor.
    """
    partition = _named(call)
    status = partition.properties["status"]
    if status not in STARTED:
        raise wrong_state(f"Partition {partition.name} has the status {status}")
    operation = call.path.rpartition("/")[2]

    def done() -> dict[str, Any]:
        if operation == "psw-restart":
            call.tree.guests.psw_restart(partition)
        return {}

    return call.start(Work(operation, done, lambda: None))
