"""Neutron with the mechanism driver for DPM, as far as Nova's functional tests have a Neutron."""

from __future__ import annotations

import copy
import uuid
from typing import Any

from nova.tests.fixtures import NeutronFixture


class DpmNeutron(NeutronFixture):  # type: ignore[misc]
    """Has no ports but those that are made here."""

    def __init__(self, test: Any) -> None:
        super().__init__(test)
        self._ports.clear()

    def add_port(self, binding: dict[str, Any], **properties: Any) -> dict[str, Any]:
        """Make a port that is bound at once, and return it."""
        port_id = str(uuid.uuid4())
        port = {
            **copy.deepcopy(self.port_2),
            "id": port_id,
            "mac_address": f"0a:00:00:{port_id[:2]}:{port_id[2:4]}:{port_id[4:6]}",
            "binding:vnic_type": "normal",
            **binding,
            **properties,
        }
        self._ports[port_id] = port
        return port

    def activate(self, port: dict[str, Any]) -> None:
        """Have a port active, as Neutron has when nothing is left that it waits for."""
        self._ports[port["id"]]["status"] = "ACTIVE"

    def clear(self) -> None:
        """Have no ports any more."""
        self._ports.clear()
        self._port_bindings.clear()
