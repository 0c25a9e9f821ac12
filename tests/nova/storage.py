"""Cinder with a fibre channel backend, as far as Nova's functional tests have a Cinder."""

from __future__ import annotations

from collections.abc import Callable
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
        self.image_of: dict[str, str] = {}
        self.reimages = True
        self.reimaged: list[tuple[str, str]] = []
        """Volumes that an image was written to, and the images."""
        self.meanwhile: Callable[[], None] | None = None
        """Done while Cinder connects the next volume: here that takes no time."""

    def clear(self) -> None:
        """Have nothing attached any more."""
        self.iscsi.clear()
        self.image_of.clear()
        self.reimages = True
        self.reimaged.clear()
        self.meanwhile = None
        self.volume_to_attachment.clear()

    def fake_get(self, context: Any, volume_id: str, microversion: str | None = None) -> Any:
        """Know the image of a volume, where there is one."""
        volume = super().fake_get(context, volume_id, microversion)
        if volume_id in self.image_of:
            volume["volume_image_metadata"] = {"image_id": self.image_of[volume_id]}
        return volume

    def fake_reimage_volume(
        self, context: Any, volume_id: str, image_id: str, reimage_reserved: bool = False
    ) -> None:
        """Write an image to a volume, and tell Nova, as Cinder does in its own time."""
        attachments = self.volume_to_attachment[volume_id].values()
        [server] = {each["instance_uuid"] for each in attachments}
        if self.reimages:
            self.reimaged.append((volume_id, image_id))
        event = {
            "name": "volume-reimaged",
            "server_uuid": server,
            "tag": volume_id,
            "status": "completed" if self.reimages else "failed",
        }
        self.test.api.api_post("/os-server-external-events", {"events": [event]})

    def connector(self, volume_id: str) -> dict[str, Any]:
        """Return what Nova has told of the partition that a volume is connected to."""
        attachments = self.volume_to_attachment[volume_id].values()
        found: dict[str, Any] = next(each["connector"] for each in attachments)
        return found

    def _find_connection_info(self, volume_id: str, attachment_id: str) -> dict[str, Any]:
        connector = self._find_attachment(attachment_id)[1]["connector"] or {}
        data: dict[str, Any] = {"volume_id": volume_id, "attachment_id": attachment_id}
        meanwhile, self.meanwhile = self.meanwhile, None
        if connector and meanwhile is not None:
            meanwhile()
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
