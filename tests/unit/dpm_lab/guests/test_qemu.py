"""QEMU's command line."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

from dpm_lab.guests.qemu.machine import DirectKernel, Machine, command
from dpm_lab.guests.qemu.nics import machine_nics, read_tuples

NICS = machine_nics(read_tuples("0001,1,0a0000000011;0a00,0;0007,0;"), absent=["0007"])


def machine(**fields: object) -> Machine:
    given: dict[str, object] = {
        "disk": Path("disk"),
        "drive": Path("drive"),
        "console_log": Path("log"),
        "report": Path("report"),
        "nics": NICS,
    }
    return Machine(**(given | fields))  # type: ignore[arg-type]


def options(words: list[str], name: str) -> list[str]:
    return [value for option, value in pairwise(words) if option == name]


def test_nics_are_ccw_devices_at_their_device_numbers_with_the_firmwares_macs() -> None:
    devices = [d for d in options(command(machine()), "-device") if "virtio-net" in d]

    assert devices == [
        "virtio-net-ccw,netdev=nic1,mac=52:54:00:dd:00:01,devno=fe.0.0001",
        "virtio-net-ccw,netdev=nic2,mac=52:54:00:dd:0a:00,devno=fe.0.0a00",
    ]


def test_with_a_config_drive_no_network_leads_out_of_the_machine() -> None:
    backends = options(command(machine(ssh_port=2222)), "-netdev")

    assert len(backends) == 2
    assert all(backend.startswith("user,") and "restrict=on" in backend for backend in backends)


def test_without_one_the_networks_lead_to_where_qemu_is_and_there_is_one_disk() -> None:
    words = command(machine(drive=None))

    assert all("restrict=off" in backend for backend in options(words, "-netdev"))
    assert options(words, "-drive") == []
    assert len([device for device in options(words, "-device") if "virtio-blk" in device]) == 1


def test_the_ssh_port_is_of_this_machine_only_and_leads_to_the_first_nic() -> None:
    backends = options(command(machine(ssh_port=2222)), "-netdev")

    assert "hostfwd=tcp:127.0.0.1:2222-198.18.1.15:22" in backends[0]
    assert "hostfwd" not in backends[1]


def test_our_own_devices_take_no_device_number_that_a_nic_could_have() -> None:
    others = [d for d in options(command(machine()), "-device") if "devno=" in d and "net" not in d]

    assert len(others) == 4
    assert all("devno=fe.3." in device for device in others)


def test_a_direct_kernel_brings_its_parameters_as_one_word() -> None:
    direct = DirectKernel(Path("k"), Path("i"), "root=LABEL=x 0001,1,0a0000000011;")

    words = command(machine(direct=direct))

    assert words[-2:] == ["-append", "root=LABEL=x 0001,1,0a0000000011;"]


def test_without_one_the_disk_is_booted() -> None:
    words = command(machine())

    assert "-kernel" not in words
    assert any("drive=root" in d and "bootindex=1" in d for d in options(words, "-device"))


def test_the_console_is_a_file_or_the_terminal_with_a_way_out() -> None:
    assert "file,id=console,path=log" in options(command(machine()), "-chardev")

    words = command(machine(interactive=True))

    assert "stdio,id=console,mux=on,signal=off,logfile=log" in options(words, "-chardev")
    assert "chardev=console" in options(words, "-mon")


def test_a_comma_in_a_path_does_not_end_the_option() -> None:
    words = command(machine(drive=Path("a,b")))

    assert any(drive.endswith("file=a,,b") for drive in options(words, "-drive"))


def test_qemu_is_told_each_file_of_the_disk_and_takes_none_from_a_header() -> None:
    (text,) = options(command(machine(backing=Path("image,1"))), "-blockdev")

    root = json.loads(text)
    assert (root["driver"], root["file"]["filename"]) == ("qcow2", "disk")
    assert root["file"]["driver"] == "file"
    image = root["backing"]
    assert (image["driver"], image["file"]["filename"]) == ("qcow2", "image,1")
    assert (image["read-only"], image["file"]["read-only"], image["backing"]) == (True, True, None)


def test_the_kernel_refuses_qemu_what_it_has_no_need_of() -> None:
    (sandbox,) = options(command(machine()), "-sandbox")

    assert {"on", "spawn=deny", "elevateprivileges=deny"} <= set(sandbox.split(","))
    assert options(command(machine(sandbox=False)), "-sandbox") == []
