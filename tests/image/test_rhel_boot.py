"""Guests of EL's shape: their first boot, under SELinux, and the kernels of their later life.

One boot for each release, and after it one more, which IPLs what the kernels' life has left on the
disk. :mod:`tests.image.el_base` says what is imitated.

A boot takes minutes: the second ones and those of EL 10's shape are for ``make test-all``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from dpm_image.boot import LOOK
from dpm_image.disk.bootentry import extract
from dpm_lab.guests.hercules.cpio import Archive
from dpm_lab.guests.qemu.guest import Outcome, boot
from dpm_lab.guests.qemu.machine import DirectKernel
from dpm_lab.guests.qemu.nics import GuestNic, machine_nics, read_tuples
from dpm_lab.guests.qemu.prepare import Request, Step
from dpm_lab.guests.qemu.verdict import judge
from dpm_lab.progress import Progress
from tests.image import kernels
from tests.image.conftest import ByRelease
from tests.image.test_image_rhel import LUN, WWPN

TUPLES = "0001,0,0a0000000011;0004,1,0a0000000012;"

#: A host that is busy with other tests makes a boot several times as long.
TIMEOUT = 2400.0


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

# EL's kernels have SELinux without being asked, Debian's have AppArmor. A kernel
# that has lost a process to a fault of its own waits for it, and the boot with it: let it panic.
APPENDED = f"quiet oops=panic {_AS_ON_EL} security=selinux enforcing=1"

# Denials in the kernel's ring, before and without a daemon that takes them.
_AVC = "dmesg | grep -o 'avc: *denied.*'"

STEPS = (
    *LOOK,
    Step("running", "systemctl is-system-running --wait; systemctl --failed --no-legend --plain"),
    Step("cmdline", "cat /proc/cmdline"),
    Step("selinux", "getenforce; cat /proc/1/attr/current | tr -d '\\0'; echo; ps -eo label="),
    Step("unlabelled", "find / -xdev -context '*:unlabeled_t:*'"),
    Step("denials", _AVC),
    Step("root", "df --block-size=1 --output=size / | tail -n1"),
    Step("login", "systemctl is-active sshd; id cloud-user"),
)

#: Of EL 9's shape, whose initramfs is told that the partition was IPLed over FCP.
STEPS_9 = (
    *STEPS,
    Step("patience", "systemctl show --property=TimeoutStartUSec systemd-machine-id-commit"),
    Step("ipl", "cat /run/initramfs/was; dmesg | grep dpm-ipl"),
    Step("profiles", "cat /etc/NetworkManager/system-connections/*.nmconnection"),
    Step("devices", "nmcli --terse --fields DEVICE,STATE,CONNECTION device"),
    Step("permanent", _PERMANENT),
)


@dataclass(frozen=True)
class Boot:
    """A boot that is over."""

    nics: tuple[GuestNic, ...]
    outcome: Outcome
    disk: Path

    def text(self, step: str) -> str:
        return self.outcome.steps[step].output.strip()


def fake_ipl(file: Path) -> Path:
    """Write what the initramfs of EL 9's shape is told by, and return it."""
    hooks = {
        "pre-udev/01-fake-ipl.sh": _FAKE_IPL,
        "pre-udev/01-patience.sh": _PATIENCE,
        "pre-pivot/01-real-ipl.sh": _REAL_IPL,
    }
    with file.open("wb") as stream:
        archive = Archive(stream)
        for name, script in hooks.items():
            archive.file(f"usr/lib/dracut/hooks/{name}", script.encode(), 0o755)
        archive.close()
    return file


def kernel_with_fake_ipl(image: Path, folder: Path) -> DirectKernel:
    """Return the image's kernel and initial RAM disk, with what that is told by."""
    kernel = extract(image, folder)
    kernels.append_archive(kernel.initrd, fake_ipl(folder / "fake-ipl.cpio"))
    return kernel


def start(request: Request) -> Boot:
    """Boot, and return what became of it."""
    assert request.keep is not None
    return Boot(request.nics, boot(request, Progress()), request.keep)


def first_boot(release: str, image: Path, folder: Path) -> Request:
    """EL 9's kernel is loaded by QEMU, which alone can give it the archive over its initramfs."""
    is_9 = release == "9"
    return Request(
        image,
        machine_nics(read_tuples(TUPLES)),
        (*(STEPS_9 if is_9 else STEPS), *kernels.life(release).steps),
        direct=kernel_with_fake_ipl(image, folder) if is_9 else None,
        append=APPENDED,
        disk_size="4G",
        keep=folder / f"{release}.qcow2",
        timeout=TIMEOUT,
    )


def second_boot(image: Path, first: Boot) -> Request:
    """IPLed from the disk that the kernels' life has left."""
    steps = (*LOOK, Step("cmdline", "cat /proc/cmdline"))
    return Request(image, first.nics, steps, append=APPENDED, keep=first.disk, timeout=TIMEOUT)


@pytest.fixture(scope="module", params=["9", pytest.param("10", marks=pytest.mark.long)])
def release(request: pytest.FixtureRequest) -> str:
    return str(request.param)


#: What only EL 9's guest is asked.
only_9 = pytest.mark.parametrize("release", ["9"], indirect=True)


@pytest.fixture(scope="module")
def guest(
    release: str, el_images: ByRelease[Path], tmp_path_factory: pytest.TempPathFactory
) -> Boot:
    """The first boot."""
    folder = tmp_path_factory.mktemp("guest")
    return start(first_boot(release, el_images[release], folder))


@pytest.fixture(scope="module")
def later(release: str, el_images: ByRelease[Path], guest: Boot) -> Boot:
    """The second one."""
    return start(second_boot(el_images[release], guest))


def test_every_nic_is_right_by_all_witnesses(guest: Boot) -> None:
    problems = {v.nic.params: v.problems for v in judge(guest.nics, guest.outcome)}

    assert problems == {nic.params: () for nic in guest.nics}
    assert guest.outcome.steps["status"].code == 0, guest.text("status")


def test_cloud_init_finds_its_data_at_a_metadata_service(guest: Boot) -> None:
    """No config drive, and a ds-identify that enables nothing for a datasource that may be."""
    assert guest.outcome.cloud_init.errors == ()
    assert "OpenStackLocal" in guest.outcome.cloud_init.datasource


@only_9
def test_all_units_are_done_without_an_error(guest: Boot) -> None:
    assert guest.text("patience") == "TimeoutStartUSec=30min"
    assert guest.text("running") == "running"


@only_9
def test_network_manager_has_the_interfaces_by_the_mac_that_they_have_now(guest: Boot) -> None:
    assert "interface-name=enc1" in guest.text("profiles")
    assert "mac-address=" not in guest.text("profiles")
    devices = guest.text("devices").splitlines()
    assert {"enc1:connected:cloud-init enc1", "enc4:connected:cloud-init enc4"} <= set(devices)


@only_9
def test_network_managers_own_match_would_find_no_interface(guest: Boot) -> None:
    """Once it does, ``interfaces-by-mac`` can go."""
    assert guest.outcome.steps["permanent"].code != 0


@only_9
def test_the_hook_ran_in_the_initramfs_and_a_dead_path_did_not_end_the_boot(guest: Boot) -> None:
    assert guest.text("ipl").splitlines()[0] == "fcp"
    assert re.search(r"dpm-ipl: 0\.0\.1900: there is no such device", guest.text("ipl"))
    assert guest.text("ipl").count("dpm-ipl") == 1


def test_the_root_file_system_fills_a_larger_disk(guest: Boot) -> None:
    assert int(guest.text("root")) > 3 * 2**30


def test_the_guest_is_up_and_selinux_enforces(guest: Boot) -> None:
    mode, first, *others = guest.text("selinux").splitlines()

    assert mode == "Enforcing"
    assert first == "system_u:system_r:init_t:s0"
    assert [label for label in others if "unlabeled_t" in label] == []
    assert guest.text("login").split()[0] == "active", guest.text("login")
    assert "cloud-user" in guest.text("login")


def test_no_file_is_unlabelled_and_none_was_when_it_was_used(guest: Boot) -> None:
    assert guest.text("unlabelled") == ""
    assert [line for line in guest.text("denials").splitlines() if "unlabeled_t" in line] == []


def test_the_boot_map_has_the_newest_kernel_after_each_act(guest: Boot, release: str) -> None:
    life = kernels.life(release)
    first = kernels.loaded(guest.text("map image"))

    assert len(first) == 1
    for act, kernel in life.booted_after.items():
        done = guest.outcome.steps[act]
        assert done.code == 0, f"{act}: {done.output}"
        assert kernels.loaded(guest.text(f"map {act}")) == [f"vmlinuz-{kernel}"] or not kernel, act
        assert kernel or kernels.loaded(guest.text(f"map {act}")) == first, act


def test_a_kernel_that_is_removed_leaves_no_entry(guest: Boot, release: str) -> None:
    answer = guest.text("map removed")

    entries = [line for line in answer.splitlines() if line.endswith(".conf")]
    assert {name.split("-", 1)[1] for name in entries} == {
        f"{kernel}.conf" for kernel in kernels.LATER[release]
    }


@pytest.mark.long
def test_what_the_kernels_life_has_left_is_booted(later: Boot) -> None:
    problems = {v.nic.params: v.problems for v in judge(later.nics, later.outcome)}

    assert kernels.MARK in later.text("cmdline").split()
    assert problems == {nic.params: () for nic in later.nics}
