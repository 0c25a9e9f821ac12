"""Cinder's driver for the lab's disk array: fibre channel, volumes without contents.

It keeps which volumes there are, which LUN each has and which WWPNs may see it, in one file: what
a storage administrator would look at on an array.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cinder import interface
from cinder.volume import driver
from oslo_config import cfg

OPTIONS = [cfg.StrOpt("lab_array", help="The file in which the lab's disk array is kept.")]
#: The array's ports: one in each of two fabrics.
TARGETS = ("500507680b21ac01", "500507680b21ac02")
_CAPACITY_GB = 100_000


@interface.volumedriver
class LabFibreChannelDriver(driver.FibreChannelDriver):  # type: ignore[misc]
    """Volumes of the lab, for servers on the lab's HMC."""

    VERSION = "1.0"
    CI_WIKI_NAME = "none"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.configuration.append_config_values(OPTIONS)

    @contextmanager
    def _volumes(self) -> Iterator[dict[str, Any]]:
        """Give the volumes by id, and write what became of them."""
        path = Path(self.configuration.lab_array)
        with path.open("r+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            whole = json.load(file)
            yield whole["volumes"]
            text = json.dumps(whole, indent=1)
            file.seek(0)
            file.truncate()
            file.write(text)

    def do_setup(self, context: object) -> None:
        """Do nothing: the array is there."""

    def check_for_setup_error(self) -> None:
        """Look whether the array's file can be read."""
        with self._volumes():
            pass

    def _create(self, volume: Any) -> dict[str, Any]:
        with self._volumes() as volumes:
            taken = {each["lun"] for each in volumes.values()}
            lun = next(number for number in range(0x4000) if number not in taken)
            volumes[volume.id] = {"lun": lun, "size": volume.size, "seen-by": []}
        return {}

    def create_volume(self, volume: Any) -> dict[str, Any]:
        """Make a volume."""
        return self._create(volume)

    def create_volume_from_snapshot(self, volume: Any, snapshot: object) -> dict[str, Any]:
        """Make a volume of a snapshot."""
        return self._create(volume)

    def create_cloned_volume(self, volume: Any, src_vref: object) -> dict[str, Any]:
        """Make a volume of another one."""
        return self._create(volume)

    def clone_image(
        self,
        context: object,
        volume: Any,
        image_location: object,
        image_meta: object,
        service: object,
    ) -> tuple[dict[str, Any], bool]:
        """Make a volume of an image, as an array does that has the image already."""
        return self._create(volume), True

    def copy_image_to_volume(
        self, context: object, volume: object, image_service: object, image_id: str, **_more: object
    ) -> None:
        """Put an image on a volume that is there (a rebuild): there is nothing to put."""

    def delete_volume(self, volume: Any) -> None:
        """Remove a volume."""
        with self._volumes() as volumes:
            volumes.pop(volume.id, None)

    def extend_volume(self, volume: Any, new_size: int) -> None:
        """Make a volume larger."""
        with self._volumes() as volumes:
            volumes[volume.id]["size"] = new_size

    def create_snapshot(self, snapshot: object) -> dict[str, Any]:
        """Make a snapshot."""
        return {}

    def delete_snapshot(self, snapshot: object) -> None:
        """Remove a snapshot."""

    def ensure_export(self, context: object, volume: object) -> None:
        """Do nothing: a volume is shown when it is connected."""

    def create_export(self, context: object, volume: object, connector: object) -> dict[str, Any]:
        """Do nothing: a volume is shown when it is connected."""
        return {}

    def remove_export(self, context: object, volume: object) -> None:
        """Do nothing: a volume is hidden when it is disconnected."""

    def initialize_connection(self, volume: Any, connector: Any, **_more: object) -> dict[str, Any]:
        """Show a volume to a server's WWPNs."""
        wwpns = [wwpn.lower() for wwpn in connector["wwpns"]]
        with self._volumes() as volumes:
            mine = volumes[volume.id]
            mine["seen-by"] = sorted({*mine["seen-by"], *wwpns})
            lun = mine["lun"]
        return {
            "driver_volume_type": "fibre_channel",
            "data": {
                "target_discovered": True,
                "target_wwn": list(TARGETS),
                "target_lun": lun,
                "volume_id": volume.id,
                "initiator_target_map": {wwpn: list(TARGETS) for wwpn in wwpns},
            },
        }

    def terminate_connection(self, volume: Any, connector: Any, **_more: object) -> dict[str, Any]:
        """Hide a volume from a server's WWPNs; from all of them where there is no connector."""
        with self._volumes() as volumes:
            mine = volumes.get(volume.id, {"seen-by": []})
            gone = connector["wwpns"] if connector else mine["seen-by"]
            mine["seen-by"] = [wwpn for wwpn in mine["seen-by"] if wwpn not in gone]
        return {"driver_volume_type": "fibre_channel", "data": {}}

    def _update_volume_stats(self) -> None:
        with self._volumes() as volumes:
            used = sum(each["size"] for each in volumes.values())
        self._stats = {
            "volume_backend_name": self.configuration.safe_get("volume_backend_name"),
            "vendor_name": "dpm-lab",
            "driver_version": self.VERSION,
            "storage_protocol": "FC",
            "total_capacity_gb": _CAPACITY_GB,
            "free_capacity_gb": _CAPACITY_GB - used,
            "reserved_percentage": 0,
            "multiattach": True,
        }
