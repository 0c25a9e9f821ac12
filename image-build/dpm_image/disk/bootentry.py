"""What an image's boot loader would boot: kernel, initial RAM disk and kernel parameters.

Read as ``zipl`` reads it: the sections of ``/etc/zipl.conf`` (Debian), and entries of the Boot
Loader Specification (EL) in ``/boot/loader/entries``, which are sections too, by their titles.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from dpm_image.disk import ziplconf
from dpm_image.disk.files import Files
from dpm_image.disk.rootfs import mounted
from dpm_image.disk.versions import in_zipls_order
from dpm_image.disk.ziplconf import Section
from dpm_image.errors import ImageError
from dpm_lab.errors import LabError
from dpm_lab.guests.disk.apart import apart
from dpm_lab.guests.disk.rawdisk import exported
from dpm_lab.guests.qemu.machine import DirectKernel

#: Entries of the Boot Loader Specification.
ENTRIES = "boot/loader/entries/*.conf"

#: Where zipl looks for its configuration, one after the other (zipl.conf(5)).
_ZIPL = ("/etc/zipl.conf", "/usr/lib/s390-tools/zipl.conf", "/lib/s390-tools/zipl.conf")

#: A line of an entry: a key, blanks or tabs, and all that follows (scan.c: scan_bls_field).
_FIELD = re.compile(r"[ \t]*([A-Za-z0-9_-]+)[ \t]+(.*?)[ \t]*")

#: Entries of other machines have their parameters in this variable, in GRUB's environment. On s390x
#: nothing expands it: it reaches the kernel as it is, and the root device does not.
VARIABLE = "$kernelopts"

#: More than any kernel or initial RAM disk has: a partition's memory has to hold them.
FILE_LIMIT = 2**30

#: COMMAND_LINE_SIZE of s390x, arch/s390/include/asm/setup.h.
_PARAMETERS_LIMIT = 4096


@dataclass(frozen=True)
class BootEntry:
    """One thing to boot; the paths are absolute in the image."""

    kernel: str
    initrd: str
    parameters: str


class BootEntryError(ImageError):
    """An image does not say what to boot, or names files that it does not have."""


def read_entry(files: Files) -> BootEntry:
    """Return what the boot loader in an image boots by default."""
    names = in_zipls_order(files.matching(ENTRIES))
    config = next((name for name in _ZIPL if files.exists(name)), None)
    if not names and config is None:
        raise BootEntryError(
            f"it has neither /{ENTRIES} nor {_ZIPL[0]}; was it built with the element zipl-dpm?"
        )
    try:
        configuration = ziplconf.parse(files.read(config) if config else "")
        section = ziplconf.default(configuration, [_entry(files, name) for name in names])
    except ziplconf.ZiplConfError as error:
        raise BootEntryError(f"{config or ENTRIES}: cannot tell what it boots: {error}") from error
    return _boots(files, section)


def fields(text: str) -> dict[str, str]:
    """Return what an entry of the Boot Loader Specification says, by its keys."""
    lines = (line for line in text.splitlines() if not line.lstrip(" \t").startswith("#"))
    return {match[1]: match[2] for line in lines if (match := _FIELD.fullmatch(line))}


def _entry(files: Files, name: str) -> Section:
    said = fields(files.read(name))
    keywords = {"parameters": said.get("options", "")}
    for keyword, key in {"image": "linux", "ramdisk": "initrd"}.items():
        if words := said.get(key, "").split():
            keywords[keyword] = _on_root(files, words[0])
    return Section(said.get("title", name), keywords)


def _boots(files: Files, section: Section) -> BootEntry:
    keywords = section.keywords
    if "ramdisk" not in keywords:
        raise BootEntryError(f"[{section.name}] has no ramdisk")
    # Where zipl is told the addresses to load them at, they follow a comma.
    image, ramdisk, parmfile = (
        keywords.get(name, "").partition(",")[0] for name in ("image", "ramdisk", "parmfile")
    )
    words = [keywords.get("parameters", "")]
    if parmfile:
        if not files.exists(parmfile):
            raise BootEntryError(f"[{section.name}] names {parmfile}, which is not in the image")
        words.insert(0, re.sub(r"\n+", " ", files.read(parmfile)))
    return BootEntry(image, ramdisk, " ".join(filter(None, (word.strip() for word in words))))


def extract(image: Path, folder: Path) -> DirectKernel:
    """Copy kernel and initial RAM disk out of the qcow2 `image` into `folder`."""
    with apart(), exported(image) as raw, mounted(raw, image) as root:
        files = Files(root)
        try:
            entry = read_entry(files)
            _check(entry.parameters)
            kernel = _copy(files, entry.kernel, folder / "kernel")
            initrd = _copy(files, entry.initrd, folder / "initrd")
        except (LabError, ValueError) as error:
            raise BootEntryError(f"{image}: {error}") from error
    return DirectKernel(kernel, initrd, entry.parameters)


def _check(parameters: str) -> None:
    if not parameters.isprintable() or len(parameters) > _PARAMETERS_LIMIT:
        raise BootEntryError("its kernel parameters are no line of text that a kernel takes")
    if VARIABLE in parameters.split():
        raise BootEntryError(f"its kernel parameters have {VARIABLE}, which zipl does not expand")


def _copy(files: Files, name: str, target: Path) -> Path:
    if not files.exists(name):
        raise BootEntryError(f"its boot loader names {name}, which is not in the image")
    with files.open(name, FILE_LIMIT) as source, target.open("xb") as sink:
        shutil.copyfileobj(source, sink)
    return target


def _on_root(files: Files, name: str) -> str:
    # Where /boot is a file system of its own, entries name files from its top.
    if not files.exists(name) and not name.startswith("/boot/"):
        return "/boot/" + name.lstrip("/")
    return name
