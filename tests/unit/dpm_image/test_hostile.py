"""Whoever made an image gets nothing of the machine that looks at it, and leaves nothing there.

Real images, really mounted: that takes root.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dpm_image import compare
from dpm_image.__main__ import main
from dpm_image.disk.bootentry import BootEntryError, extract
from dpm_image.disk.rootfs import mounted
from dpm_image.verify import verify
from dpm_lab.guests.disk.apart import apart
from dpm_lab.guests.disk.rawdisk import DiskError, exported
from tests.foreground import FOREGROUND
from tests.running import command_lines, loop_files, mounts
from tests.unit.dpm_image import fakeroot
from tests.unit.dpm_lab.guests.disks import disk, poke

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounting takes root"),
]

#: A busy machine may take some seconds to end what it was told to.
PATIENCE = 60.0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root of a right image, to be spoilt."""
    return fakeroot.image(tmp_path).root


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Where the image goes."""
    return tmp_path / "image.qcow2"


@pytest.fixture
def secret(tmp_path: Path) -> Iterator[Path]:
    """A folder of the host, whose content no image may see."""
    folder = tmp_path / "host"
    folder.mkdir()
    (folder / "a.conf").write_text("linux /a.conf\ninitrd /a.conf\noptions SECRET\n")
    yield folder


def wrong(image: Path) -> dict[str, str]:
    return {one.name: one.found for one in verify.verify(image) if not one.right}


def test_a_right_image_is_right_but_for_the_boot_map_that_zipl_writes(
    root: Path, image: Path
) -> None:
    assert set(wrong(disk(root, image))) == {"boot map"}


@pytest.fixture
def victim() -> Iterator[subprocess.Popen[bytes]]:
    """A process of this machine."""
    with subprocess.Popen(["sleep", "1000"]) as process:
        yield process
        process.kill()


def test_nothing_of_an_image_is_run(
    root: Path, image: Path, victim: subprocess.Popen[bytes]
) -> None:
    # A shell of this machine, in the place of Python: it needs no escape to reach a process.
    said = subprocess.check_output(["ldd", "/bin/dash"], text=True)
    for file in ("/usr/bin/dash", *(word for word in said.split() if word.startswith("/"))):
        target = root / "usr" / file.removeprefix("/usr/").lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    fakeroot.link(root, "lib64", "usr/lib64")
    program = root / "usr/bin/python3.11"
    program.write_text(f"#!/usr/bin/dash\nkill -9 {victim.pid}\necho 3.11, pyudev 0.24\n")
    # It would run, here as in an image.
    assert subprocess.check_output(["chroot", root, "dash", "-c", "echo it runs"])

    found = wrong(disk(root, image))

    assert victim.poll() is None
    assert found["Python imports"] == "/usr/bin/python3 is no program for s390x"


def test_a_mounted_file_system_has_no_devices_programs_or_links_for_the_kernel(
    root: Path, image: Path
) -> None:
    fakeroot.link(root, "outside", "/etc/passwd")
    made = disk(root, image)

    with apart(), exported(made) as raw, mounted(raw, made) as folder:
        (line,) = (one for one in mounts() if f" {folder} " in one)
        with pytest.raises(OSError, match="Too many levels"):
            (folder / "outside").read_bytes()

    assert {"ro", "nodev", "nosuid", "noexec", "nosymfollow"} <= set(line.split()[5].split(","))


def test_nobody_else_sees_the_mounts_and_afterwards_all_is_as_before(
    root: Path, image: Path
) -> None:
    made = disk(root, image)
    spaces = [Path("/proc/thread-self/ns", name) for name in ("mnt", "net")]
    before = [space.readlink() for space in spaces]
    place = Path.cwd()

    with apart(), exported(made) as raw, mounted(raw, made) as folder:
        assert str(folder) not in Path("/proc/1/mountinfo").read_text()
        assert Path("/proc/thread-self/net/route").read_text() == ""

    assert [space.readlink() for space in spaces] == before
    assert Path.cwd() == place


_LOOK = """
import sys, time
from pathlib import Path
from dpm_image.verify import verify
with verify.opened(Path(sys.argv[1])) as image:
    print(image.root, image.disk.parent, image.agent, flush=True)
    time.sleep(1000)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_however_a_look_ends_no_mount_device_or_process_is_left(
    root: Path, image: Path, number: signal.Signals
) -> None:
    made = disk(root, image)
    with subprocess.Popen(
        [*FOREGROUND, sys.executable, "-c", _LOOK, str(made)], stdout=subprocess.PIPE, text=True
    ) as look:
        assert look.stdout is not None
        folders = look.stdout.readline().split()
        assert len(folders) == 3
        assert left(made, folders)
        look.send_signal(number)
    assert look.returncode == -number

    deadline = time.monotonic() + PATIENCE
    while (found := left(made, folders)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert found == []
    # A process that is killed removes no folder; no mount keeps us from removing them.
    for folder in filter(os.path.exists, folders):
        assert number != signal.SIGINT
        shutil.rmtree(folder)


def left(image: Path, folders: list[str]) -> list[str]:
    """What there is of a look: its processes, mounts in sight of us, loop devices."""
    found = [words for words in command_lines().values() if str(image) in words]
    lines = (*mounts(), *loop_files())
    return found + [line for line in lines if any(folder in line for folder in folders)]


def test_entries_and_links_that_lead_out_show_nothing_of_the_host(
    root: Path, image: Path, secret: Path
) -> None:
    shutil.rmtree(root / "boot/loader", ignore_errors=True)
    fakeroot.link(root, "boot/loader/entries", str(secret))
    (root / "etc/zipl.conf").unlink()
    fakeroot.link(root, "etc/zipl.conf", f"/../../../../../..{secret}/a.conf")
    made = disk(root, image)

    found = verify.verify(made)

    assert not [one for one in found if "SECRET" in one.found]
    with pytest.raises(BootEntryError, match="it has neither"):
        extract(made, image.parent)


def test_no_file_of_the_host_becomes_a_kernel(root: Path, image: Path, secret: Path) -> None:
    for name in ("boot/vmlinuz", "boot/initrd.img"):
        (root / name).unlink()
    fakeroot.link(root, "boot/vmlinuz", f"../../../../../../../../..{secret}/a.conf")
    fakeroot.link(root, "boot/initrd.img", "initrd.img-6.1.0-50-s390x")
    made = disk(root, image)

    with pytest.raises(BootEntryError, match="names /boot/vmlinuz, which is not in the image"):
        extract(made, image.parent)

    assert not (image.parent / "kernel").exists()


def test_kernel_and_initramfs_of_a_right_image_are_taken_out(root: Path, image: Path) -> None:
    found = extract(disk(root, image), image.parent)

    assert found.kernel.read_text() == "kernel"
    assert found.initrd.read_bytes() == (root / "boot/initrd.img-6.1.0-50-s390x").read_bytes()


def test_whatever_is_wrong_is_a_row_and_no_check_hangs(root: Path, image: Path) -> None:
    (root / "etc/os-release").write_bytes(b"ID=debian\nNAME=gr\xfc\xdfe\n")
    os.mkfifo(root / "etc/cloud/cloud.cfg.d/a.cfg")
    (root / "etc/fstab").unlink()
    os.mknod(root / "etc/fstab", 0o20644, os.makedev(1, 5))  # /dev/zero
    (root / "etc/shadow").unlink()
    fakeroot.link(root, "etc/shadow", "shadow")
    (root / "var/log/x\nlogs  ok").write_text("x\x1b[2J")
    with (root / "usr/lib/modules/6.1.0-50-s390x/modules.builtin").open("wb") as file:
        file.truncate(2**33)

    found = wrong(disk(root, image))

    assert found["datasources"] == "/etc/cloud/cloud.cfg.d/a.cfg is a pipe, not a file"
    assert found["file system table"] == "etc/fstab is a device, not a file"
    assert "more than 40 links" in found["passwords"]
    assert "modules.builtin has 8589934592 bytes" in found["drivers in initramfs"]
    assert found["logs"] == "/var/log/x\nlogs  ok"


def test_a_table_has_as_many_rows_as_checks_and_json_is_json(
    root: Path, image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "tmp").mkdir()
    (root / os.fsdecode(b"tmp/\xff\x1b[2J\nmachine-id  ok  empty")).touch()
    made = disk(root, image)

    assert main(["verify", str(made)]) == 1
    table = capsys.readouterr().out
    assert main(["verify", "--json", str(made)]) == 1
    results = json.loads(capsys.readouterr().out)

    assert "\x1b" not in table
    assert len(table.splitlines()) == len(results) + 3
    (row,) = (one for one in results if one["name"] == "build leftovers")
    assert row["found"].endswith("\x1b[2J\nmachine-id  ok  empty")


def test_two_images_are_compared_whatever_is_in_them(
    root: Path, image: Path, secret: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = disk(root, image.with_name("a.qcow2"))
    fakeroot.link(root, "var/link", str(secret))
    os.mkfifo(root / os.fsdecode(b"var/\xff\x1b[2J"))

    assert main(["compare", str(first), str(disk(root, image))]) == 1

    said = capsys.readouterr().out
    assert "only in B     /var/link" in said
    assert r"only in B     /var/\udcff\x1b[2J" in said
    assert "a.conf" not in said


def test_files_that_cannot_be_compared_are_named(root: Path, image: Path) -> None:
    with (root / "holes").open("wb") as file:
        file.truncate(2**40)

    with pytest.raises(DiskError, match=r"/holes: it has 1099511627776 bytes, the whole disk"):
        compare.read(disk(root, image))


def test_folders_without_end_are_no_traceback(root: Path, image: Path) -> None:
    made = disk(root, image)
    deep = "i=0; while [ $i -lt 1500 ]; do mkdir d; cd d; i=$((i+1)); done"
    with apart(), exported(made, writable=True) as raw:
        folder = image.with_name("mounted")
        folder.mkdir()
        subprocess.run(["mount", "-o", f"loop,offset={2**20}", raw, folder], check=True)
        subprocess.run(["sh", "-c", deep], cwd=folder, check=True)
        subprocess.run(["umount", folder], check=True)

    with pytest.raises(DiskError, match="its files cannot be read"):
        compare.read(made)
    assert set(wrong(made)) == {"boot map"}


def test_no_other_file_system_is_handed_to_the_kernel(root: Path, image: Path) -> None:
    made = disk(root, image)
    with exported(made, writable=True) as raw:
        # A superblock of squashfs in the place of ext4's.
        with raw.open("r+b") as file:
            file.seek(2**20)
            file.write(bytes(4096))
        poke(raw, 2**20, b"hsqs" + bytes(24) + b"\4\0\0\0")

    with pytest.raises(DiskError, match=r"is .*; those of images are ext2, ext3, ext4, xfs"):
        verify.verify(made)
