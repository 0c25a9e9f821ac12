"""Nova's own suite for its drivers (``nova/tests/unit/virt/test_virt_drivers.py``), on this one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.nova import mode  # isort: skip - before anything of Nova
import nova.conf
from nova import test
from nova.exception import ConsoleNotAvailable, ConsoleTypeUnavailable
from nova.tests.unit import utils
from nova.tests.unit.virt import test_virt_drivers

from dpm_lab.hmc import HmcProcess
from tests.nova.machine import HOST, binding, options, write_conf
from tests.nova.storage import LUN, TARGETS

if TYPE_CHECKING:
    from tests.nova.conftest import OneNova

assert mode
CONF = nova.conf.CONF

NOT_OURS = {
    "test_get_volume_connector": "wants an iSCSI initiator, without an instance",
    "test_get_volume_connector_storage_ip": "wants an iSCSI initiator, without an instance",
    "test_attach_detach_volume": "attaches a volume of type fake; test_devices has fibre channel",
    "test_attach_detach_different_power_states": "attaches a volume of type fake",
    "test_swap_volume": "attaches a volume of type fake",
    "test_live_migration": "a partition cannot be migrated; checks libvirt's objects",
    "test_live_migration_force_complete": "a partition cannot be migrated",
}


class TestDriver(test_virt_drivers._VirtDriverTestCase, test.TestCase):  # type: ignore[misc]
    """The suite over HTTPS to the HMC of a z13."""

    driver_module = "nova.virt.dpm.DPMDriver"

    @pytest.fixture(autouse=True)
    def _lab(
        self,
        request: pytest.FixtureRequest,
        nova: OneNova,
        hmcs: Callable[[str], HmcProcess],
        tmp_path: Path,
    ) -> None:
        name = request.node.name
        if name in NOT_OURS:
            pytest.skip(f"not for this driver: {NOT_OURS[name]}")
        nova.end()
        self._hmc = hmcs("z13")
        for operation in ("start", "stop"):
            self._hmc.control.set_duration(operation, 0)
        self._hmc.control.set_behaviour(after_start="none", after_stop="none")
        self._conf = tmp_path / "nova.conf"

    def _clear_attrs(self) -> None:
        """Keep the attributes: one of them is pytest's, who removes it itself."""

    def _setup_fakelibvirt(self) -> None:
        """Configure our driver too; the next thing that is done is to load it."""
        super()._setup_fakelibvirt()
        test_virt_drivers.os_vif.initialize()
        machine = self._hmc.machines[0]
        write_conf(self._conf, {"dpm": options(self._hmc, machine)})
        CONF([], project="nova", default_config_files=[str(self._conf)])
        self.flags(host=HOST, vif_plugging_timeout=0)

    def _get_running_instance(self, obj: bool = True) -> tuple[Any, Any]:
        """Do as the suite does, with what comes before ``spawn``, a volume and a port of ours."""
        instance = utils.get_test_instance(obj=True)
        instance.image_ref = ""
        instance.flavor.ephemeral_gb = instance.flavor.swap = 0
        bound = binding(self._hmc.machines[0], 0)
        network_info = utils.get_test_network_info()
        network_info[0].update(
            type=bound["binding:vif_type"],
            details=bound["binding:vif_details"],
            address="0a:00:00:00:00:11",
        )
        self.connection.prepare_for_spawn(instance)
        self.connection.prepare_networks_before_block_device_mapping(instance, network_info)
        self.connection.get_volume_connector(instance)
        data = {"target_wwn": list(TARGETS), "target_lun": LUN}
        connection = {"driver_volume_type": "fibre_channel", "data": data}
        volume = {"boot_index": 0, "mount_device": "/dev/sda", "connection_info": connection}
        self.connection.spawn(
            self.ctxt,
            instance,
            None,
            [],
            "secret",
            {},
            network_info=network_info,
            block_device_info={"block_device_mapping": [volume]},
        )
        return instance, network_info

    def test_spawn(self) -> None:
        """As in the suite, but by uuid: names on the HMC are those of the contract."""
        instance, _ = self._get_running_instance()

        assert self.connection.list_instance_uuids() == [instance.uuid]
        assert self.connection.get_num_instances() == 1

    def test_get_console_output(self) -> None:
        """A z13 lists no messages, and says so; `tests.nova.test_console` has a z16."""
        instance, _ = self._get_running_instance()

        with pytest.raises(ConsoleNotAvailable), self.assertNoLogs("nova_dpm", "WARNING"):
            self.connection.get_console_output(self.ctxt, instance)

    def test_get_serial_console(self) -> None:
        """The HMC of a z13 has none, and Nova says so; `tests.nova.test_console` has a z16."""
        instance, _ = self._get_running_instance()

        with pytest.raises(ConsoleTypeUnavailable):
            self.connection.get_serial_console(self.ctxt, instance)

    def test_destroy_instance(self) -> None:
        """As in the suite, but by uuid."""
        instance, network_info = self._get_running_instance()

        self.connection.destroy(self.ctxt, instance, network_info)

        assert self.connection.list_instance_uuids() == []
        assert not self._hmc.control.inventory()["partitions"]
