"""A machine of the lab with a compute host's options for it."""

from __future__ import annotations

import threading
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import nova.conf
import zhmcclient
from nova import exception, objects

from dpm_hmc.client import Hmc
from dpm_hmc.clock import Clock
from dpm_lab.hmc import Control, HmcProcess, HmcServer
from nova_dpm import conf
from nova_dpm.conf import Settings
from nova_dpm.driver import DPMDriver
from tests import brisk
from tests.driver.haste import HASTY

HOST = "compute-1"
CONF = nova.conf.CONF
_configuring = threading.Lock()

#: Seconds of the driver's own time (`tests.driver.haste`).
OPERATION_TIMEOUT = 300
BUSY_TIMEOUT = 10
OUTAGE_TIMEOUT = 0


class Lab:
    """An HMC with one machine. A context manager.

    Args:
        machine: z13, z14, z16 or z17
        beside: another machine of the same HMC
        storage_ports: on how many FCP adapters a server is connected
        apart: in a process of its own instead of this one
        clock: of the driver
    """

    def __init__(
        self,
        machine: str,
        storage_ports: int = 2,
        *,
        beside: str | None = None,
        apart: bool = False,
        clock: Clock = HASTY,
    ) -> None:
        machines = (machine,) if beside is None else (beside, machine)
        self.machine = machine
        self.clock = clock
        self.server: HmcServer | HmcProcess = (
            HmcProcess(*machines, options=brisk.OPTIONS)
            if apart
            else HmcServer(*machines, durations=brisk.TIMES, behaviour=brisk.LATE)
        )
        self.storage_ports = storage_ports

    def __enter__(self) -> Self:
        self.server.start()
        session = zhmcclient.Session(
            self.server.host,
            self.server.userid,
            self.server.password,
            port=self.server.port,
            verify_cert=str(self.server.ca_file),
        )
        cpc = zhmcclient.Client(session).cpcs.find(name=self.machine.upper())
        adapters = cpc.adapters.list(full_properties=True)
        self.cpc_id = cpc.uri.rpartition("/")[2]
        self.adapters = {each.name: str(each.properties["object-id"]) for each in adapters}
        self.switches: dict[int, str] = {}
        self.hipersockets = ""
        if self.has_switches:
            for switch in cpc.virtual_switches.list(full_properties=True):
                if switch.properties["type"] == "hipersockets":
                    self.hipersockets = str(switch.properties["object-id"])
                if switch.properties["type"] == "osd":
                    self.switches[switch.properties["port"]] = switch.properties["object-id"]
        session.logoff()
        self.control.reset_log()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.server.close()

    @property
    def has_groups(self) -> bool:
        """Whether the machine has storage groups instead of HBAs."""
        return self.machine != "z13"

    @property
    def has_switches(self) -> bool:
        """Whether the machine has virtual switches."""
        return self.machine != "z17"

    @property
    def control(self) -> Control:
        """Orders to the HMC."""
        return self.server.control

    def set_durations(self, seconds: float) -> None:
        """Say how long starting and stopping take."""
        for operation in ("start", "stop"):
            self.control.set_duration(operation, seconds)

    def options(self) -> dict[str, Any]:
        """Return section ``[dpm]``."""
        fcp = sorted(name for name in self.adapters if name.startswith("FCP"))
        return {
            "hmc": [self.server.host],
            "hmc_port": self.server.port,
            "hmc_username": self.server.userid,
            "hmc_password": self.server.password,
            "hmc_ca_file": str(self.server.ca_file),
            "hmc_operation_timeout": OPERATION_TIMEOUT,
            "hmc_busy_timeout": BUSY_TIMEOUT,
            "hmc_outage_timeout": OUTAGE_TIMEOUT,
            "cpc_object_id": self.cpc_id,
            "max_processors": 8,
            "max_memory": 65536,
            "physical_storage_adapter_mappings": [
                f"{self.adapters[name]}:0" for name in fcp[: self.storage_ports]
            ],
            "target_wwpn_ignore_list": [],
        }

    def settings(self, **changed: Any) -> Settings:
        """Return the options as the driver reads them, but for `changed` ones of `HmcSettings`."""
        with _configuring:
            configure(self.options())
            settings = conf.read(CONF)
        return replace(settings, hmc=replace(settings.hmc, **changed))

    def hmc(self, **changed: Any) -> Hmc:
        """Return a new door to it, by the options but for `changed` ones of `HmcSettings`."""
        return Hmc(self.settings(**changed).hmc, self.clock)

    def driver(self, virtapi: Any, read_timeout: float | None = None) -> DPMDriver:
        """Return a new driver, as a nova-compute that starts makes one.

        Args:
            read_timeout: in seconds; the option itself takes none below 1
        """
        with _configuring:
            configure(self.options())
            driver = DPMDriver(virtapi, self.clock)
        driver._scheduling._find = _no_service
        if read_timeout is not None:
            sessions = driver._hmc._sessions
            sessions._settings = replace(sessions._settings, read_timeout=read_timeout)
        return driver

    def left(self) -> list[str]:
        """Return the names of what is on the HMC: partitions, their NICs and HBAs, and groups."""
        inventory = self.control.inventory()
        names = [*inventory["partitions"], *inventory["storage-groups"]]
        for partition in inventory["partitions"].values():
            names += [each["name"] for each in partition["nics"] + partition["hbas"]]
        return names


def _no_service(context: Any, host: str) -> Any:
    """Be as a Nova that knows no such host: there is no database here."""
    raise exception.ComputeHostNotFound(host=host)


def configure(options: dict[str, Any]) -> None:
    """Set Nova's configuration of this process: stock values, and `options` of ``[dpm]``."""
    objects.register_all()
    CONF([], project="nova", default_config_files=[])
    CONF.set_override("host", HOST)
    CONF.set_override("my_ip", "192.0.2.1")
    # Not those of a real nova-compute, whose tests may run at the same time.
    CONF.set_override("port_range", "12000:13000", group="serial_console")
    for name, value in options.items():
        CONF.set_override(name, value, group="dpm")
