"""Compiling the OSA card for the hercules that is installed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from dpm_lab import cache
from dpm_lab.errors import ToolError
from dpm_lab.process import run
from dpm_lab.progress import Progress

#: The card touches structures of hercules whose layout it knows only for this build.
_VERSION = re.compile(r"^3\.13-\d")
_ARCHITECTURE = "amd64"
_SOURCE = Path(__file__).parent / "card"
_STOCK = "hdtqeth.so"
_PLACES = ("/usr/lib/hercules", "/usr/lib/x86_64-linux-gnu/hercules")
_FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC")


def get(progress: Progress) -> Path:
    """Return the compiled card.

    Raises:
        ToolError: hercules is missing or another one, or the compiler is missing or unhappy.
    """
    _check_version()
    sources = sorted(_SOURCE.glob("*.[ch]"))
    key = cache.key(*(path.read_bytes() for path in sources), *_FLAGS, _stock())
    folder = cache.folder("osa", f"card-{key}")
    with cache.made_once(folder) as new:
        if new is not None:
            progress.line("OSA card: compiling")
            command = ["gcc", *_FLAGS, f'-DSTOCK_DEVICE="{_stock()}"', "-o", str(new / "osa.so")]
            command += [str(path) for path in sources if path.suffix == ".c"]
            run([*command, "-ldl"], "the card was made for gcc 12")
    return folder / "osa.so"


def _check_version() -> None:
    if shutil.which("hercules") is None:
        raise ToolError("no program hercules; 'make setup' installs it")
    query = ["dpkg-query", "--show", "--showformat=${Version} ${Architecture}", "hercules"]
    version, _, architecture = run(query, "is hercules Debian's own?").partition(" ")
    if not _VERSION.match(version) or architecture != _ARCHITECTURE:
        raise ToolError(
            f"hercules is {version} for {architecture}, and the OSA card was made for Debian's "
            f"3.13 for {_ARCHITECTURE}: check the offsets in "
            "dpm_lab/guests/hercules/card/card.h against its source"
        )


def _stock() -> str:
    for place in _PLACES:
        if Path(place, _STOCK).exists():
            return f"{place}/{_STOCK}"
    raise ToolError(f"hercules has no {_STOCK} in {' or '.join(_PLACES)}")
