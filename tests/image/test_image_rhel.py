"""``rhel-dpm`` on guest images that look like EL 9 and 10 from outside: built, verified, booted.

:mod:`tests.image.el_base` says what is imitated. What this does not show (Red Hat's own packages,
SELinux, real grubby and kernel-install) is in ``doc/source/images-rhel.rst``, with the commands
that show it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import pytest

from dpm_image import host, verify
from dpm_image.boot import LOOK
from dpm_image.bootentry import extract
from dpm_image.build import Options, build, plan
from dpm_image.instance import Step
from dpm_image.nics import GuestNic, machine_nics, read_tuples
from dpm_image.progress import Progress
from dpm_image.qemu import LEAN_CPU
from dpm_image.session import Outcome, Request, boot
from dpm_image.verdict import judge
from dpm_lab.debian.releases import ArchiveError
from dpm_lab.source import CHECKOUT
from tests.image.el_base import RELEASES, ElBase, el_base

pytestmark = [pytest.mark.image, pytest.mark.slow]

TUPLES = "0001,0,0a0000000011;0004,1,0a0000000012;"

KEY = "a-key-that-nobody-may-see"

#: A host that is busy with other tests makes a boot several times as long.
TIMEOUT = 2400.0

_OURS = ("DIB_", "REG_")

WWPN, LUN = "0x50050763070bc5e3", "0x4010402200000000"

_Thing = TypeVar("_Thing")

_FAKE_KERNEL = Path(__file__).parents[1] / "elements/ipl_fake_kernel.sh"


class ByRelease(dict[str, _Thing]):
    """Something for each release of EL; who asks for one that cannot be made is told why."""

    def __init__(self, lacking: dict[str, ArchiveError]) -> None:
        self.lacking = lacking

    def __missing__(self, release: str) -> _Thing:
        raise self.lacking[release]


@pytest.fixture(scope="module")
def bases() -> ByRelease[ElBase]:
    """The guest images; what takes long is emulated, one processor each."""
    found = ByRelease[ElBase]({})

    def make(release: str) -> None:
        try:
            found[release] = el_base(release)
        except ArchiveError as error:
            found.lacking[release] = error

    with ThreadPoolExecutor() as pool:
        list(pool.map(make, RELEASES))
    return found


@pytest.fixture(scope="module")
def options(
    bases: ByRelease[ElBase], tmp_path_factory: pytest.TempPathFactory
) -> ByRelease[Options]:
    """9 with a subscription, 10 with repositories only."""
    key = tmp_path_factory.mktemp("key") / "key"
    key.write_text(KEY)
    found = ByRelease[Options](bases.lacking)
    for release, base in bases.items():
        found[release] = Options(
            distribution="rhel",
            release=release,
            local_image=base.image,
            repositories=(base.repositories,),
        )
    if "9" in found:
        subscription = {"METHOD": "portal", "ORG": "1234567"}
        found["9"] = replace(found["9"], subscription=subscription, activation_key_file=key)
    return found


@pytest.fixture(scope="module")
def images(options: ByRelease[Options]) -> ByRelease[Path]:
    found = ByRelease[Path](options.lacking)
    for release, chosen in options.items():
        found[release] = build(chosen)
    return found


@pytest.fixture(scope="module", params=list(RELEASES))
def image(request: pytest.FixtureRequest, images: ByRelease[Path]) -> Path:
    return images[request.param]


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


def test_verify_finds_nothing_wrong(image: Path) -> None:
    results = verify.verify(image)

    assert {one.name: one.found for one in results if not one.right} == {}
    found = {one.name: one.found for one in results}
    assert found["SELinux labels"] == "enforcing; the first boot labels all files"
    assert found["boot entries"].startswith("1,")
    assert {"sysconfig", "device lists", "subscription", "interfaces by MAC"} <= found.keys()


def test_the_image_was_registered_and_is_no_more(images: ByRelease[Path]) -> None:
    with verify.opened(images["9"]) as opened:
        asked = opened.read("/etc/el-base-subscription")
    with verify.opened(images["10"]) as opened:
        not_asked = opened.read("/etc/el-base-subscription")

    words = [line.split()[0] for line in asked.splitlines()]
    assert (words[0], words[-1]) == ("register", "unregister")
    assert "rhel-9-for-s390x-baseos-rpms" in asked
    assert not_asked == ""


def test_the_activation_key_is_in_no_log(
    options: ByRelease[Options], images: ByRelease[Path]
) -> None:
    log = plan(options["9"]).log

    assert images["9"].exists()
    text = log.read_text(errors="replace")
    assert KEY not in text
    assert "REG_ACTIVATION_KEY=..." in text


def test_the_base_images_kernel_parameters_and_repositories_are_gone(image: Path) -> None:
    with verify.opened(image) as opened:
        (entry,) = opened.files("boot/loader/entries/*.conf")
        text = opened.read(entry)
        repositories = opened.files("etc/yum.repos.d/*")

    assert "crashkernel" not in text
    assert "net.ifnames=0" not in text
    assert repositories == []


@pytest.fixture(scope="module")
def initramfs(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of the initial RAM disk, unpacked."""
    if shutil.which("cpio") is None:
        pytest.skip("unpacking an initramfs needs cpio: apt install cpio")
    folder = tmp_path_factory.mktemp("initramfs")
    initrd = extract(image, folder).initrd
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


def newc(files: dict[str, tuple[int, bytes]]) -> bytes:
    """Return a cpio archive of files (by name: mode and content), as the kernel reads them."""
    archive = b""
    for number, (name, (mode, content)) in enumerate([*files.items(), ("TRAILER!!!", (0, b""))], 1):
        fields = [number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0]
        entry = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
        archive += entry + b"\0" * (-len(entry) % 4) + content + b"\0" * (-len(content) % 4)
    return archive


_FAKE_IPL = f"""\
#!/bin/sh
mkdir -p /run/fake-ipl
echo fcp >/run/fake-ipl/ipl_type
echo 0.0.1900 >/run/fake-ipl/device
echo {WWPN} >/run/fake-ipl/wwpn
echo {LUN} >/run/fake-ipl/lun
mount --bind /run/fake-ipl /sys/firmware/ipl
"""

# Gone again before the real root: systemd there would wait for what the mount came from.
_REAL_IPL = """\
#!/bin/sh
cat /sys/firmware/ipl/ipl_type >/run/initramfs/was
umount /sys/firmware/ipl
"""

# A machine that is busy with other things emulates a guest slowly enough for units with limits of
# their own to fail (systemd-machine-id-commit.service has 30 seconds). /run goes to the real root.
_PATIENCE = """\
#!/bin/sh
mkdir -p /run/systemd/system.conf.d /run/systemd/system/systemd-machine-id-commit.service.d
printf '[Manager]\\nDefaultTimeoutStartSec=30min\\n' >/run/systemd/system.conf.d/patience.conf
printf '[Service]\\nTimeoutSec=30min\\n' \\
    >/run/systemd/system/systemd-machine-id-commit.service.d/patience.conf
"""

# EL starts multipathd only where there is an /etc/multipath.conf. Debian's starts always, with
# real-time priority; a boot with it stood still for minutes on a single emulated processor.
_AS_ON_EL = "systemd.mask=multipathd.service systemd.mask=multipathd.socket"

# NetworkManager's own idea of a MAC: a profile for the wanted one finds no device.
_PERMANENT = (
    "nmcli --terse connection add type ethernet con-name probe connection.autoconnect no"
    " 802-3-ethernet.mac-address 0A:00:00:00:00:11 ipv4.method disabled ipv6.method disabled &&"
    " nmcli --wait 20 connection up probe; code=$?; nmcli connection delete probe; exit $code"
)

STEPS = (
    *LOOK,
    Step("running", "systemctl is-system-running --wait; systemctl --failed --no-legend --plain"),
    Step("cmdline", "cat /proc/cmdline"),
    Step("patience", "systemctl show --property=TimeoutStartUSec systemd-machine-id-commit"),
    Step("ipl", "cat /run/initramfs/was; dmesg | grep dpm-ipl"),
    Step("profiles", "cat /etc/NetworkManager/system-connections/*.nmconnection"),
    Step("devices", "nmcli --terse --fields DEVICE,STATE,CONNECTION device"),
    Step(
        "root",
        "findmnt --noheadings --output SOURCE /; df --block-size=1 --output=size / | tail -n1",
    ),
    Step("permanent", _PERMANENT),
)


@dataclass(frozen=True)
class Boot:
    """A boot that is over."""

    nics: tuple[GuestNic, ...]
    outcome: Outcome

    def text(self, step: str) -> str:
        return self.outcome.steps[step].output.strip()


@pytest.fixture(scope="module")
def booted(images: ByRelease[Path], tmp_path_factory: pytest.TempPathFactory) -> Boot:
    """EL 9's shape, its initramfs told that the partition was IPLed over FCP."""
    overlay = tmp_path_factory.mktemp("overlay") / "fake-ipl.cpio"
    top = "usr/lib/dracut/hooks"
    folders = [str(path) for path in reversed(Path(top, "x").parents)][1:]
    folders += [f"{top}/pre-udev", f"{top}/pre-pivot"]
    overlay.write_bytes(
        newc(
            dict.fromkeys(folders, (0o40755, b""))
            | {f"{top}/pre-udev/01-fake-ipl.sh": (0o100755, _FAKE_IPL.encode())}
            | {f"{top}/pre-udev/01-patience.sh": (0o100755, _PATIENCE.encode())}
            | {f"{top}/pre-pivot/01-real-ipl.sh": (0o100755, _REAL_IPL.encode())}
        )
    )
    nics = machine_nics(read_tuples(TUPLES))
    request = Request(
        images["9"],
        nics,
        STEPS,
        ipl="kernel",
        append=f"quiet {_AS_ON_EL}",
        disk_size="4G",
        initrd_overlay=overlay,
        timeout=TIMEOUT,
        cpu=LEAN_CPU,
    )
    return Boot(nics, boot(request, Progress()))


def test_every_nic_is_right_by_all_witnesses(booted: Boot) -> None:
    problems = {v.nic.params: v.problems for v in judge(booted.nics, booted.outcome)}

    assert problems == {nic.params: () for nic in booted.nics}
    assert booted.outcome.steps["status"].code == 0, booted.text("status")


def test_cloud_init_and_all_units_are_done_without_an_error(booted: Boot) -> None:
    assert booted.outcome.cloud_init.errors == ()
    assert "OpenStackLocal" in booted.outcome.cloud_init.datasource
    assert booted.text("patience") == "TimeoutStartUSec=30min"
    assert booted.text("running") == "running"


def test_network_manager_has_the_interfaces_by_the_mac_that_they_have_now(booted: Boot) -> None:
    assert "interface-name=enc1" in booted.text("profiles")
    assert "mac-address=" not in booted.text("profiles")
    devices = booted.text("devices").splitlines()
    assert {"enc1:connected:cloud-init enc1", "enc4:connected:cloud-init enc4"} <= set(devices)


def test_network_managers_own_match_would_find_no_interface(booted: Boot) -> None:
    """Once it does, ``interfaces-by-mac`` can go."""
    assert booted.outcome.steps["permanent"].code != 0


def test_the_hook_ran_in_the_initramfs_and_a_dead_path_did_not_end_the_boot(booted: Boot) -> None:
    assert booted.text("ipl").splitlines()[0] == "fcp"
    assert re.search(r"dpm-ipl: 0\.0\.1900: there is no such device", booted.text("ipl"))
    assert booted.text("ipl").count("dpm-ipl") == 1


def test_the_root_file_system_fills_a_larger_disk(booted: Boot) -> None:
    assert int(booted.text("root").split()[-1]) > 3 * 2**30
