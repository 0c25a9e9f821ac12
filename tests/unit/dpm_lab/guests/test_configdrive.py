"""The config drive: a disk that cloud-init finds by its label."""

from __future__ import annotations

from pathlib import Path

from dpm_lab.guests.qemu.configdrive import contents, write
from dpm_lab.guests.qemu.instance import Instance
from dpm_lab.guests.qemu.nics import machine_nics, read_tuples

NICS = machine_nics(read_tuples("0001,1,0a0000000011;0004,0;"))


def test_the_drive_is_an_iso_with_the_label_that_cloud_init_looks_for(tmp_path: Path) -> None:
    drive = tmp_path / "drive.iso"

    write(Instance(NICS), drive)

    data = drive.read_bytes()
    # ISO 9660 (ECMA-119) 8.4: the primary volume descriptor is sector 16, its identifier at 40.
    assert data[0x8001:0x8006] == b"CD001"
    assert data[0x8028:0x8048].decode().strip() == "config-2"
    assert b'"ethernet_mac_address": "0a:00:00:00:00:11"' in data


def test_it_has_openstacks_documents_and_nothing_else() -> None:
    files = contents(Instance(NICS, user_data="#!/bin/sh\n"))

    assert sorted(files) == [
        "openstack/latest/meta_data.json",
        "openstack/latest/network_data.json",
        "openstack/latest/user_data",
        "openstack/latest/vendor_data.json",
    ]
    assert '"ip_address": "198.18.1.15"' in files["openstack/latest/network_data.json"]
