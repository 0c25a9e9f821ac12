"""A storage subsystem: LUNs that are qcow2 files in a folder, behind ports with WWPN masking.

>>> import tempfile
>>> from dpm_lab.storage import Storage
>>> with tempfile.TemporaryDirectory() as folder:
...     storage = Storage(folder)
...     lun = storage.create("volume-1", 2**30)
...     storage.mask("volume-1", ["c05076ff00000001"])
...     [each.name for each in storage.seen_by("c05076ff00000001")]
['volume-1']
"""

from __future__ import annotations

from dpm_lab.storage.folder import Storage
from dpm_lab.storage.state import TARGETS, InUseError, Lun, NoSuchLunError, StorageError

__all__ = ["TARGETS", "InUseError", "Lun", "NoSuchLunError", "Storage", "StorageError"]
