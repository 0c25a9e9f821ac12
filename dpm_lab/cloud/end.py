"""Ends a cloud, all of it, and leaves nothing of it that runs or is in the kernel."""

from __future__ import annotations

from dpm_lab.cloud import processes, wires
from dpm_lab.cloud.place import Place
from dpm_lab.cloud.services import services

#: What the others need until they have ended.
_LAST = ("mariadb", "epmd", "rabbitmq", "hmc")


def end(place: Place) -> None:
    """End what runs, also what a crash has left, and remove what it made in the kernel."""
    processes.stop(place, [each.name for each in services(place) if each.name not in _LAST])
    processes.stop(place, _LAST)
    processes.sweep(place)
    wires.remove(place)
