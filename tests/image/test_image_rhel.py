"""``rhel-dpm`` on guest images that look like EL 9 and 10 from outside: built and verified.

:mod:`tests.image.el_base` says what is imitated; :mod:`tests.image.test_rhel_boot` boots them. What
neither shows (Red Hat's own packages, real grubby) is in ``doc/source/images-rhel.rst``, with the
commands that show it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dpm_image.build import host
from dpm_image.build.plan import Options, plan
from dpm_image.disk.bootentry import extract
from dpm_image.verify import verify
from dpm_lab import process
from dpm_lab.source import CHECKOUT
from tests.image.conftest import KEY, ByRelease
from tests.image.el_base import ElBase

_OURS = ("DIB_", "REG_")

WWPN, LUN = "0x50050763070bc5e3", "0x4010402200000000"

_FAKE_KERNEL = Path(__file__).parents[1] / "elements/ipl_fake_kernel.sh"


def test_disk_image_create_alone_says_what_is_missing_before_it_begins(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name[:4] not in _OURS}
    answer = subprocess.run(
        [host.disk_image_create(), "-n", "-a", "s390x", "-o", str(tmp_path / "x"), "rhel-dpm"],
        check=False,
        capture_output=True,
        text=True,
        env=environment
        | {
            "ELEMENTS_PATH": str(CHECKOUT / "elements"),
            "DIB_IMAGE_CACHE": str(tmp_path / "cache"),
            "TMP_DIR": str(tmp_path),
        },
    )

    said = answer.stdout + answer.stderr
    assert answer.returncode != 0
    assert said.count("rhel-dpm: DIB_LOCAL_IMAGE is not set") == 1
    assert not re.search(r"Running \S*/10-rhel-cloud-image", said)


def test_verify_finds_nothing_wrong(el_image: Path) -> None:
    results = verify.verify(el_image)

    assert {one.name: one.found for one in results if not one.right} == {}
    found = {one.name: one.found for one in results}
    assert re.fullmatch(r"enforcing; \d+ files of /usr and /etc have one", found["SELinux labels"])
    assert found["boot entries"].startswith("1,")
    assert {"sysconfig", "device lists", "subscription", "interfaces by MAC"} <= found.keys()


def test_each_file_has_the_label_that_the_policy_gives_it(el_image: Path) -> None:
    """``setfiles``, which changes nothing here, is the one of this machine."""
    with verify.opened(el_image) as opened:
        root = str(opened.root)
        contexts = f"{root}/etc/selinux/targeted/contexts/files/file_contexts"
        # -m: a machine without SELinux does not say which of its mounts have labels.
        command = ["setfiles", "-n", "-v", "-F", "-m", "-r", root, contexts, root]
        environment = {**os.environ, "PATH": process.search_path()}
        answer = subprocess.run(
            command, check=False, capture_output=True, text=True, env=environment
        )

    assert answer.returncode == 0, answer.stderr
    said = [line.replace(root, "") for line in answer.stdout.splitlines()]
    assert [line for line in said if line.startswith("Would relabel")] == []


def test_the_base_is_as_new_as_el_is_where_that_matters(el_bases: ByRelease[ElBase]) -> None:
    """A ds-identify after CVE-2024-6174, a cloud-init whose stages are one process, a policy."""
    for base in el_bases.values():
        with verify.opened(base.image) as opened:
            ds_identify = opened.read("usr/lib/cloud-init/ds-identify")
            units = opened.files("usr/lib/systemd/system/cloud-init-*.service")
            policies = opened.files("etc/selinux/targeted/policy/policy.*")

        (policy,) = re.findall(r'^DI_DEFAULT_POLICY_NO_DMI="(.*)"', ds_identify, re.MULTILINE)
        assert "maybe=none" in policy
        assert "usr/lib/systemd/system/cloud-init-main.service" in [
            name.lstrip("/") for name in units
        ]
        assert len(policies) == 1


def test_the_image_was_registered_and_is_no_more(el_images: ByRelease[Path]) -> None:
    with verify.opened(el_images["9"]) as opened:
        asked = opened.read("/etc/el-base-subscription")
    with verify.opened(el_images["10"]) as opened:
        not_asked = opened.read("/etc/el-base-subscription")

    words = [line.split()[0] for line in asked.splitlines()]
    assert (words[0], words[-1]) == ("register", "unregister")
    assert "rhel-9-for-s390x-baseos-rpms" in asked
    assert not_asked == ""


def test_the_activation_key_is_in_no_log(
    el_options: ByRelease[Options], el_images: ByRelease[Path]
) -> None:
    log = plan(el_options["9"]).log

    assert el_images["9"].exists()
    text = log.read_text(errors="replace")
    assert KEY not in text
    assert "REG_ACTIVATION_KEY=..." in text


def test_the_base_images_kernel_parameters_and_repositories_are_gone(el_image: Path) -> None:
    with verify.opened(el_image) as opened:
        (entry,) = opened.files("boot/loader/entries/*.conf")
        text = opened.read(entry)
        repositories = opened.files("etc/yum.repos.d/*")

    assert "crashkernel" not in text
    assert "net.ifnames=0" not in text
    assert repositories == []


@pytest.fixture(scope="module")
def initramfs(el_image: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of the initial RAM disk, unpacked."""
    if shutil.which("cpio") is None:
        pytest.skip("unpacking an initramfs needs cpio: apt install cpio")
    folder = tmp_path_factory.mktemp("initramfs")
    initrd = extract(el_image, folder).initrd
    root = folder / "root"
    root.mkdir()
    command = (
        f"zstd --decompress --quiet --stdout {initrd} | cpio --extract --quiet --make-directories"
    )
    subprocess.run(["bash", "-o", "pipefail", "-c", command], check=True, cwd=root)
    return root


@pytest.fixture
def fake_machine(initramfs: Path) -> Iterator[Path]:
    """A fake /sys, /proc and /dev in the initramfs: IPLed over FCP, a second HBA with NPIV."""
    top = initramfs / "fake-root"
    for name in ("proc", "dev", "run", "sys/firmware/ipl", "sys/bus/ccw/devices"):
        (top / name).mkdir(parents=True)
    for name in ("sys/bus/scsi/devices", "sys/module/zfcp/parameters", "usr/lib"):
        (top / name).mkdir(parents=True)
    for name, text in {"ipl_type": "fcp", "device": "0.0.1900", "wwpn": WWPN, "lun": LUN}.items():
        (top / "sys/firmware/ipl" / name).write_text(f"{text}\n")
    (top / "sys/module/zfcp/parameters/allow_lun_scan").write_text("Y\n")
    (top / "proc/cmdline").write_text("root=LABEL=img rd.zfcp=0.0.1a00\n")
    (top / "dev/kmsg").touch()
    for device in ("0.0.1900", "0.0.1a00"):
        (top / "fake/fcp" / device / "ports" / WWPN / LUN).mkdir(parents=True)
    (top / "fake/fcp/0.0.1a00/npiv").touch()
    shutil.copy(_FAKE_KERNEL, initramfs / "fake_kernel.sh")
    yield top
    shutil.rmtree(top)


def inside(root: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the initramfs, with its own shell and programs."""
    return subprocess.run(
        ["chroot", str(root), "/bin/sh", "-c", command],
        check=False,
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "DPM_ROOT": "/fake-root",
            "DPM_IPL_TENTHS": "20",
            "IPL_LIBRARY": "/usr/lib/dpm-guest/ipl.sh",
        },
    )


def test_the_initramfs_brings_both_paths_up_with_what_is_in_it(
    initramfs: Path, fake_machine: Path
) -> None:
    for device in ("0.0.1900", "0.0.1a00"):
        inside(initramfs, f"sh /fake_kernel.sh fake_device {device}")

    answer = inside(initramfs, "sh /fake_kernel.sh dpm_ipl_main")

    assert answer.returncode == 0, answer.stderr
    said = (fake_machine / "dev/kmsg").read_text()
    assert f"0.0.1900: disk sd-1900 is LUN {LUN} behind port {WWPN}" in said
    assert "0.0.1a00: online; zfcp looks for its LUNs" in said
    assert "<3>" not in said
    assert len(list((fake_machine / "sys/bus/scsi/devices").iterdir())) == 2


def test_the_initramfs_has_what_a_second_path_needs(initramfs: Path) -> None:
    names = {path.name for path in initramfs.rglob("*")}

    assert {"chzdev", "multipath", "multipathd", "dm-multipath.ko"} <= {
        name.removesuffix(".xz") for name in names
    }
    # dracut 106 has its hooks in /var/lib, and a link where they were.
    hooks = {path.name for path in initramfs.rglob("hooks/initqueue/*") if "dpm-" in path.name}
    assert hooks == {"20-dpm-ipl.sh"}
