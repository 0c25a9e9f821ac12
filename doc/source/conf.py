"""How the documents are built: ``make docs``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).parents[2]
GENERATED = Path(__file__).parent / "_generated"

project = "nova-dpm"
copyright = "the nova-dpm developers, Apache License 2.0"
author = "the nova-dpm developers"
exclude_patterns = ["_generated"]
extensions = ["reno.sphinxext"]
html_theme = "alabaster"
html_theme_options = {
    "description": "OpenStack on IBM Z and LinuxONE machines in DPM mode",
    "fixed_sidebar": True,
    "page_width": "1100px",
}
html_show_sourcelink = False


def _help(*command: str) -> str:
    """What a command says of itself; the pages show it, so that they can't say anything else."""
    done = subprocess.run(
        [sys.executable, "-m", *command, "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=TOP,
        env={"PYTHONPATH": f"{TOP}:{TOP / 'image-build'}", "COLUMNS": "96"},
    )
    return done.stdout


GENERATED.mkdir(exist_ok=True)
(GENERATED / "dpm-guest.txt").write_text(_help("dpm_guest"))
for _command in ("build", "verify", "boot", "demo"):
    (GENERATED / f"dpm-image-{_command}.txt").write_text(_help("dpm_image", _command))
(GENERATED / "dpm-lab-osa.txt").write_text(_help("dpm_lab", "osa"))
