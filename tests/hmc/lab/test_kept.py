"""An HMC that is started again with ``--keep`` goes on with what it had."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
import zhmcclient

from dpm_lab.__main__ import main
from dpm_lab.hmc import HmcServer
from dpm_lab.hmc.errors import MachineError

PASSWORD = "secret-of-a-test"


def _hmc(folder: Path, machine: str = "z16") -> HmcServer:
    return HmcServer(machine, folder=folder, password=PASSWORD, keep=True)


def _cpc(hmc: HmcServer, ca_file: Path) -> zhmcclient.Cpc:
    session = zhmcclient.Session(
        hmc.host, hmc.userid, PASSWORD, port=hmc.port, verify_cert=str(ca_file)
    )
    return zhmcclient.Client(session).cpcs.list()[0]


def _create(cpc: zhmcclient.Cpc, name: str) -> zhmcclient.Partition:
    return cpc.partitions.create(
        {"name": name, "ifl-processors": 1, "initial-memory": 1024, "maximum-memory": 1024}
    )


def _nic(cpc: zhmcclient.Cpc, partition: zhmcclient.Partition) -> zhmcclient.Nic:
    switch = cpc.virtual_switches.list()[0]
    return partition.nics.create({"name": "eth0", "virtual-switch-uri": switch.uri})


def test_partitions_nics_and_certificate_stay(tmp_path: Path) -> None:
    with _hmc(tmp_path) as hmc:
        cpc = _cpc(hmc, tmp_path / "ca.pem")
        partition = _create(cpc, "web")
        nic = _nic(cpc, partition)
        nic.pull_full_properties()
        partition.start()
        partition.pull_full_properties()
    authority = (tmp_path / "ca.pem").read_bytes()

    with _hmc(tmp_path) as hmc:
        cpc = _cpc(hmc, tmp_path / "ca.pem")
        [again] = cpc.partitions.list()
        again.pull_full_properties()
        [nic_again] = again.nics.list(full_properties=True)
        switch = cpc.virtual_switches.list(full_properties=True)[0]

        assert dict(again.properties) == dict(partition.properties)
        assert dict(nic_again.properties) == dict(nic.properties)
        assert switch.properties["connected-vnic-uris"] == [nic.uri]
        again.stop()
        again.delete()
        assert cpc.partitions.list() == []
    assert (tmp_path / "ca.pem").read_bytes() == authority


def test_numbers_are_not_given_out_twice(tmp_path: Path) -> None:
    with _hmc(tmp_path) as hmc:
        cpc = _cpc(hmc, tmp_path / "ca.pem")
        partition = _create(cpc, "web")
        first = _nic(cpc, partition).get_property("mac-address")
        partition.delete()

    with _hmc(tmp_path) as hmc:
        cpc = _cpc(hmc, tmp_path / "ca.pem")
        second = _nic(cpc, _create(cpc, "web")).get_property("mac-address")

    assert second != first


def test_what_is_answered_is_written(tmp_path: Path) -> None:
    file = tmp_path / "machine.json"
    with _hmc(tmp_path) as hmc:
        cpc = _cpc(hmc, tmp_path / "ca.pem")
        for name in ("web", "mail", "files"):
            _create(cpc, name)

            assert f'"{name}"' in file.read_text()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_partition_that_was_starting_is_stopped_when_the_hmc_is_back(tmp_path: Path) -> None:
    with _hmc(tmp_path) as hmc:
        _create(_cpc(hmc, tmp_path / "ca.pem"), "web")
    file = tmp_path / "machine.json"
    whole = json.loads(file.read_text())
    [web] = [each for each in whole["resources"] if each[1] == "partition"]
    web[3]["status"] = "starting"
    file.write_text(json.dumps(whole))

    with _hmc(tmp_path) as hmc:
        [partition] = _cpc(hmc, tmp_path / "ca.pem").partitions.list()
        assert partition.get_property("status") == "stopped"


def test_what_was_kept_of_another_machine_is_refused(tmp_path: Path) -> None:
    with _hmc(tmp_path, "z16"):
        pass

    with pytest.raises(MachineError, match="of another machine"), _hmc(tmp_path, "z17"):
        pass


def test_without_keep_it_begins_anew(tmp_path: Path) -> None:
    with _hmc(tmp_path) as hmc:
        _create(_cpc(hmc, tmp_path / "ca.pem"), "web")
    authority = (tmp_path / "ca.pem").read_bytes()

    with HmcServer("z16", folder=tmp_path, password=PASSWORD) as hmc:
        assert _cpc(hmc, tmp_path / "ca.pem").partitions.list() == []
    assert (tmp_path / "ca.pem").read_bytes() != authority


def test_a_certificate_for_another_address_is_made_anew(tmp_path: Path) -> None:
    with _hmc(tmp_path):
        pass
    authority = (tmp_path / "ca.pem").read_bytes()

    with HmcServer("z16", folder=tmp_path, password=PASSWORD, keep=True, host="127.0.0.5"):
        pass

    assert (tmp_path / "ca.pem").read_bytes() != authority


def test_keep_needs_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hmc", "--keep"]) == 2

    assert "--keep needs --folder" in capsys.readouterr().err
