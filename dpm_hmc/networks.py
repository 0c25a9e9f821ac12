"""What a NIC can be plugged into, as driver and Neutron's agent name it, and whether it works."""

from __future__ import annotations

from dpm_hmc.answers import Properties

VSWITCH = "dpm_vswitch"
ADAPTER = "dpm_adapter"
"""Types of a VIF: the port is plugged into a virtual switch (to z16), or into an adapter's port."""

OBJECT_ID, PORT, VLAN = "object_id", "port", "vlan"
"""Of ``vif_details``: what the port is plugged into."""

_FAMILIES = ("hipersockets", "network-express")
_TYPES = ("osd", "hipersockets", "neth")
"""An OSA card is one by its type: it may be configured for something else than networks."""


def takes_nics(adapter: Properties) -> bool:
    """Whether NICs can be plugged into an adapter's ports, or into their virtual switches.

    >>> takes_nics({"adapter-family": "network-express", "type": "network-express-hybrid"})
    True
    >>> takes_nics({"adapter-family": "osa", "type": "osm"})
    False
    """
    return adapter.get("adapter-family") in _FAMILIES or adapter.get("type") in _TYPES


def adapter_problem(adapter: Properties) -> str:
    """Return in which bad state an adapter is, or nothing.

    >>> adapter_problem({"status": "active", "state": "standby"})
    'standby'
    """
    bad = [
        str(adapter[name])
        for name, good in (("status", "active"), ("state", "online"))
        if adapter.get(name, good) != good
    ]
    return ", ".join(bad)
