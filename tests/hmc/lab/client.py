"""A real zhmcclient at the lab's HMC, with what tests keep asking for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pytest
import zhmcclient

from dpm_lab.hmc import Control, HmcProcess, HmcServer

_PATIENCE = 120.0

Hmc = HmcServer | HmcProcess


def session(hmc: Hmc, **options: Any) -> Any:
    """Return a session that verifies the HMC's certificate and does not try again by itself."""
    retries = zhmcclient.RetryTimeoutConfig(connect_retries=0, read_retries=0)
    return zhmcclient.Session(
        hmc.host,
        hmc.userid,
        options.pop("password", hmc.password),
        port=hmc.port,
        verify_cert=str(hmc.ca_file),
        retry_timeout_config=retries,
        **options,
    )


@dataclass
class Lab:
    """An HMC and a client of it, at one of its CPCs (default: the first)."""

    hmc: Hmc
    name: str = ""

    @cached_property
    def session(self) -> Any:
        return session(self.hmc)

    @cached_property
    def cpc(self) -> Any:
        found = zhmcclient.Client(self.session).cpcs.list()
        return next(each for each in found if self.name in {"", each.name})

    @property
    def control(self) -> Control:
        return self.hmc.control

    @property
    def console(self) -> Any:
        return self.cpc.manager.client.consoles.console

    def partition(self, name: Any = "web", **properties: Any) -> Any:
        body = {"name": name, "ifl-processors": 1, "initial-memory": 512, "maximum-memory": 512}
        return self.cpc.partitions.create({**body, **properties})

    def adapter(self, name: str) -> Any:
        return self.cpc.adapters.find(name=name)

    def port(self, adapter: str, index: int = 0) -> Any:
        return self.adapter(adapter).ports.list()[index]

    def switch(self, number: int = 0) -> str:
        return str(self.cpc.virtual_switches.list()[number].uri)

    def group(self, name: Any = "disks", **properties: Any) -> Any:
        body = {"name": name, "cpc-uri": self.cpc.uri, "type": "fcp", "shared": False}
        return self.console.storage_groups.create({**body, **properties})

    def boot_volume(self, partition: Any, target: str, fcp_lun: str) -> tuple[str, str]:
        """Give a partition a group with a volume that is a LUN; return its WWPN, and the volume."""
        wanted = [{"operation": "create", "size": 1, "usage": "boot"}]
        group = self.group(**{"storage-volumes": wanted, "connectivity": 1})
        partition.attach_storage_group(group)
        volume = group.storage_volumes.list()[0]
        volume.indicate_fulfillment_fcp(target, fcp_lun, self.port("FCP-A"))
        (resource,) = group.virtual_storage_resources.list()
        return str(resource.get_property("world-wide-port-name")), str(volume.uri)

    def properties(self, resource: Any) -> dict[str, Any]:
        resource.pull_full_properties()
        return dict(resource.properties)

    def status(self, partition: Any) -> str:
        return str(self.properties(partition)["status"])

    def finish(self, job: Any) -> Any:
        """Wait for a job at a better pace than zhmcclient's 10 s; return its result."""
        result: Any = None

        def ended() -> bool:
            nonlocal result
            status, result = job.check_for_completion()
            return bool(status == "complete")

        until(ended)
        return result

    def start(self, partition: Any) -> Any:
        return self.finish(partition.start(wait_for_completion=False))

    def stop(self, partition: Any) -> Any:
        return self.finish(partition.stop(wait_for_completion=False))


def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it does not come to be"
        time.sleep(0.005)


@contextmanager
def refused(status: int, reason: int, text: str = "") -> Iterator[Any]:
    """Expect that the HMC refuses what is done inside."""
    with pytest.raises(zhmcclient.HTTPError) as caught:
        yield caught

    error = caught.value
    assert (error.http_status, error.reason) == (status, reason), str(error)
    assert text in str(error)
