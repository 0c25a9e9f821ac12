"""Kernels that come and go in the root of an EL-shaped image, on a disk that zipl knows; no boot.

EL's base image becomes a disk with a partition: two loop devices, and zipl is told that it knows
such disks as it knows virtio, SCSI and DASD disks by itself
(``image-build/testing/el-base/root/usr/lib/el-base/zipl_helper.loop``). In the root that is on it,
the programs of ``zipl-dpm`` do what they do in a build, and ``kernel-install`` what it does
in the scriptlets of ``kernel-core``. All of it is emulated, and takes seconds.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from dpm_lab import process
from dpm_lab.source import CHECKOUT
from tests.image import kernels
from tests.image.boot_map import loaded
from tests.image.conftest import ByRelease
from tests.image.el_base import RELEASES, ElBase

ZIPL_DPM = CHECKOUT / "elements/zipl-dpm"

_MIB = 2**20
_ENTRIES = "boot/loader/entries"


@dataclass(frozen=True)
class Disk:
    """A disk, its root mounted.

    Attributes:
        file: what the disk's bytes are in
        root: where its partition is mounted
        first: the kernel that the image came with
    """

    file: Path
    root: Path
    first: str

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the root, in it."""
        return subprocess.run(
            ["chroot", str(self.root), *command],
            check=False,
            capture_output=True,
            text=True,
            env={"PATH": "/usr/local/bin:/usr/sbin:/usr/bin", "LC_ALL": "C.UTF-8"},
        )

    def add(self, name: str) -> subprocess.CompletedProcess[str]:
        """Install a kernel as ``kernel-core`` does; it is the first one with another name."""
        modules = self.root / "usr/lib/modules"
        if name != self.first:
            (modules / name).mkdir()
            content = (modules / self.first / "vmlinuz").read_bytes()
            (modules / name / "vmlinuz").write_bytes(content + f"this is {name}\n".encode())
        return self.run("kernel-install", "add", name, f"/lib/modules/{name}/vmlinuz")

    def remove(self, name: str) -> subprocess.CompletedProcess[str]:
        """Remove one as ``kernel-core`` does."""
        return self.run("kernel-install", "remove", name)

    @property
    def kernels(self) -> list[str]:
        """The kernels that the boot map loads."""
        os.sync()
        found = loaded(str(self.file), str(self.root / "boot"))
        return [name.removeprefix("vmlinuz-") for name in found if name.startswith("vmlinuz-")]

    @property
    def in_front(self) -> str:
        """A digest of what is in front of the partition: the disk's boot record, above all."""
        os.sync()
        with self.file.open("rb") as file:
            return hashlib.sha256(file.read(_MIB)).hexdigest()


def _run(*command: str) -> str:
    return process.run([*command], "see tools/debian-packages.txt").strip()


@pytest.fixture(scope="module", params=list(RELEASES))
def release(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def disk(el_bases: ByRelease[ElBase], release: str, tmp_path: Path) -> Iterator[Disk]:
    file, root = tmp_path / "disk.raw", tmp_path / "root"
    root.mkdir()
    _run("qemu-img", "convert", "-O", "raw", str(el_bases[release].image), str(file))
    # Lazily: what a failed test has left may be in the way.
    with ExitStack() as stack:
        for offset in (0, _MIB):
            loop = _run("losetup", "--find", "--show", f"--offset={offset}", str(file))
            stack.callback(_run, "losetup", "--detach", loop)
        _run("mount", loop, str(root))
        stack.callback(_run, "umount", "--lazy", str(root))
        for name in ("proc", "sys", "dev"):
            _run("mount", "--bind", f"/{name}", str(root / name))
            stack.callback(_run, "umount", "--lazy", str(root / name))
        helper = root / "usr/lib/el-base/zipl_helper.loop"
        shutil.copy(helper, root / "usr/lib/s390-tools")
        # Minutes of emulation for what no test looks at.
        (root / "etc/kernel/install.d").mkdir(parents=True, exist_ok=True)
        (root / "etc/kernel/install.d/50-depmod.install").symlink_to("/dev/null")
        shutil.copytree(ZIPL_DPM / "bin", root / "root/zipl-dpm")
        (first,) = (path.name for path in (root / "usr/lib/modules").iterdir())
        yield Disk(file, root, first)


def test_a_kernel_that_comes_and_one_that_goes_in_a_build_leave_the_builders_disk_alone(
    disk: Disk, release: str
) -> None:
    """As the build's first hook has left the root; ``/boot`` is a folder of the builder's disk."""
    (disk.root / "etc/kernel/cmdline").write_text("root=LABEL=img\n")
    hook = ZIPL_DPM / "pre-install.d/00-00-zipl-dpm"
    assert hook.exists(), "nothing keeps zipl away from the disk"
    held = disk.run("bash", "/root/zipl-dpm/zipl-dpm-hold", "/")
    before = disk.in_front

    answers = [disk.add(kernels.LATER[release][1]), disk.remove(disk.first)]

    assert held.returncode == 0, held.stderr
    assert [(one.returncode, one.stderr) for one in answers] == [(0, ""), (0, "")]
    assert disk.in_front == before


def test_zipl_writes_to_that_disk_where_nothing_keeps_it(disk: Disk, release: str) -> None:
    """The danger is a real one: the test before would see it."""
    (disk.root / "etc/kernel/cmdline").write_text("root=LABEL=img\n")
    before = disk.in_front

    answer = disk.add(kernels.LATER[release][1])

    assert answer.returncode == 0, answer.stderr
    assert disk.in_front != before


def test_the_boot_map_has_the_newest_kernel_after_each_act_on_a_server(
    disk: Disk, release: str
) -> None:
    older, newer = kernels.LATER[release]
    done = disk.run("bash", "/root/zipl-dpm/zipl-dpm-bls", "/", "root=LABEL=img")
    # The build's id is gone, each server has one of its own.
    (disk.root / "etc/machine-id").write_text("fedcba9876543210fedcba9876543210\n")
    zipl = disk.run("zipl")

    assert (done.returncode, zipl.returncode) == (0, 0), done.stderr + zipl.stderr
    assert disk.kernels == [disk.first]
    for act, name, kernel in (
        (disk.add, disk.first, disk.first),
        (disk.add, older, older),
        (disk.add, newer, newer),
        (disk.remove, disk.first, newer),
    ):
        answer = act(name)
        assert answer.returncode == 0, f"{act.__name__} {name}: {answer.stderr}"
        assert disk.kernels == [kernel], f"{act.__name__} {name}"
    entries = sorted(path.name.split("-", 1)[1] for path in (disk.root / _ENTRIES).iterdir())
    assert entries == sorted(f"{name}.conf" for name in (older, newer))
