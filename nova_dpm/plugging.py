"""Waiting for Neutron: it says that a port is plugged when all that it waits for is done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import nova.conf
from keystoneauth1.exceptions import ClientException
from neutronclient.common.exceptions import NeutronClientException
from nova import exception
from nova.network import neutron
from nova.objects.instance import Instance
from nova.virt.virtapi import VirtAPI
from oslo_log import log

from nova_dpm.errors import RefusedError

LOG = log.getLogger(__name__)
CONF = nova.conf.CONF

_EVENT = "network-vif-plugged"
_ACTIVE = "ACTIVE"
"""Status of a port, as ``nova/network/neutron.py`` reads it."""


def plugged(
    virtapi: VirtAPI, context: Any, instance: Instance, vifs: Sequence[Mapping[str, Any]]
) -> AbstractContextManager[object]:
    """Return a context to make NICs in, which is left when Neutron has plugged them.

    Options ``[DEFAULT] vif_plugging_timeout`` (seconds, 0: do not wait) and
    ``vif_plugging_is_fatal`` are Nova's.
    """
    waiting = [vif["id"] for vif in vifs if vif.get("active", True) is False]
    if not waiting or not CONF.vif_plugging_timeout:
        return nullcontext()
    return _wait(virtapi, context, instance, waiting)


@contextmanager
def _wait(
    virtapi: VirtAPI, context: Any, instance: Instance, ports: Sequence[str]
) -> Iterator[None]:
    def failed(event_name: str, unused: Instance) -> None:
        if CONF.vif_plugging_is_fatal:
            raise RefusedError(
                "Neutron could not plug a port of it; the agent of the port's host has the reason "
                "in its log",
                event_name,
            )

    events = [(_EVENT, port) for port in ports]
    try:
        with virtapi.wait_for_instance_event(
            instance, events, timeout=CONF.vif_plugging_timeout, error_callback=failed
        ):
            yield
            # What Nova says of the ports is as old as their binding, and Cinder has made and
            # connected volumes since. A port that became active meanwhile has had its event.
            done = _active(context, instance, ports)
            silent = [port for port in ports if port not in done]
            if silent:
                LOG.info(
                    "Waiting up to %d s for Neutron to say that ports %s are plugged",
                    CONF.vif_plugging_timeout,
                    ", ".join(silent),
                    instance=instance,
                )
            if done:
                virtapi.exit_wait_early([(_EVENT, port) for port in done])
    except exception.InstanceEventTimeout:
        silent = sorted(set(ports) - _active(context, instance, ports))
        if not silent:
            LOG.warning(
                "All ports are plugged, and Nova has not been told of it: is [nova] of Neutron's "
                "configuration right, and does nova-api answer Neutron?",
                instance=instance,
            )
            return
        problem = (
            f"Neutron did not plug {_counted(silent)} within {CONF.vif_plugging_timeout} s; does "
            "its agent for this host run, and its DHCP agent? (openstack network agent list)"
        )
        if CONF.vif_plugging_is_fatal:
            raise RefusedError(problem, ", ".join(silent)) from None
        LOG.warning("%s: %s", problem, ", ".join(silent), instance=instance)


def _active(context: Any, instance: Instance, ports: Sequence[str]) -> set[str]:
    """Return those of the ports that Neutron says are active; none where it cannot be asked."""
    try:
        shown = neutron.get_client(context, admin=True).list_ports(
            device_id=instance.uuid, fields=["id", "status"]
        )
    except (ClientException, NeutronClientException, exception.NovaException) as error:
        LOG.warning("Neutron does not say which ports are active: %s", error, instance=instance)
        return set()
    active = {each["id"] for each in shown["ports"] if each["status"] == _ACTIVE}
    return active.intersection(ports)


def _counted(ports: Sequence[str]) -> str:
    return f"port {ports[0]}" if len(ports) == 1 else f"{len(ports)} ports"
