"""Every check of ``dpm-image verify`` accepts a right root, and names the fault of a broken one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dpm_image.verify import verify
from dpm_image.verify.checks import CHECKS, Check, Image
from tests.unit.dpm_image import fakeroot
from tests.unit.dpm_image.fakeroot import ENTRY, ID, KERNEL, PARAMETERS, write
from tests.unit.dpm_lab.guests.disks import LABEL

Break = Callable[[Image], Image | None]

needs_labels = pytest.mark.skipif(os.geteuid() != 0, reason="labelling files takes root")

# It looks at a real disk: tests/image does that.
_REAL = {"boot map"}


def verdict(image: Image, name: str) -> verify.Result:
    """Run one check."""
    (result,) = verify.examine(image, [one for one in CHECKS if one.name == name])
    return result


@pytest.fixture
def image(tmp_path: Path) -> Image:
    return fakeroot.image(tmp_path)


@pytest.fixture
def el(tmp_path: Path) -> Image:
    return fakeroot.image(tmp_path / "el", family="el")


@pytest.mark.parametrize("family", ["debian", "el"])
def test_a_right_image_passes_all_checks(tmp_path: Path, family: str) -> None:
    image = fakeroot.image(tmp_path, family=family)

    table = [one for one in CHECKS if one.name not in _REAL]
    wrong = [one for one in verify.examine(image, table) if not one.right]

    assert wrong == []


def test_python_is_found_where_the_distribution_has_it(image: Image, el: Image) -> None:
    assert verdict(image, "Python imports").found == "Python 3.11, pyudev 0.24.0"
    assert verdict(el, "Python imports").found == "Python 3.9, pyudev 0.22.0"


def test_checks_of_another_family_are_left_out(image: Image, el: Image) -> None:
    assert "SELinux labels" not in {one.name for one in verify.examine(image)}
    assert "SELinux labels" in {one.name for one in verify.examine(el)}


def file(name: str, text: str = "something\n") -> Break:
    """A broken image: a file with this text."""
    return lambda image: write(image.root, name, text)


def without(name: str) -> Break:
    """A broken image: a file is missing."""
    return lambda image: (image.root / name).unlink()


def other(**fields: Any) -> Break:
    """A broken image: something about the file that it is in."""
    return lambda image: replace(image, **fields)


def drivers(*names: str) -> Break:
    """A broken image: an initial RAM disk with these modules only."""
    return lambda image: fakeroot.initramfs(image.root, fakeroot.modules(names))


def parameters(text: str) -> Break:
    """A broken image: the boot loader's configuration has other kernel parameters."""

    def replaced(image: Image) -> None:
        path = image.root / "etc/zipl.conf"
        path.write_text(path.read_text().replace(PARAMETERS, text))

    return replaced


def resolv_conf(image: Image) -> None:
    """A broken image: the builder's name server."""
    (image.root / "etc/resolv.conf").unlink()
    write(image.root, "etc/resolv.conf", "nameserver 192.0.2.53\n")


def no_modules(image: Image) -> None:
    """A broken image: the agent's folder is empty."""
    shutil.rmtree(image.root / _HOME)


def no_bytecode(image: Image) -> None:
    """A broken image: the agent would be compiled at boot."""
    shutil.rmtree(image.root / _HOME / "__pycache__")


def checked_bytecode(image: Image) -> None:
    """A broken image: bytecode that is compared with its source's time at every start."""
    fakeroot.compileall(image.root / "usr/lib/dpm-guest", "timestamp")


def program(start: bytes) -> Break:
    """A broken image: what is called python3 begins like this."""

    def written(image: Image) -> None:
        (image.root / "usr/bin/python3.11").write_bytes(start.ljust(64, b"\0"))

    return written


def unlabelled(name: str) -> Break:
    """A broken image: one of its files has no SELinux label."""

    def removed(image: Image) -> None:
        os.removexattr(image.root / name, "security.selinux", follow_symlinks=False)

    return removed


def relabelled_by_the_first_boot(mode: str, *more: str) -> Break:
    """An image that has no labels, and shall get them in its first boot."""

    def made(image: Image) -> None:
        for path in image.root.rglob("*"):
            os.removexattr(path, "security.selinux", follow_symlinks=False)
        write(image.root, "etc/selinux/config", f"SELINUX={mode}\n")
        write(image.root, ".autorelabel", "")
        fakeroot.initramfs(image.root, [*fakeroot.modules(["zfcp"]), *more])

    return made


def entry(version: str, **changed: str) -> Break:
    """A broken image: one more boot entry, with other lines than the first."""

    def added(image: Image) -> None:
        said = {
            "title": version,
            "linux": f"/boot/vmlinuz-{version}",
            "initrd": f"/boot/initrd.img-{KERNEL}",
            "options": PARAMETERS,
        }
        text = "".join(f"{key} {value}\n" for key, value in (said | changed).items())
        write(image.root, f"boot/loader/entries/{ID}-{version}.conf", text)
        write(image.root, f"boot/vmlinuz-{version}", "kernel")

    return added


def default(title: str) -> Break:
    """A broken image: a newer kernel, and a default that is not it."""

    def written(image: Image) -> None:
        entry("6.1.0-124-s390x")(image)
        config = image.root / "etc/zipl.conf"
        config.write_text(f"{config.read_text()}default={title}\n")

    return written


def rescue_only(image: Image) -> None:
    """A broken image: its only entry is for rescue."""
    path = image.root / ENTRY
    path.rename(path.with_name(f"{ID}-0-rescue.conf"))


def unlabelled_debug_file(image: Image) -> None:
    """An image as its policy wants it: what is in /usr/lib/debug has no label."""
    write(image.root, "usr/lib/debug/x", "")


def hook_that_nobody_runs(image: Image) -> None:
    """A broken image: a hook in dracut's initqueue, for which no module asked."""
    fakeroot.initramfs(image.root, ["usr/lib/dracut/hooks/initqueue/20-dpm-ipl.sh"])


_STANDARD = "usr/lib/python3.11"
_PYUDEV = "usr/lib/python3/dist-packages/pyudev"
_SECRET = "debian:$y$j9T$salt$hash:19000:0:99999:7:::\n"
_HOME = "usr/lib/dpm-guest/dpm_guest"
_UNIT = "etc/systemd/system/sysinit.target.wants/dpm-guest.service"
_ZLIB = {"format": "qcow2", "format-specific": {"data": {"compression-type": "zlib"}}}

BROKEN: list[tuple[str, Break, str]] = [
    (
        "machine-id",
        file("etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
        "0123456789abcdef",
    ),
    ("machine-id", file("etc/machine-id", "uninitialized\n"), "uninitialized"),
    ("machine-id", without("etc/machine-id"), "missing"),
    ("machine-id", file("var/lib/dbus/machine-id", "0123\n"), "dbus"),
    ("SSH host keys", file("etc/ssh/ssh_host_ed25519_key"), "/etc/ssh/ssh_host_ed25519_key"),
    ("passwords", file("etc/shadow", _SECRET), "debian"),
    ("passwords", file("etc/shadow", "guest::19000:0:99999:7:::\n"), "guest"),
    ("logs", file("var/log/apt/term.log"), "/var/log/apt/term.log"),
    ("logs", file("var/log/journal/0123/system.journal"), "system.journal"),
    ("package caches", file("var/lib/apt/lists/mirror_Packages"), "mirror_Packages"),
    ("package caches", file("var/cache/apt/pkgcache.bin"), "pkgcache.bin"),
    ("package caches", file("var/cache/dnf/baseos/repodata/repomd.xml"), "repomd.xml"),
    ("cloud-init state", file("var/lib/cloud/data/instance-id"), "instance-id"),
    ("interface files", file("etc/network/interfaces.d/eth0"), "eth0"),
    ("interface files", file("etc/netplan/50-cloud-init.yaml"), "50-cloud-init.yaml"),
    ("interface files", file("etc/sysconfig/network-scripts/ifcfg-enc1"), "ifcfg-enc1"),
    ("build leftovers", file("tmp/package-installs.json"), "package-installs.json"),
    ("build leftovers", file("usr/lib/s390-tools/zipl_helper.loop"), "zipl_helper.loop"),
    ("build leftovers", file("usr/sbin/policy-rc.d"), "policy-rc.d"),
    ("name servers", resolv_conf, "192.0.2.53"),
    ("file format", other(info={"format": "raw"}), "raw"),
    ("file format", other(info=_ZLIB), "zlib"),
    ("file size", other(info={"actual-size": 300 * 2**20}), "300 MiB"),
    ("free space", other(used=200 * 2**20), "400 MiB are stored"),
    ("kernel parameters", parameters("root=/dev/vda1 console=ttyS0 console=ttysclp0"), "no root="),
    ("kernel parameters", parameters(f"root=LABEL={LABEL} console=ttyS0"), "console=ttysclp0"),
    ("kernel parameters", parameters(f"{PARAMETERS} 0001,0,0a0000000011;"), "tuples"),
    ("kernel and initramfs", without("boot/vmlinuz"), "/boot/vmlinuz is missing"),
    ("kernel and initramfs", file(f"boot/initrd.img-{KERNEL}", ""), "initrd.img is missing"),
    ("drivers in initramfs", drivers("sd_mod", "virtio_blk", "ext4"), "zfcp"),
    ("drivers in initramfs", drivers("zfcp", "sd_mod", "dasd_mod", "dasd_eckd_mod"), "virtio_blk"),
    ("IPL hook in initramfs", drivers("zfcp"), "dpm-ipl"),
    ("file system table", file("etc/fstab", "/dev/vda1 / ext4 defaults 0 1\n"), "/dev/vda1"),
    ("file system table", file("etc/fstab", "# nothing\n"), "no root"),
    ("growth", without("usr/bin/growpart"), "growpart"),
    ("growth", file("etc/cloud/cloud.cfg.d/99.cfg", "cloud_init_modules: [ssh]\n"), "resizefs"),
    ("agent", without(f"{_HOME}/bootparams.py"), "bootparams.py is missing"),
    ("agent", file(f"{_HOME}/bootparams.py", "pass\n"), "not the checkout's"),
    ("agent's bytecode", no_modules, "no modules"),
    ("agent's bytecode", no_bytecode, "not compiled"),
    ("agent's bytecode", checked_bytecode, "checked against its source"),
    ("agent's unit", without(_UNIT), "not enabled"),
    ("agent's rules", without("usr/lib/udev/rules.d/80-dpm-guest.rules"), "missing"),
    ("agent's rules", file("etc/udev/rules.d/80-dpm-guest.rules"), "hides"),
    ("Python imports", without("usr/bin/python3"), "/usr/bin/python3 is missing"),
    ("Python imports", program(b"#!/bin/sh\n"), "no program for s390x"),
    ("Python imports", program(b"\x7fELF\2\1\1"), "no program for s390x"),
    (
        "Python imports",
        without(f"{_STANDARD}/encodings/__init__.py"),
        "No module named 'encodings'",
    ),
    ("Python imports", without(f"{_STANDARD}/json/__init__.py"), "No module named 'json', which"),
    (
        "Python imports",
        without(f"{_STANDARD}/lib-dynload/_ctypes.cpython-s390x-linux-gnu.so"),
        "No module named '_ctypes'",
    ),
    ("Python imports", without(f"{_PYUDEV}/__init__.py"), "No module named 'pyudev'"),
    ("Python imports", without(f"{_PYUDEV}/device/_device.py"), "'pyudev.device._device', which"),
    ("Python imports", file(f"{_PYUDEV}/core.py", "import nothing_at_all\n"), "'nothing_at_all'"),
    ("Python imports", file(f"{_PYUDEV}/core.py", "def broken(:\n"), "pyudev/core.py: invalid"),
    ("Python imports", file(f"{_HOME}/ids.py", "import nothing_at_all\n"), "'nothing_at_all'"),
    ("Python imports", without("usr/lib/s390x-linux-gnu/libudev.so.1"), "libudev.so.1"),
    ("datasources", without("etc/cloud/cloud.cfg.d/95-dpm-guest.cfg"), "no datasource_list"),
    ("datasources", file("etc/cloud/cloud.cfg.d/99.cfg", "datasource_list: [Ec2]\n"), "Ec2"),
    ("boot map", other(disk=None), "no disk"),
    ("cloud-init is on", without("etc/cloud/ds-identify.cfg"), "ds-identify.cfg is missing"),
    ("cloud-init is on", file("etc/cloud/ds-identify.cfg", "# policy: enabled\n"), "has no policy"),
    (
        "cloud-init is on",
        file("etc/cloud/ds-identify.cfg", "policy: enabled\npolicy: search,maybe=none\n"),
        "policy search,maybe=none, not enabled",
    ),
    ("cloud-init is on", file("etc/cloud/cloud-init.disabled", ""), "cloud-init.disabled is there"),
    (
        "network updates",
        file("etc/cloud/cloud.cfg.d/95-dpm-guest.cfg", "updates: {network: {when: [boot]}}\n"),
        "no boot-new-instance, boot-legacy (/etc/cloud/cloud.cfg.d/95-dpm-guest.cfg)",
    ),
    (
        "network updates",
        file("etc/cloud/cloud.cfg.d/99.cfg", "updates: {network: {when: hotplug}}\n"),
        "no boot-new-instance, boot, boot-legacy (/etc/cloud/cloud.cfg.d/99.cfg)",
    ),
    ("network updates", without("etc/cloud/cloud.cfg.d/95-dpm-guest.cfg"), "no boot-new-instance"),
]


@pytest.mark.parametrize(
    ("name", "spoil", "said"), BROKEN, ids=[f"{name}: {said}" for name, _, said in BROKEN]
)
def test_a_broken_image_is_refused_and_the_fault_named(
    image: Image, name: str, spoil: Break, said: str
) -> None:
    image = spoil(image) or image

    result = verdict(image, name)

    assert not result.right
    assert said in result.found


_NM = "etc/systemd/system/multi-user.target.wants/NetworkManager.service"
_RENDERERS = "system_info: {network: {renderers: [sysconfig, network-manager]}}\n"

BROKEN_EL: list[tuple[str, Break, str]] = [
    ("SELinux labels", unlabelled("usr/bin/growpart"), "/usr/bin/growpart, and nothing will"),
    ("SELinux labels", unlabelled("etc/resolv.conf"), "1 of "),
    ("SELinux labels", relabelled_by_the_first_boot("enforcing"), "the first boot starts nothing"),
    ("boot entries", without(f"boot/vmlinuz-{KERNEL}"), "which is missing"),
    ("boot entries", without(ENTRY), "no /boot/loader"),
    ("boot entries", entry("5.14.0-1", linux="\t/boot/gone"), "/boot/gone, which is missing"),
    ("boot entries", entry("5.14.0-1", options="root=LABEL=no\n# root=LABEL="), "has no root="),
    ("entries' id", without("etc/machine-info"), "no KERNEL_INSTALL_MACHINE_ID"),
    ("entries' id", file("etc/machine-info", "PRETTY_HOSTNAME=x\n"), "no KERNEL_INSTALL"),
    (
        "entries' id",
        file("etc/machine-info", f"KERNEL_INSTALL_MACHINE_ID={'0' * 32}\n"),
        "is not 0",
    ),
    ("entries' id", file(f"boot/loader/entries/{'0' * 32}-5.conf"), "0-5.conf is not f"),
    ("entries' id", file("boot/loader/entries/5.14.0.conf"), "5.14.0.conf is not f"),
    (
        "newest kernel",
        default("RHEL"),
        f"/boot/vmlinuz-{KERNEL} is booted, /boot/vmlinuz-6.1.0-124",
    ),
    ("newest kernel", rescue_only, "no entry but for rescue"),
    ("IPL hook in initramfs", hook_that_nobody_runs, "20-dpm-ipl.sh is never run"),
    ("sysconfig", file("etc/sysconfig/network-scripts/ifcfg-enc1"), "ifcfg-enc1"),
    ("sysconfig", file("etc/sysconfig/network", "HOSTNAME=builder\n"), "HOSTNAME"),
    ("device lists", file("etc/zfcp.conf", "0.0.1900 0x50 0x40\n"), "0.0.1900"),
    ("device lists", file("etc/dasd.conf", "0.0.0100\n"), "0.0.0100"),
    ("device lists", file("etc/udev/rules.d/41-zfcp-host-0.0.1900.rules"), "41-zfcp"),
    ("subscription", file("etc/pki/consumer/cert.pem"), "cert.pem"),
    ("subscription", file("etc/yum.repos.d/redhat.repo"), "redhat.repo"),
    ("interfaces by MAC", file("etc/cloud/cloud.cfg.d/99.cfg", _RENDERERS), "sysconfig"),
    ("interfaces by MAC", without("etc/cloud/cloud.cfg.d/96-rhel-dpm.cfg"), "its default"),
    ("interfaces by MAC", without("usr/libexec/rhel-dpm/interfaces-by-mac"), "not a program"),
    (
        "interfaces by MAC",
        without("etc/systemd/system/cloud-init-local.service.d/rhel-dpm.conf"),
        "does not run",
    ),
    ("interfaces by MAC", without(_NM), "not enabled"),
    (
        "interfaces by MAC",
        file("etc/NetworkManager/conf.d/99.conf", "[keyfile]\nunmanaged-devices=type:ethernet\n"),
        "unmanaged-devices",
    ),
    (
        "interfaces by MAC",
        file("etc/NetworkManager/conf.d/99.conf", "[device-enc]\nmanaged=0\n"),
        "not managed",
    ),
    ("later kernels", file("etc/kernel/cmdline", "root=/dev/vda1\n"), "root=/dev/vda1"),
    ("later kernels", file("etc/dracut.conf.d/90-rhel-dpm.conf", 'hostonly="no"\n'), "dpm"),
    (
        "later kernels",
        file("etc/dracut.conf.d/90-rhel-dpm.conf", 'add_dracutmodules+=" dpm "\n'),
        "hostonly",
    ),
    (
        "later kernels",
        file("etc/dracut.conf.d/99.conf", 'omit_dracutmodules+=" multipath "\n'),
        "multipath",
    ),
]


@pytest.mark.parametrize(
    ("name", "spoil", "said"),
    [
        pytest.param(
            name,
            spoil,
            said,
            id=f"{name}: {said}",
            marks=[needs_labels] if name == "SELinux labels" else [],
        )
        for name, spoil, said in BROKEN_EL
    ],
)
def test_a_broken_el_image_is_refused(el: Image, name: str, spoil: Break, said: str) -> None:
    image = spoil(el) or el

    result = verdict(image, name)

    assert not result.right
    assert said in result.found


@needs_labels
@pytest.mark.parametrize(
    ("make", "found"),
    [
        (relabelled_by_the_first_boot("permissive"), "permissive; the first boot labels all files"),
        (
            relabelled_by_the_first_boot(
                "enforcing", "lib/dracut/hooks/pre-pivot/50-selinux-loadpolicy.sh"
            ),
            "enforcing; the first boot labels all files",
        ),
        (file("etc/selinux/config", "SELINUX=disabled\n"), "SELinux is off"),
        (unlabelled("boot/initrd.img"), "enforcing; "),
        (unlabelled_debug_file, "enforcing; "),
    ],
    ids=["permissive", "dracut's module", "off", "elsewhere", "none by policy"],
)
def test_an_image_without_labels_is_right_where_it_boots(
    el: Image, make: Break, found: str
) -> None:
    make(el)

    result = verdict(el, "SELinux labels")

    assert result.right, result.found
    assert result.found.startswith(found)


def test_a_boot_of_an_older_kernel_by_its_own_name_is_right_where_it_is_the_newest(
    el: Image,
) -> None:
    entry("5.14.0-9-s390x")(el)

    assert verdict(el, "newest kernel") == verify.Result("newest kernel", True, f"vmlinuz-{KERNEL}")


def test_every_check_is_shown_to_fail() -> None:
    shown = {name for name, _, _ in (*BROKEN, *BROKEN_EL)}

    assert {one.name for one in CHECKS} == shown


def test_a_distribution_that_cannot_be_read_is_a_wrong_one_and_the_rest_is_checked(
    image: Image,
) -> None:
    (image.root / "etc/os-release").unlink()
    os.mkfifo(image.root / "etc/os-release")

    results = verify.examine(image, [one for one in CHECKS if one.name == "machine-id"])

    assert results == [
        verify.Result("distribution", False, "etc/os-release is a pipe, not a file"),
        verify.Result("machine-id", True, "empty"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "- no mapping\n",
        "a: &a [x]\n" + "b: *a\n" * 20,
        "[" * 10_000,
        "x: 2026-99-99\n",
        "datasource_list: {a: b}\n",
        "cloud_init_modules: 1\n",
    ],
    ids=["list", "aliases", "deep", "no date", "no list", "number"],
)
def test_a_configuration_of_any_shape_is_a_row(image: Image, text: str) -> None:
    write(image.root, "etc/cloud/cloud.cfg.d/99.cfg", text)

    assert {verdict(image, name).right for name in ("datasources", "growth")} >= {False}


def test_links_are_followed_inside_the_image(image: Image) -> None:
    fakeroot.link(image.root, "etc/outside", "/etc/../../../../etc/fstab")

    assert image.tree.path("etc/outside") == image.root / "etc/fstab"
    assert image.tree.path("bin/growpart") == image.root / "usr/bin/growpart"


def test_a_check_that_cannot_read_a_file_is_a_wrong_one(image: Image) -> None:
    def unreadable(image: Image) -> str:
        return (image.root / "missing").read_text()

    (result,) = verify.examine(image, [Check("missing", unreadable, frozenset())])

    assert not result.right
    assert "missing" in result.found


def test_the_table_has_a_line_for_each_check() -> None:
    results = [verify.Result("logs", True, "no log lines"), verify.Result("agent", False, "gone")]

    assert verify.shown(results).splitlines() == [
        "CHECK  VERDICT  FOUND",
        "logs   ok       no log lines",
        "agent  WRONG    gone",
    ]
