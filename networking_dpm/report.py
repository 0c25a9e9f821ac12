"""What Neutron's agent reports to the mechanism driver: the ``configurations`` of its heartbeat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dpm_hmc.networks import ADAPTER, OBJECT_ID, PORT, VSWITCH

AGENT_TYPE = "DPM agent"
BINARY = "neutron-dpm-agent"
"""As of networking-dpm 3.0.0 (``ml2/mech_dpm.py``, ``ml2/dpm_neutron_agent.py``)."""

_MAPPINGS = "interface_mappings"
"""Of this name, because Neutron maps segments to hosts by it (neutron 29,
``services/segments/db.py``, `_get_phys_nets`)."""
_BACKINGS = "dpm_backings"
_PROBLEMS = "dpm_problems"
_VIF_TYPE = "vif_type"


@dataclass(frozen=True)
class Backing:
    """What is behind a physical network.

    Args:
        vif_type: of a port that is plugged into it
        object_id: of the virtual switch or adapter
        port: of the adapter
    """

    vif_type: str
    object_id: str
    port: int


@dataclass(frozen=True)
class Report:
    """What an agent says of its host.

    Args:
        backings: what is behind each physical network
        problems: why there is nothing behind others, by physical network
    """

    backings: Mapping[str, Backing]
    problems: Mapping[str, str]

    def configurations(self) -> dict[str, Any]:
        """Return it as the heartbeat has it."""
        return {
            _MAPPINGS: {name: each.object_id for name, each in self.backings.items()},
            _BACKINGS: {
                name: {_VIF_TYPE: each.vif_type, OBJECT_ID: each.object_id, PORT: each.port}
                for name, each in self.backings.items()
            },
            _PROBLEMS: dict(self.problems),
        }

    @classmethod
    def of(cls, configurations: object) -> Report:
        """Read what an agent has reported; what cannot be read is left out."""
        said = configurations if isinstance(configurations, Mapping) else {}
        backings = {name: _backing(each) for name, each in _items(said.get(_BACKINGS))}
        problems = {
            name: each for name, each in _items(said.get(_PROBLEMS)) if isinstance(each, str)
        }
        return cls({name: each for name, each in backings.items() if each}, problems)


def _items(said: object) -> list[tuple[str, object]]:
    return list(said.items()) if isinstance(said, Mapping) else []


def _backing(said: object) -> Backing | None:
    if not isinstance(said, Mapping):
        return None
    vif_type, object_id, port = said.get(_VIF_TYPE), said.get(OBJECT_ID), said.get(PORT)
    if vif_type not in (VSWITCH, ADAPTER) or not isinstance(object_id, str):
        return None
    return Backing(vif_type, object_id, port) if type(port) is int else None
