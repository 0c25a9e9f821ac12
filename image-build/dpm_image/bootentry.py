"""What an image's boot loader would boot: kernel, initial RAM disk and kernel parameters.

Read from where ``zipl`` reads it: entries of the Boot Loader Specification (EL) in
``/boot/loader/entries``, else the default section of ``/etc/zipl.conf`` (Debian).
"""

from __future__ import annotations

import shutil
from configparser import ConfigParser
from configparser import Error as ConfigError
from dataclasses import dataclass
from pathlib import Path

from dpm_image.apart import apart
from dpm_image.errors import ImageError
from dpm_image.files import Files
from dpm_image.rawdisk import exported
from dpm_image.rootfs import mounted

#: Entries of the Boot Loader Specification.
ENTRIES = "boot/loader/entries/*.conf"
_ZIPL = "/etc/zipl.conf"

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


@dataclass(frozen=True)
class Extracted:
    """Kernel and initial RAM disk as files of this machine, and the kernel parameters."""

    kernel: Path
    initrd: Path
    parameters: str


class BootEntryError(ImageError):
    """An image does not say what to boot, or names files that it does not have."""


def read_entry(files: Files) -> BootEntry:
    """Return what the boot loader in an image boots by default."""
    entries = files.matching(ENTRIES)
    if entries:
        # zipl takes the newest of equals; the file names carry the kernel's version.
        return _from_bls(files, entries[-1])
    if files.exists(_ZIPL):
        return _from_zipl(files.read(_ZIPL))
    raise BootEntryError(
        f"it has neither /{ENTRIES} nor {_ZIPL}; was it built with the element zipl-dpm?"
    )


def extract(image: Path, folder: Path) -> Extracted:
    """Copy kernel and initial RAM disk out of the qcow2 `image` into `folder`."""
    with apart(), exported(image) as raw, mounted(raw, image) as root:
        files = Files(root)
        try:
            entry = read_entry(files)
            _check(entry.parameters)
            kernel = _copy(files, entry.kernel, folder / "kernel")
            initrd = _copy(files, entry.initrd, folder / "initrd")
        except (ImageError, ValueError) as error:
            raise BootEntryError(f"{image}: {error}") from error
    return Extracted(kernel, initrd, entry.parameters)


def _check(parameters: str) -> None:
    if not parameters.isprintable() or len(parameters) > _PARAMETERS_LIMIT:
        raise BootEntryError("its kernel parameters are no line of text that a kernel takes")


def _copy(files: Files, name: str, target: Path) -> Path:
    if not files.exists(name):
        raise BootEntryError(f"its boot loader names {name}, which is not in the image")
    with files.open(name, FILE_LIMIT) as source, target.open("xb") as sink:
        shutil.copyfileobj(source, sink)
    return target


def _from_bls(files: Files, name: str) -> BootEntry:
    fields: dict[str, str] = {}
    for line in files.read(name).splitlines():
        key, _, value = line.strip().partition(" ")
        if key and not key.startswith("#"):
            fields[key] = value.strip()
    try:
        kernel, initrd = fields["linux"], fields["initrd"].split()[0]
    except (KeyError, IndexError):
        raise BootEntryError(f"{name}: no 'linux' or no 'initrd' line") from None
    return BootEntry(_on_root(files, kernel), _on_root(files, initrd), fields.get("options", ""))


def _on_root(files: Files, name: str) -> str:
    # Where /boot is a file system of its own, entries name files from its top.
    if not files.exists(name) and not name.startswith("/boot/"):
        return "/boot/" + name.lstrip("/")
    return name


def _from_zipl(text: str) -> BootEntry:
    # Sections that begin with ':' are menus: they parse, and nothing here looks at them.
    config = ConfigParser(
        interpolation=None, strict=False, comment_prefixes=("#",), delimiters=("=",)
    )
    try:
        config.read_string(text)
        default = config["defaultboot"]
        name = default.get("default")
        if name is None:
            name = config[":" + default["defaultmenu"]]["1"]
        section = config[name]
        return BootEntry(
            section["image"].split(",")[0],
            section["ramdisk"].split(",")[0],
            section.get("parameters", "").strip('"'),
        )
    except (ConfigError, KeyError) as error:
        raise BootEntryError(f"{_ZIPL}: cannot tell what it boots: {error}") from error
