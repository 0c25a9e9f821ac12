"""Waiting for Neutron: its agent says that a port is plugged when the NIC is on the HMC."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import nova.conf
from nova import exception
from nova.objects.instance import Instance
from nova.virt.virtapi import VirtAPI
from oslo_log import log

from nova_dpm.errors import RefusedError

LOG = log.getLogger(__name__)
CONF = nova.conf.CONF


def plugged(
    virtapi: VirtAPI, instance: Instance, vifs: Sequence[Mapping[str, Any]]
) -> AbstractContextManager[object]:
    """Return a context to make NICs in, which is left when Neutron has plugged them.

    Options ``[DEFAULT] vif_plugging_timeout`` (seconds, 0: do not wait) and
    ``vif_plugging_is_fatal`` are Nova's.
    """
    waiting = [vif["id"] for vif in vifs if vif.get("active", True) is False]
    if not waiting or not CONF.vif_plugging_timeout:
        return nullcontext()
    return _wait(virtapi, instance, waiting)


@contextmanager
def _wait(virtapi: VirtAPI, instance: Instance, ports: Sequence[str]) -> Iterator[None]:
    def failed(event_name: str, unused: Instance) -> None:
        if CONF.vif_plugging_is_fatal:
            raise RefusedError(f"Neutron could not plug a port ({event_name})")

    events = [("network-vif-plugged", port) for port in ports]
    try:
        with virtapi.wait_for_instance_event(
            instance, events, timeout=CONF.vif_plugging_timeout, error_callback=failed
        ):
            yield
    except exception.InstanceEventTimeout:
        problem = (
            f"Neutron did not say within {CONF.vif_plugging_timeout} s that ports "
            f"{', '.join(ports)} are plugged; does its agent for this host run?"
        )
        if CONF.vif_plugging_is_fatal:
            raise RefusedError(problem) from None
        LOG.warning("%s", problem, instance=instance)
