"""What a guest is told about itself, and the commands that ride along."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from dpm_lab.guests.qemu import in_guest, instance
from dpm_lab.guests.qemu.instance import Instance, documents, network_data, vendor_script
from dpm_lab.guests.qemu.nics import machine_nics, read_tuples

NICS = machine_nics(read_tuples("0001,1,0a0000000011;0004,0;0007,0,0a0000000013;"), absent=["0007"])


def test_links_are_named_by_their_wanted_macs() -> None:
    links = network_data(NICS, "static")["links"]

    assert [link["ethernet_mac_address"] for link in links] == [
        "0a:00:00:00:00:11",
        "52:54:00:dd:00:04",
    ]


def test_every_link_has_an_address_and_absent_devices_have_neither() -> None:
    data = network_data(NICS, "static")

    assert [network["link"] for network in data["networks"]] == [
        link["id"] for link in data["links"]
    ]
    assert [network["ip_address"] for network in data["networks"]] == ["198.18.1.15", "198.18.2.15"]


def test_with_dhcp_the_network_data_have_no_addresses() -> None:
    data = network_data(NICS, "dhcp")

    assert [network["type"] for network in data["networks"]] == ["ipv4_dhcp", "ipv4_dhcp"]
    assert "198.18." not in json.dumps(data)


def test_user_data_are_passed_on_untouched() -> None:
    text = "#cloud-config\npackages: []\n# \u00e9\n"

    assert documents(Instance(NICS, user_data=text), "dhcp")["user_data"] == text


def test_without_user_data_there_is_no_such_file() -> None:
    assert "user_data" not in documents(Instance(NICS), "dhcp")


def test_keys_are_in_the_meta_data() -> None:
    files = documents(Instance(NICS, ssh_keys=["ssh-ed25519 AAAA me"]), "dhcp")

    meta = json.loads(files["meta_data.json"])
    assert meta["public_keys"] == {"key0": "ssh-ed25519 AAAA me"}


class Guest:
    """Runs vendor data as cloud-init does, below a folder; programs of a guest are written down."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.per_boot = root / "var/lib/cloud/scripts/per-boot/dpm-image"
        for name in ("_VENDOR_DATA", "_PER_BOOT"):
            monkeypatch.setattr(instance, name, f"{root}{getattr(instance, name)}")
        self.vendor_data = Path(instance._VENDOR_DATA)
        self.vendor_data.parent.mkdir(parents=True)
        programs = root / "bin"
        programs.mkdir()
        for name in ("systemd-run", "systemctl"):
            (programs / name).write_text(f'#!/bin/sh\necho "{name} $*" >>{root}/calls\n')
            (programs / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")

    def begin(self, told: Instance) -> None:
        """Keep the vendor data of a boot, and run them where it is the first one."""
        script = json.loads(documents(told, "dhcp")["vendor_data.json"])["cloud-init"]
        self.vendor_data.write_text(script.replace("/run/dpm-image", f"{self.root}/run"))
        if not self.per_boot.exists():
            subprocess.run(["sh", self.vendor_data], check=True)

    def run_per_boot(self) -> str:
        """Run what is run in every boot, and return which programs it called."""
        calls = self.root / "calls"
        calls.unlink(missing_ok=True)
        subprocess.run([self.per_boot], check=True)
        return calls.read_text() if calls.exists() else ""


@pytest.fixture
def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Guest:
    return Guest(tmp_path, monkeypatch)


def test_the_first_boot_starts_the_program_after_cloud_init(guest: Guest) -> None:
    guest.begin(Instance(NICS))
    calls = guest.run_per_boot()

    assert "--property=After=cloud-final.service" in calls
    assert calls.endswith(f"{guest.root}/run/in_guest.py 198.18.1.2 198.18.2.2\n")
    assert (guest.root / "run/in_guest.py").read_text() == Path(in_guest.__file__).read_text()


def test_a_later_boot_has_its_own_nics(guest: Guest) -> None:
    guest.begin(Instance(NICS))
    guest.run_per_boot()

    guest.begin(Instance(NICS[:1]))

    assert guest.run_per_boot().endswith("/run/in_guest.py 198.18.1.2\n")


@pytest.mark.parametrize("others", ["#!/bin/sh\nfalse\n", "#cloud-config\n{}\n", None])
def test_in_a_boot_without_us_nothing_is_run(guest: Guest, others: str | None) -> None:
    guest.begin(Instance(NICS))
    guest.vendor_data.unlink()
    if others is not None:
        guest.vendor_data.write_text(others)

    assert guest.run_per_boot() == ""
    assert not (guest.root / "run").exists()


def test_root_is_logged_in_on_the_console_only_where_asked_for() -> None:
    assert "--autologin" not in vendor_script(Instance(NICS))
    assert "--autologin root" in vendor_script(Instance(NICS, console_login=True))
    subprocess.run(
        ["sh", "-n"], input=vendor_script(Instance(NICS, console_login=True)), check=True, text=True
    )
