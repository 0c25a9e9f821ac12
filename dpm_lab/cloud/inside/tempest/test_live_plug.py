"""Tempest's own tests of interfaces, for servers on which nobody logs on.

Tempest skips them where it may not log on to a server: with libvirt the guest has to answer when a
device is plugged. A partition's NIC is there and gone without its guest.
"""

from __future__ import annotations

from typing import Any

import fixtures
from tempest import config
from tempest.api.compute.servers import test_attach_interfaces as theirs

CONF = config.CONF


class _NobodyLogsOn:
    """Goes before one of Tempest's classes, and leaves out that a guest has to answer."""

    @classmethod
    def skip_checks(cls: Any) -> None:
        """Skip what Tempest skips but for the guest's sake."""
        super(theirs.AttachInterfacesTestBase, cls).skip_checks()  # type: ignore[misc]
        if not (CONF.dpm_lab.volume_backed and CONF.compute_feature_enabled.interface_attach):
            raise cls.skipException("Interface attachment is not available.")

    def setUp(self: Any) -> None:
        """Wait for nobody."""
        super().setUp()  # type: ignore[misc]
        self.useFixture(
            fixtures.MonkeyPatch(
                "tempest.common.compute.wait_for_ssh_or_ping", lambda *_given: None
            )
        )

    def _wait_for_validation(self, server: object, resources: object) -> None:
        """Do nothing."""


class PlugTest(_NobodyLogsOn, theirs.AttachInterfacesTestJSON):  # type: ignore[misc]
    """Ports come to and go from a running server."""


class FixedAddressesTest(_NobodyLogsOn, theirs.AttachInterfacesUnderV243Test):  # type: ignore[misc]
    """Addresses come to and go from a port of a running server."""


class TagsTest(_NobodyLogsOn, theirs.AttachInterfacesV270Test):  # type: ignore[misc]
    """A port's tag is shown."""
