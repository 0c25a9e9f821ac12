"""An HMC to work against: the Web Services API over HTTPS.

>>> from dpm_lab.hmc import Fault, HmcServer
>>> with HmcServer("z16") as hmc:
...     hmc.host, hmc.userid, hmc.ca_file.name
('127.0.0.1', 'labuser', 'ca.pem')
"""

from __future__ import annotations

from dpm_lab.hmc.api import permissions
from dpm_lab.hmc.api.behaviour import Behaviour, Shown
from dpm_lab.hmc.api.faults import Fault
from dpm_lab.hmc.api.jobs import DURATIONS
from dpm_lab.hmc.control import Control
from dpm_lab.hmc.errors import ControlError, MachineError, StartError
from dpm_lab.hmc.machines.machine import Machine
from dpm_lab.hmc.process import HmcProcess
from dpm_lab.hmc.server import HmcServer
from dpm_lab.hmc.wire import certificates
from dpm_lab.hmc.wire.log import Request

__all__ = [
    "DURATIONS",
    "Behaviour",
    "Control",
    "ControlError",
    "Fault",
    "HmcProcess",
    "HmcServer",
    "Machine",
    "MachineError",
    "Request",
    "Shown",
    "StartError",
    "certificates",
    "permissions",
]
