"""Cinder's driver for the lab's storage subsystem: fibre channel, LUNs in a folder."""

from __future__ import annotations

import tempfile
import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from cinder import exception, interface
from cinder.volume import driver, volume_utils
from oslo_config import cfg
from oslo_log import log
from oslo_utils import units

from dpm_lab.errors import LabError
from dpm_lab.storage import InUseError, NoSuchLunError, Storage
from dpm_lab.storage.folder import Format

LOG = log.getLogger(__name__)

OPTIONS = [cfg.StrOpt("lab_storage", help="The folder of the lab's storage subsystem.")]
_CAPACITY_GB = 100_000
_FORMATS = ("qcow2", "raw")

#: Why something was refused, in the metadata of what was asked for: Cinder's messages to users have
#: texts of their own.
REASON = "refused"


@interface.volumedriver
class LabFibreChannelDriver(driver.FibreChannelDriver):  # type: ignore[misc]
    """Volumes of the lab, for servers on the lab's HMC."""

    VERSION = "2.0"
    CI_WIKI_NAME = "none"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.configuration.append_config_values(OPTIONS)
        self._storage = Storage(".")
        # The folder's lock stops a whole process. Green threads of this one would wait for
        # each other for ever: one holds it while its program runs, another one waits for it.
        self._lock = threading.Lock()

    def do_setup(self, context: object) -> None:
        """Find the storage subsystem."""
        self._storage = Storage(self.configuration.lab_storage)

    def check_for_setup_error(self) -> None:
        """Look whether it can be read."""
        with self._asking():
            self._storage.luns()

    @contextmanager
    def _asking(self, wanted: Any = None) -> Iterator[Storage]:
        """Give the storage subsystem; what it refuses is an error of Cinder.

        Args:
            wanted: the volume or snapshot that is made; its metadata will say why it was not
        """
        try:
            with self._lock:
                yield self._storage
        except LabError as error:
            LOG.error("The lab's storage refuses it: %s", error)
            if wanted is not None:
                wanted.metadata = {**(wanted.metadata or {}), REASON: str(error)[:255]}
                wanted.save()
            raise exception.VolumeBackendAPIException(data=str(error)) from error

    # -- volumes

    def create_volume(self, volume: Any) -> None:
        """Make a volume."""
        with self._asking(volume) as storage:
            storage.create(volume.name, _bytes(volume.size))

    def create_volume_from_snapshot(self, volume: Any, snapshot: Any) -> None:
        """Make a volume of a snapshot."""
        with self._asking(volume) as storage:
            storage.create_from_snapshot(snapshot.name, volume.name, _bytes(volume.size))

    def create_cloned_volume(self, volume: Any, src_vref: Any) -> None:
        """Make a volume of another one."""
        with self._asking(volume) as storage:
            storage.clone(src_vref.name, volume.name, _bytes(volume.size))

    def clone_image(
        self,
        context: object,
        volume: Any,
        image_location: tuple[str | None, Any] | None,
        image_meta: Mapping[str, Any],
        image_service: Any,
    ) -> tuple[dict[str, Any], bool]:
        """Make a volume of an image, without a copy where Glance has it in a file."""
        image = str(image_meta["id"])
        form = _format(image_meta)
        with (
            self._asking(volume) as storage,
            self._file(context, image, image_location, image_service) as file,
        ):
            storage.create_from_image(
                volume.name, file, _bytes(volume.size), keep_as=image, form=form
            )
        return {}, True

    def copy_image_to_volume(
        self, context: object, volume: Any, image_service: Any, image_id: str, **_more: object
    ) -> None:
        """Put an image on a volume that is there: a rebuild."""
        form = _format(image_service.show(context, image_id))
        location = image_service.get_location(context, image_id)
        with (
            self._asking() as storage,
            self._file(context, image_id, location, image_service) as file,
        ):
            storage.put_image(volume.name, file, keep_as=image_id, form=form)

    @contextmanager
    def _file(
        self, context: object, image: str, location: tuple[str | None, Any] | None, service: Any
    ) -> Iterator[Path | None]:
        """Give the file of an image: Glance's own, or one that is fetched; None where it is kept.

        With the lock held.
        """
        if self._storage.has_image(image):
            yield None
            return
        first, others = location or (None, None)
        urls = [first, *(each["url"] for each in others or ())]
        paths = [
            Path(urllib.parse.unquote(parsed.path))
            for parsed in map(urllib.parse.urlparse, filter(None, urls))
            if parsed.scheme == "file"
        ]
        found = next((path for path in paths if path.is_file()), None)
        if found is not None:
            yield found
            return
        self._storage.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._storage.folder, prefix="fetched-") as folder:
            fetched = Path(folder, "image")
            with fetched.open("wb") as file:
                service.download(context, image, file)
            yield fetched

    def copy_volume_to_image(
        self, context: object, volume: Any, image_service: Any, image_meta: Mapping[str, Any]
    ) -> None:
        """Make an image of a volume."""
        form = _format(image_meta)
        with tempfile.TemporaryDirectory(dir=self._storage.folder, prefix="given-") as folder:
            file = Path(folder, "image")
            with self._asking() as storage:
                storage.write_to(volume.name, file, form)
            # In the image's own format: for a conversion Cinder would need root.
            volume_utils.upload_volume(
                context, image_service, image_meta, str(file), volume, volume_format=form
            )

    def delete_volume(self, volume: Any) -> None:
        """Remove a volume, if it is there."""
        with self._asking() as storage:
            try:
                storage.delete(volume.name)
            except NoSuchLunError:
                LOG.info("There is no LUN %s", volume.name)
            except InUseError as error:
                LOG.error("Not deleted: %s", error)
                raise exception.VolumeIsBusy(volume_name=volume.name) from error

    def extend_volume(self, volume: Any, new_size: int) -> None:
        """Make a volume larger."""
        with self._asking() as storage:
            storage.extend(volume.name, _bytes(new_size))

    # -- snapshots

    def create_snapshot(self, snapshot: Any) -> None:
        """Make a snapshot."""
        with self._asking(snapshot) as storage:
            storage.snapshot(snapshot.volume_name, snapshot.name)

    def delete_snapshot(self, snapshot: Any) -> None:
        """Remove a snapshot, if it is there."""
        with self._asking() as storage:
            try:
                storage.delete_snapshot(snapshot.name)
            except NoSuchLunError:
                LOG.info("There is no snapshot %s", snapshot.name)

    # -- connections

    def ensure_export(self, context: object, volume: object) -> None:
        """Do nothing: a volume is shown when it is connected."""

    def create_export(self, context: object, volume: object, connector: object) -> None:
        """Do nothing: a volume is shown when it is connected."""

    def remove_export(self, context: object, volume: Any) -> None:
        """Hide a volume from all: nobody is connected any more."""
        self._unmask(volume, None)

    def initialize_connection(self, volume: Any, connector: Any, **_more: object) -> dict[str, Any]:
        """Show a volume to a server's WWPNs."""
        wwpns = [wwpn.lower() for wwpn in connector["wwpns"]]
        with self._asking() as storage:
            storage.mask(volume.name, wwpns)
            targets, number = storage.targets, storage.lun(volume.name).number
        return {
            "driver_volume_type": "fibre_channel",
            "data": {
                "target_discovered": True,
                "target_wwn": list(targets),
                "target_lun": number,
                "volume_id": volume.id,
                "initiator_target_map": {wwpn: list(targets) for wwpn in wwpns},
            },
        }

    def terminate_connection(self, volume: Any, connector: Any, **_more: object) -> dict[str, Any]:
        """Hide a volume from a server's WWPNs; from all of them where there is no connector."""
        self._unmask(volume, connector["wwpns"] if connector else None)
        return {"driver_volume_type": "fibre_channel", "data": {}}

    def _unmask(self, volume: Any, wwpns: list[str] | None) -> None:
        with self._asking() as storage:
            try:
                storage.unmask(volume.name, wwpns)
            except NoSuchLunError:
                LOG.info("There is no LUN %s", volume.name)

    def _update_volume_stats(self) -> None:
        with self._asking() as storage:
            used = sum(lun.size for lun in storage.luns()) / units.Gi
        self._stats = {
            "volume_backend_name": self.configuration.safe_get("volume_backend_name"),
            "vendor_name": "dpm-lab",
            "driver_version": self.VERSION,
            "storage_protocol": "FC",
            "total_capacity_gb": _CAPACITY_GB,
            "free_capacity_gb": _CAPACITY_GB - used,
            "reserved_percentage": 0,
            # Two guests cannot write to one qcow2, and one that has it open lets nobody grow it.
            "multiattach": False,
            "online_extend_support": False,
        }


def _bytes(gigabytes: int) -> int:
    return int(gigabytes) * int(units.Gi)


def _format(image: Mapping[str, Any]) -> Format:
    form = image.get("disk_format")
    if form not in _FORMATS:
        raise exception.ImageUnacceptable(
            image_id=image["id"],
            reason=f"its format is {form}; the lab's storage takes {' and '.join(_FORMATS)}",
        )
    return cast("Format", form)
