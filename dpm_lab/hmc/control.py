"""Orders to the lab: what tests and people do behind the clients' backs.

`Control` is what they hold. It sends names and JSON, to a `Desk` in the same process or over HTTPS
to one in another, so that both do the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from dpm_lab.hmc.api import settling
from dpm_lab.hmc.api.barriers import Barrier
from dpm_lab.hmc.api.calls import Context
from dpm_lab.hmc.api.faults import Fault
from dpm_lab.hmc.api.refusals import Refusal
from dpm_lab.hmc.api.resources import public
from dpm_lab.hmc.api.uris import dispatch
from dpm_lab.hmc.api.users import User
from dpm_lab.hmc.errors import ControlError
from dpm_lab.hmc.machines.partition import SMALLEST
from dpm_lab.hmc.wire import bodies
from dpm_lab.hmc.wire.log import Request
from dpm_lab.hmc.wire.service import Answer, Service

Send = Callable[[str, dict[str, Any]], Any]


class Control:
    """Orders to one HMC. All raise `ControlError` for what cannot be done."""

    def __init__(self, send: Send) -> None:
        self._send = send

    def add_fault(self, fault: Fault) -> str:
        """Have something go wrong; return the order's id."""
        return str(self._send("add-fault", fault.to_dict()))

    def clear_faults(self) -> None:
        """Have nothing go wrong any more."""
        self._send("clear-faults", {})

    def requests(self) -> list[Request]:
        """Return all requests since the last reset, in the order of their answers."""
        return [Request(**item) for item in self._send("requests", {})]

    def counts(self) -> dict[str, int]:
        """Return how many there were, by method and URI with ``{}`` for ids."""
        return dict(self._send("counts", {}))

    def reset_log(self) -> None:
        """Forget the requests."""
        self._send("reset-log", {})

    def expire_sessions(self) -> None:
        """Have all sessions end now."""
        self._send("expire-sessions", {})

    def set_latency(self, seconds: float) -> None:
        """Have each request take so much longer."""
        self._send("set-latency", {"seconds": seconds})

    def set_duration(self, operation: str, seconds: float) -> None:
        """Say how long an operation takes from now on.

        ``start``, ``stop``, ``discovery``, ``fulfil``; ``shutdown``: that of a guest, by which a
        stop takes longer; ``ports``: until discovery finds a group's ports; ``nic``: until a NIC
        is there whose creation answered 500; ``cancel``: until a job is cancelled.
        With 0 a job has ended before its client can ask about it. All of them are in
        `dpm_lab.hmc.api.jobs.DURATIONS`; `reset` puts them back to those of the start.
        """
        self._send("set-duration", {"operation": operation, "seconds": seconds})

    def set_behaviour(self, **points: Any) -> None:
        """Have it behave otherwise from now on; names as in `Behaviour`."""
        self._send("set-behaviour", {"points": points})

    def set_user(self, name: str, **fields: Any) -> None:
        """Say what a user may from now on, or make one: see `dpm_lab.hmc.api.users.User`.

        What is not given stays as it is. A user that was disabled by refused logons may log on
        again.
        """
        given = {
            key: sorted(value) if isinstance(value, set | frozenset) else value
            for key, value in fields.items()
        }
        self._send("set-user", {"name": name, "fields": given})

    def add_os_message(self, uri: str, text: str, **fields: Any) -> None:
        """Have the operating system of a partition write a message.

        `fields` are others of "os-message-info", with underscores for hyphens.
        """
        named = {key.replace("_", "-"): value for key, value in fields.items()}
        self._send("add-os-message", {"uri": uri, "text": text, "fields": named})

    def add_barrier(self, kind: str, **path: str) -> None:
        """Have paths not work: `kind` is ``zoning`` or ``masking``.

        `host`, `port`, `target` and `lun` are regular expressions (`Barrier`); what is not
        given is any. A start finds nothing to load where no path to its boot volume works.
        """
        self._send("add-barrier", {"kind": kind, **path})

    def clear_barriers(self) -> None:
        """Have all paths work."""
        self._send("clear-barriers", {})

    def set_properties(self, uri: str, properties: dict[str, Any]) -> None:
        """Change properties of a resource, whatever they are."""
        self._send("set-properties", {"uri": uri, "properties": properties})

    def add_partitions(
        self, count: int, name_pattern: str = "other-{}", **properties: Any
    ) -> list[str]:
        """Make partitions on the first machine, numbered from 0; return their URIs.

        Properties have underscores or, as ``**{"ifl-processors": 2}``, hyphens; ``status`` and all
        others are set as they are given.
        """
        named = {name.replace("_", "-"): value for name, value in properties.items()}
        arguments = {"count": count, "name_pattern": name_pattern, "properties": named}
        return list(self._send("add-partitions", arguments))

    def inventory(self) -> dict[str, Any]:
        """Return all partitions and storage groups by name, with what is in them."""
        return dict(self._send("inventory", {}))

    def reset(self) -> None:
        """Put everything back to the start; sessions stay."""
        self._send("reset", {})


class Desk:
    """Takes orders and carries them out."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._orders: dict[str, Callable[..., Any]] = {
            "add-fault": lambda **fields: service.faults.add(Fault(**fields)),
            "clear-faults": service.faults.clear,
            "requests": lambda: [vars(request) for request in service.log.requests()],
            "counts": service.log.counts,
            "reset-log": service.log.reset,
            "expire-sessions": service.sessions.end_all,
            "set-latency": self._set_latency,
            "set-duration": self._set_duration,
            "set-behaviour": self._set_behaviour,
            "set-user": self._set_user,
            "add-os-message": self._add_os_message,
            "add-barrier": lambda **fields: service.tree.barriers.append(Barrier(**fields)),
            "clear-barriers": service.tree.barriers.clear,
            "set-properties": self._set_properties,
            "add-partitions": self._add_partitions,
            "inventory": self._inventory,
            "reset": service.reset,
        }

    def call(self, order: str, arguments: dict[str, Any]) -> Any:
        """Carry an order out.

        Raises:
            ControlError: it is not known, or cannot be.
        """
        try:
            function = self._orders[order]
        except KeyError:
            raise ControlError(
                f"no such order: {order!r}; there are {', '.join(self._orders)}"
            ) from None
        try:
            # The same detour over JSON as from another process, so that nothing is shared.
            return json.loads(json.dumps(function(**json.loads(json.dumps(arguments)))))
        except (TypeError, ValueError) as error:
            raise ControlError(f"order {order!r}: {error}") from error
        except Refusal as refusal:
            raise ControlError(f"order {order!r}: {refusal}") from refusal

    def answer(self, order: str, content: bytes) -> Answer:
        """Carry out an order that came over HTTPS."""
        try:
            return Answer(200, {"result": self.call(order, bodies.parse(content) or {})})
        except (ControlError, Refusal) as error:
            return Answer(400, {"error": str(error)})

    def _set_latency(self, seconds: float) -> None:
        self._service.latency = float(seconds)

    def _set_duration(self, operation: str, seconds: float) -> None:
        with self._service.tree.lock:
            self._service.tree.jobs.set_duration(operation, seconds)

    def _set_behaviour(self, points: dict[str, Any]) -> None:
        tree = self._service.tree
        with tree.lock:
            tree.behaviour = tree.behaviour.changed(points)

    def _add_os_message(self, uri: str, text: str, fields: dict[str, Any]) -> None:
        tree = self._service.tree
        with tree.lock:
            tree.os_messages.add(tree.find(uri).uri, text, **fields)

    def _set_user(self, name: str, fields: dict[str, Any]) -> None:
        users = self._service.sessions.users
        users.put((users.find(name) or User(name, "")).changed(fields))

    def _set_properties(self, uri: str, properties: dict[str, Any]) -> None:
        tree = self._service.tree
        with tree.lock:
            settling.disturb(tree, uri)
            tree.find(uri).properties.update(properties)
            tree.changed()

    def _add_partitions(
        self, count: int, name_pattern: str, properties: dict[str, Any]
    ) -> list[str]:
        tree = self._service.tree
        body = {"ifl-processors": 1, "initial-memory": SMALLEST, "maximum-memory": SMALLEST}
        given = {"ifl-processors", "initial-memory", "maximum-memory", "description"}
        body |= {name: value for name, value in properties.items() if name in given}
        rest = {name: value for name, value in properties.items() if name not in given}
        uris = []
        with tree.lock:
            context = Context(tree)
            collection = f"{tree.machines[0].uri}/partitions"
            for number in range(count):
                name = name_pattern.format(number)
                uri = dispatch(context, "POST", collection, {**body, "name": name})["object-uri"]
                tree.find(uri).properties.update(rest)
                uris.append(uri)
            tree.changed()
        return uris

    def _inventory(self) -> dict[str, Any]:
        tree = self._service.tree
        with tree.lock:
            return {
                "partitions": {
                    partition.name: {
                        **partition.properties,
                        "nics": [public(nic.properties) for nic in partition.of("nic")],
                        "hbas": [hba.properties for hba in partition.of("hba")],
                    }
                    for partition in tree.partitions()
                },
                "storage-groups": {
                    group.name: {
                        **public(group.properties),
                        "storage-volumes": [
                            public(volume.properties) for volume in group.of("storage-volume")
                        ],
                        "virtual-storage-resources": [
                            port.properties for port in group.of("virtual-storage-resource")
                        ],
                    }
                    for group in tree.storage_groups()
                },
            }
