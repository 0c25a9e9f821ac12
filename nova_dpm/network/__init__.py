"""NICs of a partition: what Neutron wants, what the HMC makes of it, what the guest is told.

`ports` reads what Neutron wants, `nics` what the HMC has, `compare` says what differs, `making`
makes a NIC, `guest` writes the boot parameters; `networks` asks and tells the HMC. What a NIC is
plugged into is one of the kinds of `backings`.
"""

from __future__ import annotations

from nova_dpm.network.compare import Abilities
from nova_dpm.network.networks import Networks
from nova_dpm.network.nics import Nic
from nova_dpm.network.ports import WantedNic, wanted_nics

__all__ = [
    "Abilities",
    "Networks",
    "Nic",
    "WantedNic",
    "wanted_nics",
]
