"""A copy of what belongs to this project, as somebody has it who builds a wheel of it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

TOP = Path(__file__).parents[1]


def copied(folder: Path) -> Path:
    """Copy all files that git has or would have into a folder, which is made; return it."""
    listed = ["git", "-C", str(TOP), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (TOP / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TOP / name, folder / name)
    return folder
