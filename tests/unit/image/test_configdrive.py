"""The config drive: what cloud-init is told, and the commands that ride along."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from dpm_image import in_guest
from dpm_image.configdrive import Instance, Step, boot_script, contents, network_data, write
from dpm_image.nics import machine_nics, read_tuples

NICS = machine_nics(read_tuples("0001,1,0a0000000011;0004,0;0007,0,0a0000000013;"), absent=["0007"])


def test_links_are_named_by_their_wanted_macs() -> None:
    links = network_data(NICS)["links"]

    assert [link["ethernet_mac_address"] for link in links] == [
        "0a:00:00:00:00:11",
        "52:54:00:dd:00:04",
    ]


def test_every_link_has_an_address_and_absent_devices_have_neither() -> None:
    data = network_data(NICS)

    assert [network["link"] for network in data["networks"]] == [
        link["id"] for link in data["links"]
    ]
    assert [network["ip_address"] for network in data["networks"]] == ["198.18.1.15", "198.18.2.15"]


def test_user_data_are_passed_on_untouched() -> None:
    text = "#cloud-config\npackages: []\n# \u00e9\n"

    assert contents(Instance(NICS, user_data=text))["openstack/latest/user_data"] == text


def test_without_user_data_there_is_no_such_file() -> None:
    assert "openstack/latest/user_data" not in contents(Instance(NICS))


def test_keys_are_in_the_meta_data() -> None:
    files = contents(Instance(NICS, ssh_keys=["ssh-ed25519 AAAA me"]))

    meta = json.loads(files["openstack/latest/meta_data.json"])
    assert meta["public_keys"] == {"key0": "ssh-ed25519 AAAA me"}


def test_program_and_plan_are_on_the_drive() -> None:
    command = "echo \"a 'quoted' $HOME\"; exit 3"
    files = contents(Instance(NICS, steps=[Step("run", command)], power_off=True))

    assert files["dpm-image/in_guest.py"] == Path(in_guest.__file__).read_text()
    assert json.loads(files["dpm-image/plan.json"]) == {
        "poke": ["198.18.1.2", "198.18.2.2"],
        "steps": [{"name": "run", "command": command}],
        "power_off": True,
    }


@pytest.mark.parametrize("console_login", [False, True])
def test_the_vendor_data_put_a_script_where_every_boot_runs_it(
    tmp_path: Path, console_login: bool
) -> None:
    instance = Instance(NICS, console_login=console_login)
    data = json.loads(contents(instance)["openstack/latest/vendor_data.json"])
    here = data["cloud-init"].replace("/var/lib/cloud/scripts", str(tmp_path))

    subprocess.run(["sh", "-c", here], check=True)

    script = tmp_path / "per-boot/dpm-image"
    assert script.read_text() == boot_script(instance)
    assert script.stat().st_mode & 0o111
    subprocess.run(["sh", "-n", str(script)], check=True)


def test_the_commands_wait_for_the_end_of_cloud_init() -> None:
    assert "--property=After=cloud-final.service" in boot_script(Instance(NICS))


def test_root_is_logged_in_on_the_console_only_where_asked_for() -> None:
    assert "--autologin" not in boot_script(Instance(NICS))
    assert "--autologin root" in boot_script(Instance(NICS, console_login=True))


def test_the_drive_is_an_iso_with_the_label_that_cloud_init_looks_for(tmp_path: Path) -> None:
    drive = tmp_path / "drive.iso"

    write(Instance(NICS), drive)

    data = drive.read_bytes()
    # ISO 9660 (ECMA-119) 8.4: the primary volume descriptor is sector 16, its identifier at 40.
    assert data[0x8001:0x8006] == b"CD001"
    assert data[0x8028:0x8048].decode().strip() == "config-2"
    assert b'"ethernet_mac_address": "0a:00:00:00:00:11"' in data
