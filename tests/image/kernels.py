"""What becomes of kernels in a guest's life: steps that a booted guest of EL's shape is given.

``kernel-install`` is called as the scriptlets of ``kernel-core`` call it, and with it the plug-ins
of ``image-build/testing/el-base``, and zipl. The kernels are copies of the image's own under other
names, each with its name at its end, so that the boot map tells them apart.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from dpm_lab.guests.disk import bootrecord
from dpm_lab.guests.qemu.prepare import Step

#: Later kernels of each release, the newer one last. Compared as text, the older one is the newer.
LATER = {
    "9": ("6.1.0-70.13.1.el9_6.s390x", "6.1.0-570.12.1.el9_6.s390x"),
    "10": ("6.13.0-55.9.1.el10_0.s390x", "6.13.0-124.8.1.el10_1.s390x"),
}

#: A parameter that comes with the last kernel, by which its boot is known.
MARK = "dpm.last_kernel=1"

_FOLDER = "/run/boot-map"

#: What :mod:`dpm_lab.guests.disk.bootrecord` imports, in so many words.
_RAWDISK = "SECTOR = 512\nclass DiskError(Exception): pass\n"

#: The new kernel is newest in ``/boot`` before zipl reads it; what the page cache has of the disk,
#: the file system has written past.
_MAP = (
    f"sync; echo 3 >/proc/sys/vm/drop_caches; python3 {_FOLDER}/boot_map.py /dev/vda;"
    " ls /boot/loader/entries; grep ^default= /etc/zipl.conf"
)

_MODULES = (
    "set -e; first=$(uname -r); cd /lib/modules/$first; mkdir /lib/modules/{name};"
    # Those that are in use: all of them would be minutes of depmod.
    " for file in modules.* $(cut -d' ' -f1 /proc/modules | xargs modinfo -n |"
    ' sed "s,.*/modules/$first/,,"); do'
    " cp --archive --link --parents $file /lib/modules/{name}; done;"
    " (cat vmlinuz; echo this is {name}) >/lib/modules/{name}/vmlinuz; "
)

# Package and plug-in take the first kernel's modules along. A copy of it that is booted asks for
# them under that name; another kernel would ask for those of its own.
_REMOVED = (
    "first=$(uname -r); kernel-install remove $first &&"
    " rm -r /lib/modules/$first && ln -s {name} /lib/modules/$first"
)


@dataclass(frozen=True)
class Life:
    """The steps, and what the boot map has to boot after each."""

    steps: tuple[Step, ...]
    #: By the name of a step: the kernel, or nothing for the image's own.
    booted_after: dict[str, str]


def life(release: str) -> Life:
    """Return a kernel's life in a server: installed again, two later ones, its end."""
    older, newer = LATER[release]
    add = "kernel-install add {name} /lib/modules/{name}/vmlinuz"
    mark = f"sed -i 's/$/ {MARK}/' /etc/kernel/cmdline; "
    acts = {
        "image": "true",
        "again": f"name=$(uname -r); {add}".replace("{name}", "$name"),
        "later": (_MODULES + add).format(name=older),
        "newest": mark + (_MODULES + add).format(name=newer),
        "removed": _REMOVED.format(name=newer),
    }
    steps = [Step("reader", _reader())]
    for name, act in acts.items():
        steps += [Step(name, f"({act}) 2>&1"), Step(f"map {name}", _MAP)]
    after = {"image": "", "again": "", "later": older, "newest": newer, "removed": newer}
    return Life(tuple(steps), after)


def loaded(answer: str) -> list[str]:
    """Return the kernels that the boot map loads, of an answer to a step ``map ...``."""
    names = (line.removeprefix("loads ") for line in answer.splitlines() if line[:6] == "loads ")
    return [name for name in names if name.startswith("vmlinuz-")]


def append_archive(initrd: Path, archive: Path) -> None:
    """Append a cpio archive that the kernel unpacks over those of an initial RAM disk."""
    # The kernel takes archives one after the other, each at a multiple of four bytes.
    with initrd.open("ab") as file:
        file.write(b"\0" * (-file.tell() % 4) + archive.read_bytes())


def _reader() -> str:
    files = {
        "boot_map.py": Path(__file__).with_name("boot_map.py").read_text(encoding="utf-8"),
        "dpm_lab/guests/disk/rawdisk.py": _RAWDISK,
        "dpm_lab/guests/disk/bootrecord.py": Path(bootrecord.__file__).read_text(encoding="utf-8"),
    }
    lines = [f"mkdir -p {_FOLDER}/dpm_lab/guests/disk"]
    for name, text in files.items():
        coded = base64.b64encode(text.encode()).decode("ascii")
        lines.append(f"echo {coded} | base64 --decode >{_FOLDER}/{name}")
    return "; ".join(lines)
