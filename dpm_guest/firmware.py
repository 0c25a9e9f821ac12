"""What the firmware tells Linux of the partition's devices before anything runs (z14 and later).

``/sys/firmware/sclp_sd/config/data``; its form as s390-tools reads it (``zdev/src/firmware.c``).
"""

from __future__ import annotations

import re
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADER = struct.Struct(">4sHHI")  # magic, version, length of the header, length of all
_ENTRY = struct.Struct(">HH4xx")  # type, length; flags
_ID = struct.Struct(">BBH")
_SETTING = struct.Struct(">HBBBB")  # length; type and length of the key, and of the value
_TYPES = {1: ("dasd", 1, 0), 2: ("zfcp-host", 1, 0), 3: ("zfcp-lun", 1, 16), 4: ("qeth", 3, 0)}
_NUMBER = 1


def devices(data: bytes) -> Iterator[str]:
    """A line for each device: its kind, its bus ids, its settings.

    Values that are no numbers, WWPNs and LUNs are left out.
    """
    try:
        magic, version, start, end = _HEADER.unpack_from(data)
        if magic != b"zdev":
            raise ValueError
        yield f"version {version}"
        while start < min(end, len(data)):
            number, length = _ENTRY.unpack_from(data, start)
            entry = data[start : start + length]
            if not length:
                raise ValueError
            start += length
            kind, ids, skipped = _TYPES.get(number, (f"type {number}", 0, 0))
            found = [_ID.unpack_from(entry, _ENTRY.size + i * _ID.size) for i in range(ids)]
            names = ",".join(f"{css:x}.{ssid:x}.{devno:04x}" for css, ssid, devno in found)
            settings = entry[_ENTRY.size + ids * _ID.size + skipped :] if ids else b""
            yield " ".join([kind, names, *_settings(settings)]).rstrip()
    except (struct.error, ValueError):
        yield f"not understood ({len(data)} bytes)"


def _settings(data: bytes) -> Iterator[str]:
    start, end = 2, int.from_bytes(data[:2], "big")
    while start < min(end, len(data)):
        length, _, key, kind, size = _SETTING.unpack_from(data, start)
        at = start + _SETTING.size
        name = data[at : at + key].rstrip(b"\0").decode("ascii", "replace")
        value = data[at + key : at + key + size]
        said = str(int.from_bytes(value, "big")) if kind == _NUMBER else f"({size} bytes)"
        yield f"{name if re.fullmatch('[a-z0-9_]{1,32}', name) else '?'}={said}"
        start += max(length, 1)
