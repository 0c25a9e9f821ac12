"""status and setmac on a tree of plain files, as `--sysfs` and `--cmdline` allow."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from dpm_guest.__main__ import main


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """An OSA at 0600 that is right, and a virtio NIC at 0001 whose MAC is wrong."""
    osa = tmp_path / "devices/qeth/0.0.0600"
    put(osa, layer2="1", portno="1", online="1")
    put(osa / "net/enc600", address="0a:00:00:00:00:11", ifindex="7")
    virtio = tmp_path / "devices/css0/0.0.0000/0.0.0001"
    put(virtio, cutype="3832/01", online="1")
    put(virtio / "virtio0/net/enc1", address="52:54:00:12:34:56", ifindex="2")
    for bus, device in (("ccwgroup", osa), ("ccw", virtio)):
        link(tmp_path / f"bus/{bus}/devices/{device.name}", device)
    link(tmp_path / "class/net/enc600/device", osa)
    link(tmp_path / "class/net/enc1/device", virtio / "virtio0")
    return tmp_path


def put(directory: Path, **attributes: str) -> None:
    directory.mkdir(parents=True)
    for name, value in attributes.items():
        (directory / name).write_text(value + "\n")


def link(path: Path, target: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def run(tree: Path, line: str, *words: str) -> int:
    (tree / "cmdline").write_text(line + "\n")
    return main(
        [*words, "--sysfs", str(tree), "--procfs", str(tree), "--cmdline", str(tree / "cmdline")]
    )


def test_the_table_shows_wanted_beside_actual(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(tree, "0600,1,0a0000000011;0001,1,0a0000000012;0700,0;", "status")

    assert code == 1
    assert capsys.readouterr().out == (
        "NIC       PORT          INTERFACE  WANTED MAC         ACTUAL MAC         VERDICT\n"
        "0.0.0600  1             enc600     0a:00:00:00:00:11  0a:00:00:00:00:11  ok\n"
        "0.0.0001  1 (no ports)  enc1       0a:00:00:00:00:12  52:54:00:12:34:56  "
        "MAC is 52:54:00:12:34:56, not 0a:00:00:00:00:12\n"
        "0.0.0700  0             -          any                -                  "
        "no device 0.0.0700, 0.0.0701, 0.0.0702\n"
    )


def test_all_right_is_0(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tree, "0600,1,0A0000000011; 0001,0,525400123456;", "status") == 0
    assert "ok" in capsys.readouterr().out


def enslave(tree: Path, kind: str, mac: str) -> None:
    """The OSA's interface belongs to another one, as sysfs shows it."""
    master = tree / "devices/virtual/net/upper0"
    put(master, address=mac)
    if kind != "team":  # of a team sysfs shows nothing else
        put(master / {"bond": "bonding", "bridge": "bridge"}[kind])
    link(tree / "devices/qeth/0.0.0600/net/enc600/master", master)


@pytest.mark.parametrize(
    ("kind", "mac", "ok"),
    [
        ("bond", "0a:00:00:00:00:11", True),
        ("bond", "0a:00:00:00:00:99", True),  # fail_over_mac: a port has another than the bond
        ("team", "0a:00:00:00:00:11", True),
        ("team", "0a:00:00:00:00:99", False),
        ("bridge", "0a:00:00:00:00:11", False),  # the bridge has it from the port
    ],
)
def test_a_port_that_has_its_mac_from_another_interface_is_right(
    tree: Path, kind: str, mac: str, ok: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    enslave(tree, kind, mac)
    line = "0600,1,0a0000000012;"

    assert run(tree, line, "status") == (0 if ok else 1)
    assert ("port of upper0, whose MAC it has" in capsys.readouterr().out) is ok
    assert run(tree, line, "configure", "-n") == (0 if ok else 1)
    assert ("setting the MAC" in capsys.readouterr().out) is not ok
    assert run(tree, line, "setmac", "enc600", "-n") == (0 if ok else 1)


def test_a_port_that_has_its_own_mac_is_just_right(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    enslave(tree, "bond", "0a:00:00:00:00:11")

    assert run(tree, "0600,1,0a0000000011;", "status", "--json") == 0
    assert json.loads(capsys.readouterr().out)["nics"][0]["actual"]["master"] == "upper0"


def test_a_glued_tuple_is_a_fault_of_status_and_of_configure(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = "crashkernel=196M0600,1,0a0000000011;"

    assert run(tree, line, "status") == 1
    assert "glued" in capsys.readouterr().out
    assert run(tree, line, "configure", "-n") == 1
    assert "glued" in capsys.readouterr().err
    assert run(tree, line, "status", "--json") == 1
    assert "glued" in json.loads(capsys.readouterr().out)["problems"][0]


def test_a_nic_that_is_named_with_a_port_is_the_one_of_that_bus_id(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tree, "", "configure", "-n", "0.1.0600,1") == 1

    assert capsys.readouterr().out.startswith("0.1.0600: waiting for its devices")


def test_json_says_the_same(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(tree, "0600,0,0a0000000011;0001,99;0001,0;0001,1;", "status", "--json")

    found = json.loads(capsys.readouterr().out)
    assert code == 1
    assert not found["ok"]
    assert found["nics"][0] == {
        "devno": "0600",
        "bus_id": "0.0.0600",
        "kind": "qeth",
        "wanted": {"port": 0, "mac": "0a:00:00:00:00:11", "layer2": 1},
        "actual": {
            "port": 1,
            "layer2": 1,
            "online": True,
            "interface": "enc600",
            "mac": "0a:00:00:00:00:11",
            "master": None,
        },
        "ok": False,
        "reasons": ["port 1, not 0"],
    }
    assert found["nics"][1]["actual"]["port"] is None
    assert len(found["problems"]) == 2


def test_no_tuples_is_no_fault(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tree, "root=LABEL=x", "status") == 0
    assert "no NIC" in capsys.readouterr().out


def test_a_damaged_tuple_is_one(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tree, "0600,1,0a0000000011;0001,99;", "status") == 1
    assert "port '99' is not 0 to 15" in capsys.readouterr().out


def test_a_device_hidden_by_cio_ignore_is_called_so(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / "cio_ignore").write_text("0.0.0000-0.0.05ff\n0.0.0603-0.0.ffff\n")

    run(tree, "0700,0;", "status")

    assert "hidden by cio_ignore" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("cutype", "named"),
    [("3990/e9", "3990/e9"), ("1731/03", "an FCP device"), ("3832/02", "3832/02")],
    ids=["DASD", "FCP", "virtio disk"],
)
def test_a_device_for_disks_at_the_number_is_named(
    cutype: str, named: str, tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    disk = tree / "devices/css0/0.0.0005/0.0.0200"
    put(disk, cutype=cutype, online="0")
    link(tree / "bus/ccw/devices/0.0.0200", disk)

    assert run(tree, "0200,0;", "status") == 1
    assert f"no network device but {named}" in capsys.readouterr().out
    assert run(tree, "0200,0;", "configure", "0200") == 1
    assert f"no network device but {named}" in capsys.readouterr().err


def test_the_rule_starts_the_agent_for_all_that_qeth_drives_and_for_no_fcp_device() -> None:
    """The id tables of qeth and zfcp; udev matches as shells do."""
    rules = (Path(__file__).parents[3] / "udev/80-dpm-guest.rules").read_text()
    (pattern,) = re.findall(r'^ATTR\{cutype\}=="([^"]+)"', rules, re.MULTILINE)

    models = ("1731/01", "1731/02", "1731/03", "1731/05", "1731/06")
    assert [one for one in models if not fnmatch(one, pattern)] == ["1731/03"]


def test_an_unreadable_command_line_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", "--cmdline", str(tmp_path / "absent")]) == 1
    assert f"cannot read {tmp_path}/absent: No such file" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["0.0.0001", "0001", "enc1"])
def test_setmac_finds_the_nic_by_bus_id_devno_and_interface(
    tree: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(tree, "0001,0,0a0000000012;", "setmac", name, "--dry-run")

    assert code == 1, "something would have to be done"
    out = capsys.readouterr().out
    assert out == "0.0.0001 enc1: MAC 52:54:00:12:34:56 would become 0a:00:00:00:00:12\n"


@pytest.mark.parametrize(
    ("line", "name", "code", "why"),
    [
        ("0600,1,0a0000000011;", "enc600", 0, ""),
        ("0600,1;", "0600", 0, "names no MAC for it"),
        ("0600,1;", "0001", 1, "0.0.0001: not on the kernel command line, which names: 0.0.0600"),
        ("0600,1;", "eth9", 1, "eth9 is no bus id, device number or interface"),
        ("0700,1,0a0000000011;", "0700", 1, "0.0.0700 has no interface"),
        ("0001,0,010000000001;", "0001", 1, "multicast MAC (bit 0x01"),
        ("0001,0,000000000001;", "0001", 1, "not locally administered (bit 0x02"),
    ],
)
def test_setmac_ends_with_an_honest_code_and_one_sentence(
    tree: Path, capsys: pytest.CaptureFixture[str], line: str, name: str, code: int, why: str
) -> None:
    assert run(tree, line, "setmac", name, "--dry-run") == code
    assert why in capsys.readouterr().err


def test_a_byte_that_the_kernel_takes_for_a_blank_ends_a_parameter(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / "line").write_bytes(b"quiet\xa00600,1,0a0000000011;\xa0ro\xff\n")

    code = main(["status", "--sysfs", str(tree), "--cmdline", str(tree / "line")])

    assert code == 0
    assert "0.0.0600  1     enc600" in capsys.readouterr().out


def test_configure_dry_run_says_each_step_and_does_none(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(tree, "0600,0,0a0000000012;0001,0,525400123456;", "configure", "-n")

    assert code == 1
    assert capsys.readouterr().out == (
        "0.0.0600: taking it offline, setting port 0, bringing it online, "
        "setting the MAC 0a:00:00:00:00:12\n"
        "0.0.0001: already right\n"
    )
    assert (tree / "devices/qeth/0.0.0600/online").read_text() == "1\n"


def test_changing_commands_say_that_they_need_root(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    assert run(tree, "0600,0;", "configure") == 1
    assert "has to be run as root" in capsys.readouterr().err


def onto_full_disk(
    tree: Path, line: str, stream: str, *words: str
) -> subprocess.CompletedProcess[str]:
    """The agent as a process of its own, one of whose streams goes to a full disk."""
    (tree / "cmdline").write_text(line + "\n")
    command = [sys.executable, "-m", "dpm_guest", *words, "--cmdline", str(tree / "cmdline")]
    command += ["--sysfs", str(tree), "--procfs", str(tree)]
    with Path("/dev/full").open("w") as full:
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: full.fileno()}
        return subprocess.run(
            command,
            stdout=streams["stdout"],
            stderr=streams["stderr"],
            text=True,
            check=False,
            cwd=Path(__file__).parents[3],
        )


def test_a_report_that_does_not_fit_on_the_disk_is_said_in_one_line(tree: Path) -> None:
    done = onto_full_disk(tree, "0600,1,0a0000000011;", "stdout", "status")

    assert done.returncode == 1
    assert done.stderr == "dpm-guest: standard output: No space left on device (ENOSPC)\n"


def test_messages_that_nobody_can_read_change_nothing_else(tree: Path) -> None:
    line = "0600,0;0600,1,0a0000000012;"

    done = onto_full_disk(tree, line, "stderr", "configure", "-n")

    assert done.stdout == "0.0.0600: setting the MAC 0a:00:00:00:00:12\n"
    assert done.returncode == 1
