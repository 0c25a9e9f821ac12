"""What Tempest runs in: a virtual environment of its own, beside the cloud's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dpm_lab.cloud import environment
from dpm_lab.cloud.place import Place
from dpm_lab.progress import Progress

CONSTRAINTS = Path(__file__).with_name("constraints.txt")


def folder() -> Path:
    """Where the virtual environment is, or will be."""
    return environment.place_of("tempest", CONSTRAINTS)


def make(progress: Progress) -> Path:
    """Make the virtual environment where it is not there.

    Raises:
        CloudError: pip cannot.
    """
    path = folder()
    environment.install(path, CONSTRAINTS, progress, f"Tempest into {path}")
    return path


def variables(place: Place) -> Mapping[str, str]:
    """Return the environment of Tempest's programs: it finds its configuration and the plug-in."""
    own = environment.variables(place)
    return {
        **own,
        "PATH": f"{folder()}/bin:{own['PATH']}",
        "PYTHON": str(folder() / "bin/python"),
        "TEMPEST_CONFIG_DIR": str(place.of("tempest", "etc")),
    }
