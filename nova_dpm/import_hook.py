"""How a stock nova-compute finds this driver.

``nova.virt.driver.load_compute_driver`` imports ``nova.virt.<compute_driver>`` and looks nowhere
else, so ``compute_driver = dpm.DPMDriver`` needs a module ``nova.virt.dpm``. ``nova-compute``
loads all os-vif plug-ins before that (``nova/cmd/compute.py``): ours adds a finder by which
``nova.virt.dpm`` is `nova_dpm.driver`. Nothing is written into Nova's package.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from os_vif import exception, objects, plugin
from os_vif.objects import host_info

ALIAS = "nova.virt.dpm"
TARGET = "nova_dpm.driver"


class DriverFinder(MetaPathFinder, Loader):
    """Makes ``nova.virt.dpm`` another name of `nova_dpm.driver`."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return a spec for the one name that this finder knows."""
        return ModuleSpec(fullname, self) if fullname == ALIAS else None

    def exec_module(self, module: ModuleType) -> None:
        """Put the driver's module in the place of the empty one that was made for the name."""
        sys.modules[ALIAS] = importlib.import_module(TARGET)


def install_finder() -> None:
    """Make ``nova.virt.dpm`` importable; a second call changes nothing."""
    if not any(isinstance(finder, DriverFinder) for finder in sys.meta_path):
        sys.meta_path.append(DriverFinder())


class DpmPlugin(plugin.PluginBase):  # type: ignore[misc]
    """An os-vif plug-in that plugs nothing: the driver makes a partition's NICs, on the HMC."""

    @classmethod
    def load(cls, plugin_name: str) -> DpmPlugin:
        """Be loaded by ``os_vif.initialize()``, and with it make the driver importable."""
        install_finder()
        loaded: DpmPlugin = super().load(plugin_name)
        return loaded

    def describe(self) -> host_info.HostPluginInfo:
        """Say that no os-vif VIF is ours: Nova hands ``dpm_vswitch`` to the driver as it is."""
        return host_info.HostPluginInfo(plugin_name="dpm", vif_info=[])

    def plug(
        self, vif: objects.vif.VIFBase, instance_info: objects.instance_info.InstanceInfo
    ) -> None:
        """Refuse: see `describe`."""
        raise exception.PlugException(vif=vif, err="nova-dpm has no os-vif VIFs")

    def unplug(
        self, vif: objects.vif.VIFBase, instance_info: objects.instance_info.InstanceInfo
    ) -> None:
        """Refuse: see `describe`."""
        raise exception.UnplugException(vif=vif, err="nova-dpm has no os-vif VIFs")
