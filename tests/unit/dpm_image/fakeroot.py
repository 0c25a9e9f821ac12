"""A folder that passes for the root of an image: everything that ``dpm-image verify`` looks at.

The texts are those of a built Debian image, shortened; the EL parts follow RHEL 9's layout.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from dpm_image.verify.checks import Image
from dpm_lab.source import CHECKOUT
from tests.unit.dpm_lab.guests.disks import LABEL

PARAMETERS = f"root=LABEL={LABEL} console=ttyS0 console=ttysclp0"
KERNEL = "6.1.0-50-s390x"

#: The id in the names of EL's entries, and the one entry.
ID = "f" * 32
ENTRY = f"boot/loader/entries/{ID}-{KERNEL}.conf"

_DRIVERS = ("zfcp", "sd_mod", "dasd_mod", "dasd_eckd_mod", "virtio_blk", "nvme", "ext4")

#: Version, standard library, pyudev and what is said of it, libraries: of Debian 12 and RHEL 9.
_PYTHON = {
    "debian": (
        "3.11",
        "usr/lib/python3.11",
        "usr/lib/python3/dist-packages",
        "pyudev-0.24.0.egg-info",
        "usr/lib/s390x-linux-gnu",
    ),
    "el": (
        "3.9",
        "usr/lib64/python3.9",
        "usr/lib/python3.9/site-packages",
        "pyudev-0.22.0-py3.9.egg-info",
        "usr/lib64",
    ),
}

_TEXTS = {
    "etc/machine-id": "",
    "etc/fstab": f"LABEL={LABEL} / ext4 defaults 0 1\n",
    "etc/shadow": "root:*:19000:0:99999:7:::\nsshd:!:19000::::::\n",
    "etc/cloud/cloud.cfg": "cloud_init_modules:\n - migrator\n - [growpart, always]\n - resizefs\n",
    "etc/cloud/cloud.cfg.d/95-dpm-guest.cfg": "datasource_list: [ ConfigDrive, OpenStack, None ]\n"
    "updates: {network: {when: [boot-new-instance, boot, boot-legacy]}}\n",
    "etc/cloud/ds-identify.cfg": "# why\npolicy: enabled\n",
    "usr/bin/growpart": "#!/bin/sh\n",
    "usr/sbin/sfdisk": "",
    "usr/sbin/resize2fs": "",
    "var/log/dpkg.log": "",
    "var/lib/apt/lists/lock": "",
    f"boot/vmlinuz-{KERNEL}": "kernel",
    f"usr/lib/modules/{KERNEL}/modules.builtin": "kernel/drivers/s390/cio/qdio.ko\n",
}

_DEBIAN = {
    "etc/os-release": 'ID=debian\nVERSION_ID="12"\n',
    "etc/zipl.conf": "[defaultboot]\ndefault = linux\n\n[linux]\ntarget = /boot\n"
    f'image = /boot/vmlinuz\nramdisk = /boot/initrd.img\nparameters = "{PARAMETERS}"\n',
}

_EL = {
    "etc/kernel/cmdline": f"{PARAMETERS}\n",
    "etc/sysconfig/network": "NETWORKING=yes\nNOZEROCONF=yes\n",
    "etc/zfcp.conf": "# none\n",
    "etc/dracut.conf.d/90-rhel-dpm.conf": 'hostonly="no"\nadd_dracutmodules+=" dpm "\n',
    "etc/cloud/cloud.cfg.d/96-rhel-dpm.cfg": "system_info:\n  network:\n"
    "    renderers: [network-manager]\n",
    "etc/systemd/system/cloud-init-local.service.d/rhel-dpm.conf": "[Service]\n"
    "ExecStartPost=/usr/libexec/rhel-dpm/interfaces-by-mac\n",
    "usr/libexec/rhel-dpm/interfaces-by-mac": "#!/bin/bash\n",
    "usr/lib/NetworkManager/conf.d/10-server.conf": "[main]\nplugins=keyfile\n",
    "etc/os-release": 'ID="rhel"\nID_LIKE="fedora"\nVERSION_ID="9.4"\n',
    "etc/selinux/config": "SELINUX=enforcing\nSELINUXTYPE=targeted\n",
    "etc/machine-info": f"KERNEL_INSTALL_MACHINE_ID={ID}\n",
    "etc/zipl.conf": "[defaultboot]\ndefaultauto\nprompt = 0\ntarget = /boot\n",
    ENTRY: f"title RHEL\nversion {KERNEL}\n"
    f"linux /boot/vmlinuz-{KERNEL}\ninitrd /boot/initrd.img-{KERNEL}\noptions {PARAMETERS}\n",
}

#: The hook in an initial RAM disk of initramfs-tools, and of dracut with what asks for its queue.
_HOOK = {
    "debian": ["scripts/init-premount/dpm-ipl"],
    "el": ["var/lib/dracut/hooks/initqueue/20-dpm-ipl.sh", "usr/lib/dracut/need-initqueue"],
}


def image(folder: Path, *, family: str = "debian") -> Image:
    """Make a right image of `family` below `folder`."""
    root = folder / "root"
    for name, text in (_TEXTS | (_EL if family == "el" else _DEBIAN)).items():
        write(root, name, text)
    link(root, "etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf")
    link(root, "boot/vmlinuz", f"vmlinuz-{KERNEL}")
    link(root, "boot/initrd.img", f"/boot/initrd.img-{KERNEL}")
    link(root, "bin", "usr/bin")
    link(root, "sbin", "/usr/sbin")
    link(root, "lib", "usr/lib")
    initramfs(root, [*modules(_DRIVERS), *_HOOK[family]])

    if family == "el":
        (root / "usr/libexec/rhel-dpm/interfaces-by-mac").chmod(0o755)
        link(
            root,
            "etc/systemd/system/multi-user.target.wants/NetworkManager.service",
            "/usr/lib/systemd/system/NetworkManager.service",
        )
    agent = _agent()
    shutil.copytree(agent, root, dirs_exist_ok=True)
    python(root, family)
    link(
        root,
        "etc/systemd/system/sysinit.target.wants/dpm-guest.service",
        "/lib/systemd/system/dpm-guest.service",
    )
    if family == "el":
        label(root)
    return Image(
        root=root,
        info={
            "format": "qcow2",
            "actual-size": 150 * 2**20,
            "format-specific": {"data": {"compression-type": "zstd"}},
        },
        map=[{"length": 400 * 2**20, "data": True}, {"length": 2**30, "data": False}],
        label=LABEL,
        used=390 * 2**20,
        agent=agent,
    )


def label(root: Path) -> None:
    """Give all files an SELinux label. That takes root: for others, SELinux is off."""
    if os.geteuid() != 0:
        write(root, "etc/selinux/config", "SELINUX=disabled\n")
        return
    for path in root.rglob("*"):
        os.setxattr(path, "security.selinux", b"etc_t\0", follow_symlinks=False)


def python(root: Path, family: str) -> None:
    """Put Python and pyudev in, where the family has them: what is read of pyudev is real."""
    version, library, modules, information, libraries = _PYTHON[family]
    program = root / f"usr/bin/python{version}"
    program.write_bytes(b"\x7fELF\2\2\1".ljust(18, b"\0") + (22).to_bytes(2, "big"))
    program.chmod(0o755)
    link(root, "usr/bin/python3", program.name)
    here = Path(sysconfig.get_path("stdlib"))
    for name in sys.stdlib_module_names:
        for file in (f"{name}.py", f"{name}/__init__.py"):
            if (here / file).is_file():
                write(root, f"{library}/{file}", "")
    write(root, f"{library}/lib-dynload/_ctypes.cpython-s390x-linux-gnu.so", "")
    found = importlib.util.find_spec("pyudev")
    assert found is not None
    assert found.origin is not None
    leave = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(found.origin).parent, root / modules / "pyudev", ignore=leave)
    write(root, f"{modules}/{information}/PKG-INFO", "")
    write(root, f"{libraries}/libudev.so.1.7.5", "")
    link(root, f"{libraries}/libudev.so.1", "libudev.so.1.7.5")


@cache
def _agent() -> Path:
    # Made once: it takes longer than everything else together.
    folder = Path(tempfile.mkdtemp(prefix="dpm-agent-"))
    atexit.register(shutil.rmtree, folder)
    subprocess.run([CHECKOUT / "tools/install-guest", folder], check=True)
    compileall(folder / "usr/lib/dpm-guest", "unchecked-hash")
    return folder


def write(root: Path, name: str, text: str) -> None:
    """Write a file of the image."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def link(root: Path, name: str, target: str) -> None:
    """Make a link in the image."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def modules(names: Iterable[str]) -> list[str]:
    """Return where an initial RAM disk has these kernel modules."""
    return [f"usr/lib/modules/{KERNEL}/kernel/drivers/{name}.ko" for name in names]


def initramfs(root: Path, names: Iterable[str]) -> None:
    """Write an initial RAM disk (not compressed) with empty files of these names."""
    path = root / f"boot/initrd.img-{KERNEL}"
    path.write_bytes(cpio(names))


def cpio(names: Iterable[str]) -> bytes:
    """Return a "newc" archive of empty files."""
    archive = b""
    for name in [*names, "TRAILER!!!"]:
        fields = [0] * 13
        fields[11] = len(name) + 1
        entry = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
        archive += entry.ljust(-(-len(entry) // 4) * 4, b"\0")
    return archive


def compileall(folder: Path, mode: str) -> None:
    """Compile the Python files below `folder`."""
    command = [sys.executable, "-m", "compileall", "-q", "-f", "--invalidation-mode", mode]
    subprocess.run([*command, folder], check=True)
