"""An HMC to work against: the Web Services API over HTTPS, on zhmcclient's mock, made true.

>>> from dpm_lab.hmc import Fault, HmcServer
>>> with HmcServer("z16") as hmc:
...     hmc.host, hmc.userid, hmc.ca_file.name
('127.0.0.1', 'labuser', 'ca.pem')
"""

from __future__ import annotations

from dpm_lab.hmc.control import Control
from dpm_lab.hmc.faults import Fault
from dpm_lab.hmc.log import Request
from dpm_lab.hmc.machines import Machine
from dpm_lab.hmc.process import HmcProcess
from dpm_lab.hmc.server import HmcServer

__all__ = ["Control", "Fault", "HmcProcess", "HmcServer", "Machine", "Request"]
