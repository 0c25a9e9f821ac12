"""``dpm-guest report`` on a tree of plain files that has a private value in each place."""

from __future__ import annotations

import os
import re
import resource
import stat
import struct
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpm_guest import firmware, inventory, process
from dpm_guest.__main__ import main
from dpm_guest.netdev import permanent_mac
from dpm_guest.private import Private
from tests.unit.dpm_guest.test_start import imported

OURS, CARDS, OTHER = "0a:5c:3e:71:d2:94", "00:11:25:bd:9e:07", "52:54:00:e6:8b:3f"
MULTICAST = "0b:5c:3e:71:d2:95"
PRIVATE = [
    *(mac.replace(":", "") for mac in (OURS, CARDS, OTHER, MULTICAST)),
    *(OURS, CARDS, OTHER, MULTICAST),
    "acmeprod7", "hunter2x", "acme.example", "192.0.2.17", "2001:db8", "PRTNM42", "HSUID99",
    "02A7F8", "CPCACME", "LPARACME", "6f1c9b5e", "5005076300c18154", "4021402300000000", "acmenet0",
    "correct-horse", "Möhre", "acme-nics", "10-acme", "Zürich", "ACME_SITE",
]  # fmt: skip
LINE = (
    f"root=UUID=6f1c9b5e-94a2-4d0b-8c11-3b7d55e0a9f2 ro quiet BOOT_IMAGE=0 crashkernel=196M "
    f"ip=192.0.2.17::192.0.2.1:24:acmeprod7:enc600:none nameserver=2001:db8::17 "
    f'ds=nocloud;h=acmeprod7 password="correct-horse hunter2x" hunter2x acme.example/hunter2x '
    f"rd.zfcp=0.0.1900,0x5005076300c18154,0x4021402300000000 cio_ignore=all,!0.0.0600-0.0.0602 "
    f"rd.znet=qeth,0.0.0900,0.0.0901,0.0.0902,layer2=1,portno=0,portname=PRTNM42 dpm_guest=off "
    f"token=hunter2x0700,1,{OTHER.replace(':', '')}; "
    f"0600,1,{OURS.replace(':', '')};0001,0,{OTHER.replace(':', '')};"
    f"0800,0,{MULTICAST.replace(':', '')};0004,0,{OURS.replace(':', '')[:11]}"
)
SYSINFO = """\
Manufacturer:         IBM
Type:                 3931
Sequence Code:        00000000000202A7F8

LPAR Number:          23
LPAR Characteristics: Shared
LPAR Name:            LPARACME
LPAR UUID:            6f1c9b5e-94a2-4d0b-8c11-3b7d55e0a9f2
"""
JOURNAL = f"""\
[    4.123456] systemd[1]: Starting dpm-guest.service - Network devices of the DPM partition...
[    5.654321] dpm-guest[207]: 0.0.0600 enc600: MAC {OURS}: configured, MAC set by dpm-guest
[    5.700000] dpm-guest[207]: /etc/dpm-guest.d/acme-nics.conf: 'hunter2x=3': Zürich 192.0.2.17
"""


def put(directory: Path, **attributes: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, value in attributes.items():
        (directory / name).write_text(value + "\n")


def link(path: Path, target: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(os.path.relpath(target, path.parent))


def interface(device: Path, name: str, mac: str, index: int) -> None:
    top = next(parent for parent in device.parents if parent.name == "sys")
    put(device / "net" / name, address=mac, ifindex=str(index), ifalias="acmeprod7", speed="10000")
    put(device / "net" / name, addr_assign_type="3", operstate="up")
    link(device / "net" / name / "device", device)
    link(top / f"class/net/{name}", device / "net" / name)


@pytest.fixture
def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A guest with an OSA, a virtio NIC and a tunnel, and what else a report looks at."""
    sysfs = tmp_path / "sys"
    put(sysfs / "bus/ccw/drivers/qeth")
    osa = sysfs / "devices/qeth/0.0.0600"
    put(osa, layer2="1", portno="1", online="1", card_type="OSD_1000", chpid="E0", state="UP (LAN)")
    put(
        osa,
        portname="no portname required",
        hsuid="HSUID99",
        switch_attrs="unknown",
        if_name="enc600",
    )
    for n in range(3):
        device = sysfs / f"devices/css0/0.0.000{n}/0.0.060{n}"
        put(device, cutype="1731/01", devtype="1732/01", online="1", availability="good")
        put(device.parent, chpids="e0 00 00 00 00 00 00 00", pimpampom="80 80 ff")
        link(device / "group_device", osa)
        link(osa / f"cdev{n}", device)
        link(sysfs / f"bus/ccw/devices/{device.name}", device)
        link(sysfs / f"bus/ccw/drivers/qeth/{device.name}", device)
    link(sysfs / "bus/ccwgroup/devices/0.0.0600", osa)
    interface(osa, "enc600", OURS, 7)
    virtio = sysfs / "devices/css0/0.0.0009/0.0.0001"
    put(virtio, cutype="3832/01", online="1")
    interface(virtio / "virtio0", "enc1", CARDS, 2)
    link(sysfs / "bus/ccw/devices/0.0.0001", virtio)
    fcp = sysfs / "devices/css0/0.0.0008/0.0.1900"
    put(fcp, cutype="1731/03")
    link(sysfs / "bus/ccw/devices/0.0.1900", fcp)
    interface(sysfs / "devices/virtual", "acmenet0", OURS, 9)
    link(osa / "net/enc600/upper_acmenet0", sysfs / "devices/virtual/net/acmenet0")
    put(sysfs / "class/net", bonding_masters="acmenet0")
    put(sysfs / "devices/css0/chp0.e0", status="online", type="11", configure="1")
    (sysfs / "devices/css0/chp0.e0/util_string").write_bytes("acmeprod7".encode("cp500"))
    function = sysfs / "devices/pci0000:00/0000:00:00.0"
    put(function, **{"class": "0x020000"}, pft="0x0c", port="1", util_string="acmeprod7")
    link(sysfs / "bus/pci/devices/0000:00:00.0", function)
    ipl = sysfs / "firmware/ipl"
    put(ipl, ipl_type="fcp", wwpn="0x5005076300c18154", lun="0x4021402300000000", loadparm="ACME")
    (ipl / "scp_data").write_bytes(LINE[LINE.index("0600,1,") :].encode("cp500") + bytes(20))
    put(sysfs / "firmware/ocf", cpc_name="CPCACME", hmc_network="acme.example")
    put(sysfs / "firmware/shutdown_actions", on_restart="stop", vmcmd="acmeprod7")
    put(sysfs / "firmware/sclp_sd/config")
    (sysfs / "firmware/sclp_sd/config/data").write_bytes(firmware_data())
    proc = tmp_path / "proc"
    put(proc, cmdline=LINE, cio_ignore="0.0.0000-0.0.05ff", sysinfo=SYSINFO)
    put(proc / "sys/kernel", osrelease="6.1.0-37-s390x")
    put(tmp_path / "etc", **{"os-release": 'ID=debian\nHOME_URL="https://acme.example/"'})
    put(
        tmp_path / "run/udev/data",
        n7=f"I:123\nE:ID_PATH=ccwgroup-0.0.0600\nE:ID_NET_NAME_MAC=enx{OURS.replace(':', '')}\n"
        "E:ID_NET_LINK_FILE=/run/systemd/network/70-dpm-0600.link\nE:ACME_SITE=acmeprod7\n"
        "E:ID_SERIAL=02A7F8\nG:systemd",
        n2="E:ID_NET_LINK_FILE=/etc/systemd/network/10-acme.link\nE:ID_NET_LABEL_ONBOARD=acmeprod7",
    )
    for name, text in (("journalctl", JOURNAL), ("udevadm", "252\n"), ("chzdev", "hunter2x\0\n")):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.txt").write_text(text)
        program.write_text(f"#!/bin/sh\nexec cat {tmp_path}/{name}.txt\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setattr(inventory, "ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def firmware_data() -> bytes:
    def setting(key: str, kind: int, value: bytes) -> bytes:
        name = key.encode() + b"\0"
        return struct.pack(">HBBBB", 6 + len(name) + len(value), 0, len(name), kind, len(value)) + (
            name + value
        )

    def entry(kind: int, numbers: list[int], more: bytes, *settings: bytes) -> bytes:
        body = b"\0" + b"".join(struct.pack(">BBH", 0, 0, number) for number in numbers) + more
        listed = b"".join(settings)
        body += struct.pack(">H", 2 + len(listed)) + listed
        return struct.pack(">HHI", kind, 8 + len(body), 1) + body

    lun = bytes.fromhex("5005076300c181544021402300000000")
    entries = (
        entry(
            4, [0x600, 0x601, 0x602], b"", setting("layer2", 1, b"\1"), setting("portno", 1, b"\0")
        ),
        entry(3, [0x1900], lun, setting("failfast", 0, b"hunter2x\0")),
    )
    header = struct.pack(">4sHHIIIH10x", b"zdev", 0, 32, 32 + len(b"".join(entries)), 1, 0, 2)
    return header + b"".join(entries) + bytes(100)


def run(guest: Path, *words: str) -> int:
    return main([*words, "--sysfs", f"{guest}/sys", "--procfs", f"{guest}/proc", "--local", "none"])


def files(archive: Path) -> dict[str, str]:
    """The archive's files and where its links lead."""
    with tarfile.open(archive) as tar:
        found = {}
        for member in tar.getmembers():
            file = tar.extractfile(member) if member.isfile() else None
            assert member.name.startswith("dpm-guest-report/")
            name = member.name.split("/", 1)[1]
            found[name] = file.read().decode() if file else f"-> {member.linkname}"
    return found


@pytest.fixture
def made(guest: Path) -> dict[str, str]:
    assert run(guest, "report", "report.tar.gz") == 0
    return files(guest / "report.tar.gz")


def test_nothing_private_is_anywhere_in_the_archive(made: dict[str, str], guest: Path) -> None:
    everything = "\n".join(f"{name}\n{text}" for name, text in made.items()).lower()

    assert [value for value in PRIVATE if value.lower() in everything] == []
    raw = (guest / "report.tar.gz").read_bytes()
    assert [value for value in PRIVATE if value.encode() in raw] == []


def test_macs_stay_equal_and_keep_their_two_bits(made: dict[str, str]) -> None:
    ours = made["sys/devices/qeth/0.0.0600/net/enc600/address"].strip()
    bare = ours.replace(":", "")
    cards = made["sys/devices/css0/0.0.0009/0.0.0001/virtio0/net/enc1/address"].strip()
    tunnel = next(v for k, v in made.items() if re.search("virtual/net/interface-.*/address", k))

    assert f"0600,1,{bare};" in made["proc/cmdline"]
    assert f"ID_NET_NAME_MAC=enx{bare}" in made["udev/n7"]
    assert f"MAC {ours}: configured" in made["journal"]
    assert f"1             enc600     {ours}  {ours}  ok" in made["status"]
    assert tunnel.strip() == ours != cards
    other = made["proc/cmdline"].split(";0001,0,")[1][:12]
    assert len({bare, other, cards.replace(":", "")}) == 3
    multicast = made["proc/cmdline"].split("0800,0,")[1]
    assert [ours[:2], cards[:2], multicast[:2]] == ["02", "00", "03"]


def test_what_we_want_to_learn_is_there(made: dict[str, str]) -> None:
    osa = "sys/devices/qeth/0.0.0600"
    wanted = {
        f"{osa}/layer2": "1",
        f"{osa}/portno": "1",
        f"{osa}/card_type": "OSD_1000",
        f"{osa}/chpid": "E0",
        f"{osa}/state": "UP (LAN)",
        f"{osa}/hsuid": "xxxxx00",
        f"{osa}/portname": "no portname required",
        f"{osa}/net/enc600/addr_assign_type": "3",
        "sys/devices/css0/0.0.0001/chpids": "e0 00 00 00 00 00 00 00",
        "sys/devices/css0/chp0.e0/type": "11",
        "sys/devices/pci0000:00/0000:00:00.0/pft": "0x0c",
        "sys/firmware/ipl/ipl_type": "fcp",
        "sys/firmware/shutdown_actions/on_restart": "stop",
        "proc/cio_ignore": "0.0.0000-0.0.05ff",
    }
    assert {name: made[name].strip() for name in wanted} == wanted
    assert made["firmware-devices"] == (
        "version 0\nqeth 0.0.0600,0.0.0601,0.0.0602 layer2=1 portno=0\n"
        "zfcp-lun 0.0.1900 failfast=(9 bytes)\n"
    )
    assert "ID_PATH=ccwgroup-0.0.0600\n" in made["udev/n7"]
    assert "ID_NET_LINK_FILE=/run/systemd/network/70-dpm-0600.link\n" in made["udev/n7"]
    assert "[    4.123456] systemd[1]: Starting dpm-guest.service - Network" in made["journal"]
    assert "kernel 6.1.0-37-s390x\n" in made["versions"]
    assert "os-release ID=debian\n" in made["versions"]
    assert "udevadm: 252\n" in made["versions"]
    assert "LPAR UUID:            0x0x0x0x-00x0-" in made["proc/sysinfo"]
    assert "Type:                 3931\n" in made["proc/sysinfo"]
    assert made["sys/firmware/ipl/scp_data"].startswith("0600,1,02")
    line = made["proc/cmdline"]
    assert " ro quiet BOOT_IMAGE=0 crashkernel=196M " in line
    assert " cio_ignore=all,!0.0.0600-0.0.0602 " in line
    assert " rd.znet=qeth,0.0.0900,0.0.0901,0.0.0902,layer2=1,portno=0,portname=xxxxx00 " in line


def test_the_list_says_why_something_was_not_read(made: dict[str, str]) -> None:
    lines = made["LIST"].splitlines()

    osa = "sys/devices/qeth/0.0.0600"
    assert f"{osa}/layer2: read" in lines
    assert f"{osa}/switch_attrs: not read: that would ask the card or the firmware" in lines
    assert f"{osa}/net/enc600/speed: not read: that would ask the card or the firmware" in lines
    assert f"{osa}: also there: net/" in lines
    assert f"{osa}/net/enc600: also there: ifalias upper_interface-1/" in lines
    assert "sys/devices/css0/0.0.0008" not in made["LIST"], "an FCP device"
    assert "sys/firmware/ocf: also there: cpc_name hmc_network" in lines
    assert "sys/firmware/ipl: also there: loadparm lun wwpn" in lines
    assert "udev/n9: not read: No such file or directory (ENOENT)" in lines
    assert "NetworkManager" in made["README"]


def test_the_agent_says_the_same_of_the_archive(
    made: dict[str, str], guest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    subprocess.run(["tar", "-xzf", "report.tar.gz"], check=True)
    tree = guest / "dpm-guest-report"
    capsys.readouterr()

    code = run(tree, "status")

    replayed = capsys.readouterr().out
    assert made["status"] == f"{replayed}exit code {code}\n"
    real = run(guest, "status")
    verdicts = [line[61:] for line in capsys.readouterr().out.splitlines()]
    assert code == real == 1
    assert "damaged boot parameter" in replayed
    assert "glued to another word" in replayed
    assert len(verdicts) == len(replayed.splitlines())


def test_the_same_guest_gives_the_same_archive(guest: Path) -> None:
    assert run(guest, "report", "a") == run(guest, "report", "b") == 0
    made = (guest / "a").read_bytes()
    assert made == (guest / "b").read_bytes()
    assert made[4:8] == bytes(4), "gzip's time"


def test_only_the_owner_can_read_it(guest: Path) -> None:
    before = os.umask(0)
    try:
        assert run(guest, "report") == 0
    finally:
        os.umask(before)

    mode = (guest / "dpm-guest-report.tar.gz").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_a_file_that_is_there_is_replaced_only_when_told_so(
    guest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (guest / "r").write_text("mine")

    assert run(guest, "report", "r") == 1
    assert capsys.readouterr().err == "dpm-guest: r is there already; --force replaces it\n"
    assert (guest / "r").read_text() == "mine"
    assert run(guest, "report", "r", "--force") == 0
    assert "README" in files(guest / "r")
    assert stat.S_IMODE((guest / "r").stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["/dev/full", "sys"])
def test_force_replaces_only_files(
    guest: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(guest, "report", name, "-f") == 1
    assert capsys.readouterr().err == f"dpm-guest: {name} is no file that could be replaced\n"


def test_a_folder_that_is_not_there_is_said_in_one_line(
    guest: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(guest, "report", "none/r") == 1
    assert capfd.readouterr().err == ("dpm-guest: none/r: No such file or directory (ENOENT)\n")


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_an_archive_that_does_not_fit_leaves_nothing_behind(guest: Path, force: list[str]) -> None:
    if force:
        (guest / "r").write_text("mine")
    before = sorted(guest.iterdir())
    trees = ["--sysfs", f"{guest}/sys", "--procfs", f"{guest}/proc"]

    done = subprocess.run(
        [sys.executable, "-m", "dpm_guest", "report", f"{guest}/r", *force, *trees],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512)),
    )

    assert done.returncode == 1
    assert done.stderr == f"dpm-guest: {guest}/r: File too large (EFBIG)\n"
    assert sorted(guest.iterdir()) == before
    assert not force or (guest / "r").read_text() == "mine"


def test_the_exit_code_is_of_the_archive_not_of_who_listens(guest: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "dpm_guest", "report", f"{guest}/r", "--sysfs", f"{guest}/sys"],
            stdout=full,
            stderr=full,
            check=False,
            cwd=Path(__file__).parents[3],
        )

    assert done.returncode == 0
    assert "README" in files(guest / "r")


def test_a_dry_run_shows_the_list_and_writes_nothing(
    guest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(guest.iterdir())

    assert run(guest, "report", "--dry-run") == 0

    assert "sys/devices/qeth/0.0.0600/layer2: read\n" in capsys.readouterr().out
    assert sorted(guest.iterdir()) == before


def test_what_cannot_be_read_is_named_and_what_has_no_end_is_cut(guest: Path) -> None:
    osa = guest / "sys/devices/qeth/0.0.0600"
    for name in ("layer2", "portno", "state", "chpid", "online"):
        (osa / name).unlink()
    os.mkfifo(osa / "state")
    (osa / "portno").symlink_to("/dev/zero")
    (osa / "layer2").mkdir()
    (guest / "etc/os-release").unlink()
    os.mkfifo(guest / "etc/os-release")
    (osa / "online").symlink_to("online")
    with (osa / "chpid").open("w") as file:
        file.truncate(1 << 40)
    with (guest / "proc/sysinfo").open("w") as file:
        file.truncate(1 << 40)
    (guest / "journalctl.txt").unlink()
    (guest / "bin/journalctl").write_text("#!/bin/sh\nexec yes hunter2x hunter2x\n")

    assert run(guest, "report", "r") == 0

    found = files(guest / "r")
    lines = found["LIST"].splitlines()
    below = "sys/devices/qeth/0.0.0600"
    for name in ("layer2", "portno", "state"):
        assert f"{below}/{name}: not read: no regular file" in lines
    assert f"{below}/online: not read: Too many levels of symbolic links (ELOOP)" in lines
    assert f"{below}/chpid: read" in lines
    assert len((guest / "r").read_bytes()) < 100_000
    assert found["journal"].endswith("exit code -9\n")
    assert "hunter2x" not in found["journal"]
    assert found["status"].startswith("NIC ")


def test_a_guest_that_shows_nothing_gives_a_report_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert run(tmp_path, "report") == 0

    found = files(tmp_path / "dpm-guest-report.tar.gz")
    assert "proc/cmdline: not read: No such file or directory (ENOENT)\n" in found["LIST"]
    assert found["status"].endswith("exit code 1\n")


def test_a_card_that_never_answers_costs_only_its_attribute(
    guest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In place of an attribute whose read blocks in the kernel."""
    forever, read = threading.Event(), inventory.contents

    def silent(path: str, most: int) -> bytes:
        if path.endswith("card_type"):
            forever.wait()
        return read(path, most)

    monkeypatch.setattr(inventory, "contents", silent)
    monkeypatch.setattr(inventory, "SECONDS", 0.1)

    assert run(guest, "report", "r") == 0
    forever.set()

    lines = files(guest / "r")["LIST"].splitlines()
    osa = "sys/devices/qeth/0.0.0600"
    assert f"{osa}/card_type: not read: no answer in 0.1 s" in lines
    assert f"{osa}/chpid: not read: another one there did not answer" in lines
    assert f"{osa}/net/enc600/address: read" in lines


def test_a_part_that_goes_wrong_costs_only_itself(
    guest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (guest / "sys/devices/css0/0.0.0000/0.0.0600/cutype").unlink()
    (guest / "sys/devices/css0/0.0.0000/0.0.0600/cutype").write_bytes(b"\xff\xfe/")
    monkeypatch.setattr(inventory, "devices", lambda data: 1 / 0)

    assert run(guest, "report", "r") == 0

    found = files(guest / "r")
    assert "firmware: failed: ZeroDivisionError\n" in found["LIST"]
    assert "proc/cmdline" in found


@given(st.binary(max_size=200))
def test_firmware_data_of_any_kind_is_no_traceback(data: bytes) -> None:
    lines = [*firmware.devices(b"zdev" + data), *firmware.devices(data)]

    assert all(line.isascii() for line in lines)


# No word of the agent's is like these, and none is its own shape, as xxxxx00 would be.
SECRET = st.from_regex(r"[b-df-hj-np-tvwyz]{5}[0-9]{2}[a-z]{0,5}", fullmatch=True)


@given(SECRET, st.sampled_from(
    ["{}", "a={}", "console={}", "{},1", "enc600,{}", "'{}'", '"ro {}"', "/etc/{}/x", "{}:", "x-{}",
     "{}0600,1;", "0600,1;{}", "0600,{};", "rd.znet=qeth,{}=1", "{}=1", "dpm-guest@{}.service",
     "en{}", "http://{}/", "{}@acme", "[{}]", "crashkernel={}0001,1,0a0000000011;"]
))  # fmt: skip
def test_a_word_that_is_not_known_goes_wherever_it_stands(secret: str, form: str) -> None:
    text = Private(["lo"]).text(f"ro {form.format(secret)} quiet")

    assert secret not in text
    assert text.startswith("ro ")
    assert text.endswith(" quiet")


def test_a_quoted_value_goes_whole_though_its_words_are_the_agents() -> None:
    cleaned = Private([]).text(
        'key="the device is grouped, offline" \'key="the device"0600,1;\' ro'
    )

    assert "device" not in cleaned
    assert "grouped" not in cleaned
    assert cleaned.endswith("0600,1;' ro")


@given(st.text())
def test_any_text_can_be_cleaned(text: str) -> None:
    cleaned = Private(["lo"]).text(text)

    assert len(cleaned.split("\n")) == len(text.split("\n"))


@pytest.mark.parametrize(
    "text",
    [
        "0001,1,0a0000000011;0004,0;",
        "0.0.0600: setting port 1 failed: Invalid argument (EINVAL); does the adapter have one?",
        "dpm-guest@0.0.0600.service: Main process exited, code=exited, status=1/FAILURE",
        "pci-0000:00:00.0",
        "0.0.0700: not grouped, offline, no device 0.0.0700, 0.0.0701, 0.0.0702",
        "/run/systemd/network/70-dpm-0600.link: No space left on device (ENOSPC)",
    ],
)
def test_what_the_agent_says_stays(text: str) -> None:
    cleaned = Private(["lo"]).text(text)

    assert cleaned == text.replace("0a0000000011", "020000000001")


def test_a_program_that_does_not_end_is_ended() -> None:
    assert process.output(["sleep", "60"], 0.1, 10) == (-9, b"")
    assert process.output(["echo", "a long answer"], 10, 6) == (-9, b"a long")
    assert process.output(["no-such-program"], 1, 1) == (127, b"")
    assert process.output(["sh", "-c", "echo x; exit 3"], 10, 9) == (3, b"x\n")


def test_the_permanent_mac_is_the_kernels_answer() -> None:
    assert permanent_mac("lo") is None
    with pytest.raises(OSError, match="No such device"):
        permanent_mac("nosuch0")


def test_no_other_command_imports_it(guest: Path) -> None:
    tree = ["--sysfs", f"{guest}/sys", "--procfs", f"{guest}/proc"]

    for words in (["status"], ["setmac", "0600", "-n"], ["configure", "-n"]):
        found = imported(*words, *tree)
        assert not found & {"dpm_guest.report", "dpm_guest.inventory", "dpm_guest.private", "re"}
