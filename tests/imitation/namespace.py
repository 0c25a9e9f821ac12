"""What surrounds one machine: mounts that hide the host from udevd and udevd from the host."""

from __future__ import annotations

import ctypes
import os
import shutil
import stat
import sys
from pathlib import Path

IMITATION = Path("/run/imitation")
PROGRAMS = Path("/run/programs")
RULES = Path("/usr/lib/udev/rules.d")
# The distribution's rules that a network interface meets. Others would let this udevd load drivers
# for the host's devices, whose uevents reach every network namespace.
NET_RULES = (
    "73-special-net-names.rules",
    "75-net-description.rules",
    "80-net-setup-link.rules",
    "99-systemd.rules",
)
# For MACAddressPolicy=persistent: the same addresses on every host.
MACHINE_ID = "0123456789abcdef0123456789abcdef\n"

_DEVICES = {"null": (1, 3), "zero": (1, 5), "random": (1, 8), "urandom": (1, 9), "fuse": (10, 229)}
_MS_BIND, _MS_NOSUID, _MNT_DETACH = 0x1000, 0x2, 0x2

# modprobe's own words (kmod 30) when a module is not there.
_MODPROBE = """#!/bin/sh
# Stands in for modprobe: the imitation's kernel loads the module, or lacks it.
all= modules=
for word; do
    case $word in
        -a | --all) all=yes ;;
        -*) ;;
        *) modules="$modules $word" ;;
    esac
done
for module in $modules; do
    if ! printf %s "$module" 2>/dev/null > /run/imitation/control/modprobe; then
        echo "modprobe: FATAL: Module $module not found in directory /lib/modules/6.1.0-s390x" >&2
        exit 1
    fi
    # Without -a the words after the first are parameters.
    [ -n "$all" ] || break
done
"""


def missing() -> list[str]:
    """What this host lacks for an imitation, in words."""
    lacks = []
    if sys.platform != "linux" or os.geteuid() != 0:
        lacks.append("root on Linux")
    if not Path("/dev/fuse").exists():
        lacks.append("/dev/fuse (FUSE in the kernel)")
    if not Path("/etc/machine-id").exists():
        lacks.append("/etc/machine-id (systemd-machine-id-setup)")
    if udevd() is None:
        lacks.append("systemd-udevd (package udev)")
    packages = {
        "ip": "iproute2",
        "udevadm": "udev",
        "unshare": "util-linux",
        "nsenter": "util-linux",
    }
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    lacks.extend(
        f"{name} (package {package})"
        for name, package in packages.items()
        if shutil.which(name, path=path) is None
    )
    try:
        import mfusepy  # noqa: F401
    except (ImportError, OSError) as error:
        lacks.append(f"mfusepy with libfuse (package libfuse2 or libfuse3-3: {error})")
    return lacks


def udevd() -> str | None:
    places = ("/usr/lib/systemd/systemd-udevd", "/lib/systemd/systemd-udevd")
    return next((place for place in places if Path(place).exists()), None)


def furnish(rules: dict[str, str]) -> None:
    """Mounts the machine's own /proc, /sys, /run and /dev, and lays out its udev rules."""
    distribution = {name: (RULES / name).read_text() for name in NET_RULES}
    _let_go()
    _mount("proc", "/proc", "proc")
    _mount("sysfs", "/sys", "sysfs")
    _mount("tmpfs", "/run", "tmpfs")
    for place in ("udev", "systemd/network"):
        Path("/run", place).mkdir(parents=True)
    # Settings of the host's administrator are none of the machine's.
    for place in ("/etc/udev", "/etc/systemd/network", "/usr/local/lib/udev", str(RULES)):
        if Path(place).is_dir():
            _mount("tmpfs", place, "tmpfs")
    for name, text in {**distribution, **rules}.items():
        (RULES / name).write_text(text)
    Path("/run/machine-id").write_text(MACHINE_ID)
    _mount("/run/machine-id", "/etc/machine-id", "", _MS_BIND)
    _private_dev()
    IMITATION.mkdir()
    PROGRAMS.mkdir()
    (PROGRAMS / "modprobe").write_text(_MODPROBE)
    (PROGRAMS / "modprobe").chmod(0o755)


def _let_go() -> None:
    """Drops the copies of mounts that this namespace has no use for: someone else's file system,
    such as a disk image under construction, must not stay busy because a machine runs here."""
    needed = [Path(place) for place in (sys.prefix, sys.base_prefix, __file__, "/usr/lib", "/etc")]
    mounted = Path("/proc/self/mounts").read_text("utf-8", errors="surrogateescape").splitlines()
    for target in reversed([Path(line.split()[1].replace("\\040", " ")) for line in mounted]):
        if not any(place.is_relative_to(target) for place in needed):
            _libc().umount2(os.fsencode(target), _MNT_DETACH)


def _private_dev() -> None:
    """A /dev in which this udevd finds none of the host's device nodes."""
    _mount("tmpfs", "/dev", "tmpfs", flags=_MS_NOSUID)
    for name, (major, minor) in _DEVICES.items():
        os.mknod(f"/dev/{name}", stat.S_IFCHR | 0o666, os.makedev(major, minor))
    for name, target in (("fd", "self/fd"), ("stdout", "self/fd/1"), ("stderr", "self/fd/2")):
        Path("/dev", name).symlink_to(f"/proc/{target}")


def _mount(source: str, target: str, kind: str, flags: int = 0) -> None:
    if _libc().mount(source.encode(), target.encode(), kind.encode(), flags, None):
        number = ctypes.get_errno()
        raise OSError(number, f"mount {kind or source} on {target}: {os.strerror(number)}")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
