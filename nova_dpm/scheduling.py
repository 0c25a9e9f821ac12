"""The host out of scheduling, and in again, by whether the HMC answers."""

from __future__ import annotations

import threading

from nova import context, exception
from nova.objects.service import Service
from oslo_log import log
from oslo_messaging.exceptions import MessagingException

from dpm_hmc.errors import HmcError

LOG = log.getLogger(__name__)

AUTO = "AUTO: "
"""How the reason of a host begins that a driver has disabled, and that it may enable again; an
operator's own is left alone (``nova/virt/libvirt/driver.py``: `DISABLE_PREFIX`)."""

_LONGEST_REASON = 255
"""Characters of ``disabled_reason`` (``nova/db/main/models.py``, `Service`)."""


class Scheduling:
    """Disables and enables the compute service, so that its list says why no server is built.

    Placement is told by the audit that this is called in (``nova/compute/resource_tracker.py``,
    `_sync_compute_service_disabled_trait`).

    Args:
        host: of the service
    """

    def __init__(self, host: str) -> None:
        self._host = host
        self._find = Service.get_by_compute_host
        self._lock = threading.Lock()
        # None: another nova-compute may have disabled it, and ended.
        self._is_enabled: bool | None = None
        self._is_said = False

    def hmc_fails(self, error: HmcError) -> None:
        """Take the host out. Said once, until the HMC answers."""
        with self._lock:
            if not self._is_said:
                LOG.error("No server can be built: %s", error)
                self._is_said = True
            if self._is_enabled is not False and self._set(f"{AUTO}{error}"[:_LONGEST_REASON]):
                self._is_enabled = False

    def hmc_answers(self) -> None:
        """Take the host in, if it was this that took it out."""
        with self._lock:
            if self._is_said:
                LOG.info("The HMC answers again")
                self._is_said = False
            if self._is_enabled is not True and self._set(""):
                self._is_enabled = True

    def _set(self, reason: str) -> bool:
        """Disable the service for a reason, or enable it; return whether Nova could be told."""
        try:
            service = self._find(context.get_admin_context(), self._host)
            is_ours = (service.disabled_reason or "").startswith(AUTO)
            if bool(reason) == bool(service.disabled) or (service.disabled and not is_ours):
                return True
            service.disabled = bool(reason)
            service.disabled_reason = reason or None
            service.save()
        except (exception.NovaException, MessagingException) as error:
            LOG.warning("The compute service cannot be enabled or disabled: %s", error)
            return False
        if reason:
            LOG.warning("Host %s is out of scheduling until the HMC answers", self._host)
        else:
            LOG.info("Host %s is in scheduling again", self._host)
        return True
