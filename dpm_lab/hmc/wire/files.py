"""Files that the HMC makes: keys, certificates, passwords."""

from __future__ import annotations

import os
from pathlib import Path

from dpm_lab.hmc.errors import StartError

SECRET = 0o600
PUBLIC = 0o644


def write_new(path: Path, content: str | bytes, mode: int) -> None:
    """Write a new file in the place of one that may be there, with whatever mode, or a link.

    Raises:
        StartError: it cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        path.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with os.fdopen(os.open(path, flags, mode), "wb") as file:
            file.write(data)
    except OSError as error:
        raise StartError(f"{path}: {error.strerror}") from error
