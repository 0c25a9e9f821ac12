"""How a stock nova-compute finds the driver. In processes that have not imported it yet."""

from __future__ import annotations

import subprocess
import sys

import pytest
from os_vif import exception

from nova_dpm.import_hook import DpmPlugin, DriverFinder, install_finder


def run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_os_vif_loads_the_plugin_and_nova_finds_the_driver() -> None:
    shown = run(
        "import os_vif, importlib; os_vif.initialize();"
        "module = importlib.import_module('nova.virt.dpm');"
        "print(module.__name__, module.DPMDriver.__module__)"
    )

    assert shown == "nova_dpm.driver nova_dpm.driver"


def test_the_module_is_the_same_under_both_names() -> None:
    shown = run(
        "from nova_dpm.import_hook import install_finder; install_finder();"
        "import nova.virt.dpm, nova_dpm.driver, sys;"
        "print(sys.modules['nova.virt.dpm'] is nova_dpm.driver)"
    )

    assert shown == "True"


def test_the_finder_knows_one_name_only() -> None:
    finder = DriverFinder()

    assert finder.find_spec("nova.virt.libvirt", None) is None
    assert finder.find_spec("dpm", None) is None
    spec = finder.find_spec("nova.virt.dpm", None)
    assert spec is not None
    assert spec.loader is finder


def test_it_is_installed_once() -> None:
    install_finder()
    install_finder()

    assert sum(isinstance(each, DriverFinder) for each in sys.meta_path) == 1


def test_the_plugin_claims_no_vif() -> None:
    plugin = DpmPlugin.load("dpm")

    assert plugin.describe().vif_info == []
    with pytest.raises(exception.PlugException):
        plugin.plug(None, None)
    with pytest.raises(exception.UnplugException):
        plugin.unplug(None, None)
