"""What lies on top of the base system: our agent as it is installed, and the guest's own programs.

Small and quick to make, so a changed agent costs seconds and no new base system.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from dpm_lab import cache
from dpm_lab.guests.hercules.base import Base, compile_python
from dpm_lab.guests.hercules.cpio import Archive
from dpm_lab.process import run
from dpm_lab.source import CHECKOUT

_GUEST = Path(__file__).parent / "guest"
#: ``MACAddressPolicy=persistent`` makes its MACs from the machine's id, and systemd would ask for
#: what is missing in a first boot.
_MACHINE_ID = "6470d6c6162006f736100000000000aa"
#: Units that take time in emulation and that nobody here needs.
_MASKED = (
    "getty-static.service",
    "getty@tty1.service",
    "ldconfig.service",
    "modprobe@configfs.service",
    "modprobe@dm_mod.service",
    "modprobe@drm.service",
    "modprobe@efi_pstore.service",
    "modprobe@fuse.service",
    "modprobe@loop.service",
    "serial-getty@.service",
    "systemd-firstboot.service",
    "systemd-hwdb-update.service",
    "systemd-journal-catalog-update.service",
    "systemd-machine-id-commit.service",
    "systemd-networkd.service",
    "systemd-pcrphase.service",
    "systemd-timesyncd.service",
    "systemd-update-done.service",
    "systemd-logind.service",
    "systemd-user-sessions.service",
    "systemd-vconsole-setup.service",
)
_SYSTEM = "etc/systemd/system"


def get(base: Base) -> Path:
    """Return the archive of this checkout's agent for a base system, making it where it is new.

    Raises:
        ToolError: ``tools/install-guest`` failed.
    """
    with tempfile.TemporaryDirectory(prefix="dpm-lab-") as temporary:
        root = Path(temporary)
        run([str(CHECKOUT / "tools/install-guest"), temporary], "is this a whole checkout?")
        files = sorted(path for path in root.rglob("*") if path.is_file())
        own = sorted(path for path in _GUEST.iterdir() if path.is_file())
        parts = [f"{path.name}\n".encode() + path.read_bytes() for path in own]
        parts += [f"{path.relative_to(root)}\n".encode() + path.read_bytes() for path in files]
        folder = cache.folder(
            "osa", f"layer-{cache.key(base.folder.name, cache.program(__file__), *parts)}"
        )
        with cache.made_once(folder) as new:
            if new is not None:
                compile_python(base.interpreter, root / "usr/lib/dpm-guest")
                with (new / "layer.cpio").open("wb") as stream:
                    archive = Archive(stream)
                    _add(archive, root)
                    archive.close()
    return folder / "layer.cpio"


def _add(archive: Archive, root: Path) -> None:
    for path in sorted(root.rglob("*")):
        if path.is_file():
            mode = 0o755 if os.access(path, os.X_OK) else 0o644
            archive.file(str(path.relative_to(root)), path.read_bytes(), mode)
    _enable(archive, root / "usr/lib/systemd/system/dpm-guest.service")
    for name, place in (
        ("init", "usr/lib/dpm-lab/init"),
        ("runner", "usr/lib/dpm-lab/runner"),
        ("50-dpm-lab.rules", "usr/lib/udev/rules.d/50-dpm-lab.rules"),
        ("dpm-lab-runner.service", f"{_SYSTEM}/dpm-lab-runner.service"),
    ):
        path = _GUEST / name
        archive.file(place, path.read_bytes(), path.stat().st_mode & 0o777)
    _enable(archive, _GUEST / "dpm-lab-runner.service")
    for name in _MASKED:
        archive.link(f"{_SYSTEM}/{name}", "/dev/null")
    archive.link(f"{_SYSTEM}/default.target", "/usr/lib/systemd/system/multi-user.target")
    archive.file("etc/machine-id", f"{_MACHINE_ID}\n".encode())
    archive.file("etc/hostname", b"lab\n")
    archive.file("etc/shadow", b"root:*:19000::::::\n", 0o600)


def _enable(archive: Archive, unit: Path) -> None:
    """What ``systemctl preset`` does with a unit that is to be enabled."""
    text = unit.read_text(encoding="utf-8")
    for targets in re.findall(r"^WantedBy=(.*)$", text, re.MULTILINE):
        for target in targets.split():
            where = f"{_SYSTEM}/{target}.wants/{unit.name}"
            source = _SYSTEM if unit.parent == _GUEST else "usr/lib/systemd/system"
            archive.link(where, f"/{source}/{unit.name}")
