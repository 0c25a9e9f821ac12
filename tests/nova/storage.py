"""Cinder with a fibre channel backend, as far as Nova's functional tests have a Cinder."""

from __future__ import annotations

from typing import Any

from nova.tests.fixtures import CinderFixture

TARGETS = ("5005076800000001", "5005076800000002")
"""World-wide port names of the storage; the fabric's zones let all initiators see the second."""

LUN = 5


class FcCinder(CinderFixture):  # type: ignore[misc]
    """Connects volumes over fibre channel, but those in `iscsi`."""

    def __init__(self, test: Any) -> None:
        super().__init__(test)
        self.iscsi: set[str] = set()

    def clear(self) -> None:
        """Have nothing attached any more."""
        self.iscsi.clear()
        self.volume_to_attachment.clear()

    def connector(self, volume_id: str) -> dict[str, Any]:
        """Return what Nova has told of the partition that a volume is connected to."""
        attachments = self.volume_to_attachment[volume_id].values()
        found: dict[str, Any] = next(each["connector"] for each in attachments)
        return found

    def _find_connection_info(self, volume_id: str, attachment_id: str) -> dict[str, Any]:
        connector = self._find_attachment(attachment_id)[1]["connector"] or {}
        data: dict[str, Any] = {"volume_id": volume_id, "attachment_id": attachment_id}
        if volume_id in self.iscsi:
            return {"driver_volume_type": "iscsi", "data": {**data, "target_lun": 1}}
        zones = {wwpn: [TARGETS[1]] for wwpn in connector.get("wwpns", ())}
        return {
            "driver_volume_type": "fibre_channel",
            "data": {
                **data,
                "target_wwn": list(TARGETS),
                "target_lun": LUN,
                "initiator_target_map": zones,
            },
        }
