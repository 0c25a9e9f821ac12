"""Where the cables of partitions' NICs lead, and that QEMU is at their end."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from dpm_lab.guests.qemu import emulator
from dpm_lab.guests.qemu.partition import Cable, Device, nic
from dpm_lab.guests.qemu.running import Running
from dpm_lab.hmc import HmcServer
from dpm_lab.hmc.errors import MachineError
from dpm_lab.network import Segment
from dpm_lab.network.process import SwitchProcess
from dpm_lab.progress import Progress
from dpm_lab.storage import Storage
from tests import brisk
from tests.hmc.lab.client import Lab, until
from tests.networks import ALL, A, Nic


class Guest:
    """Stands in for `Running`: knows what devices it shall have."""

    def __init__(self, _name: str, _hardware: Any, teller: Any, **_fields: Any) -> None:
        self.teller = teller

    def start(self) -> None:
        """Do nothing."""

    def end(self) -> None:
        self.teller.ended()

    def join(self) -> None:
        """Do nothing."""

    def backends(self) -> list[dict[str, Any]]:
        """Return what is behind each NIC."""
        devices: Sequence[Device] = self.teller.devices()
        return [each.backend for each in devices if each.kind == "netdev"]

    def switches(self) -> list[str]:
        """Return the sockets that NICs send to."""
        return [each["remote"]["path"] for each in self.backends()]


@pytest.fixture
def networks() -> Iterator[Path]:
    """Return a folder with a short name, as sockets need one."""
    with tempfile.TemporaryDirectory(prefix="dpm-") as folder:
        yield Path(folder)


def _hmc(
    machine: str | Sequence[str],
    tmp_path: Path,
    networks: Path | None,
    made: list[Guest],
    cabled: Sequence[str] = (),
) -> HmcServer:
    def make(*args: Any, **fields: Any) -> Running:
        made.append(Guest(*args, **fields))
        return cast("Running", made[-1])

    return HmcServer(
        *([machine] if isinstance(machine, str) else machine),
        storage=Storage(tmp_path / "disks"),
        make_guest=make,
        durations=brisk.TIMES,
        behaviour={"hipersockets-nic": "made"},
        networks=networks,
        cabled=cabled,
    )


def _start(lab: Lab, partition: Any) -> None:
    lab.hmc.service.tree.guests.start(  # type: ignore[union-attr]
        lab.hmc.service.tree.find(partition.uri)  # type: ignore[union-attr]
    )


def test_a_nic_leads_to_the_port_and_the_vlan_of_its_virtual_switch(
    tmp_path: Path, networks: Path
) -> None:
    guests: list[Guest] = []
    with _hmc("z16", tmp_path, networks, guests) as hmc:
        lab = Lab(hmc)
        partition = lab.partition()
        switches = {
            (by_uri(lab, each.get_property("backing-adapter-uri")), each.get_property("port")): each
            for each in lab.cpc.virtual_switches.list(full_properties=True)
        }
        for number, (where, vlan) in enumerate(
            [(("OSA-A", 0), None), (("OSA-A", 1), 101), (("HIPER-A", 0), None)]
        ):
            body = {"name": str(number), "virtual-switch-uri": switches[where].uri}
            partition.nics.create({**body, "vlan-id": vlan} if vlan else body)

        _start(lab, partition)

        first = partition.nics.find(name="0")
        (guest,) = guests
        assert guest.switches() == [
            f"{networks}/Z16/{each}/switch" for each in ("OSA-A.0", "OSA-A.1.101", "HIPER-A.0")
        ]
        ends = [each["local"]["path"] for each in guest.backends()]
        assert ends[0] == f"{networks}/Z16/OSA-A.0/{first.get_property('element-id')[:8]}"
        assert [Path(each).parent for each in ends] == [
            Path(each).parent for each in guest.switches()
        ]

        first.update_properties({"vlan-id": 7})

        assert guest.switches()[0] == f"{networks}/Z16/OSA-A.0.7/switch"


def by_uri(lab: Lab, uri: str) -> str:
    (name,) = [each.name for each in lab.cpc.adapters.list() if each.uri == uri]
    return str(name)


def test_a_nic_of_a_z17_leads_to_the_port_of_its_adapter(tmp_path: Path, networks: Path) -> None:
    guests: list[Guest] = []
    with _hmc("z17", tmp_path, networks, guests) as hmc:
        lab = Lab(hmc)
        (adapter, *_) = lab.cpc.adapters.list(filter_args={"type": "osd"})
        partition = lab.partition()
        port = adapter.ports.list()[1].uri
        partition.nics.create({"name": "0", "network-adapter-port-uri": port})

        _start(lab, partition)

        assert guests[0].switches() == [f"{networks}/Z17/{adapter.name}.1/switch"]


def test_a_cable_leads_to_the_network_of_another_machine(tmp_path: Path, networks: Path) -> None:
    guests: list[Guest] = []
    cabled = ["Z13/OSA-A.0=Z16/OSA-A.0"]
    with _hmc(("z16", "z13"), tmp_path, networks, guests, cabled) as hmc:
        lab = Lab(hmc, "Z13")
        partition = lab.partition()
        for number, vlan in enumerate((None, 101)):
            body = {"name": str(number), "virtual-switch-uri": lab.switch()}
            partition.nics.create({**body, "vlan-id": vlan} if vlan else body)
        partition.nics.create({"name": "2", "virtual-switch-uri": lab.switch(1)})

        _start(lab, partition)

        assert guests[0].switches() == [
            f"{networks}/{each}/switch"
            for each in ("Z16/OSA-A.0", "Z16/OSA-A.0.101", "Z13/OSA-A.1")
        ]


@pytest.mark.parametrize(
    "text", ["Z13/OSA-A.0", "Z13/OSA-A.9=Z16/OSA-A.0", "Z13/FCP-A.0=Z16/OSA-A.0"]
)
def test_a_cable_that_leads_from_or_to_nowhere_is_refused(
    text: str, tmp_path: Path, networks: Path
) -> None:
    with pytest.raises(
        MachineError, match=r"it is PORT=PORT with two of .*Z13/HIPER-A.0, Z13/OSA-A"
    ):
        _hmc(("z16", "z13"), tmp_path, networks, [], [text])


def test_without_networks_a_nic_leads_nowhere(tmp_path: Path) -> None:
    guests: list[Guest] = []
    with _hmc("z16", tmp_path, None, guests) as hmc:
        lab = Lab(hmc)
        partition = lab.partition()
        partition.nics.create({"name": "0", "virtual-switch-uri": lab.switch()})

        _start(lab, partition)

        (backend,) = guests[0].backends()
        assert (backend["type"], backend["restrict"]) == ("user", True)


def test_qemu_is_at_the_end_of_a_cable(networks: Path) -> None:
    """One without a guest in it, that passes on what comes from one network to another."""
    one, two = Segment("Z16", "OSA-A", 0), Segment("Z16", "OSA-A", 1)
    program = emulator.find(Progress(quiet=True))
    words = [str(program), "-machine", "none", "-nodefaults", "-display", "none"]
    words += ["-monitor", "stdio"]
    for number, segment in enumerate((one, two)):
        cable = Cable(segment.folder(networks) / "00000000", segment.switch(networks))
        backend = nic(f"000{number}", "02:00:00:00:00:01", cable).backend
        hub = f"hubport,hubid=0,id=hub{number},netdev={backend['id']}"
        words += ["-netdev", json.dumps(backend), "-netdev", hub]
    with SwitchProcess(networks):
        sender, receiver = Nic(networks, one, "1"), Nic(networks, two, "1")
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as qemu:
            assert qemu.stdout is not None
            assert b"QEMU" in qemu.stdout.readline()  # all of its options are done
            until(lambda: all(each.switch(networks).exists() for each in (one, two)))

            sender.send(ALL, A, b"through QEMU")

            assert receiver.next() == (A, b"through QEMU")
            qemu.kill()
        sender.close()
        receiver.close()
