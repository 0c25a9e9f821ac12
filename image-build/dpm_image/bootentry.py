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

from dpm_image.errors import ImageError
from dpm_image.rootfs import mounted


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


def read_entry(root: Path) -> BootEntry:
    """Return what the boot loader in the file system below `root` boots by default."""
    entries = sorted(Path(root, "boot/loader/entries").glob("*.conf"))
    if entries:
        # zipl takes the newest of equals; the file names carry the kernel's version.
        return _from_bls(root, entries[-1])
    config = Path(root, "etc/zipl.conf")
    if config.is_file():
        return _from_zipl(config)
    raise BootEntryError(
        "it has neither /boot/loader/entries/*.conf nor /etc/zipl.conf; "
        "was it built with the element zipl-dpm?"
    )


def extract(image: Path, folder: Path) -> Extracted:
    """Copy kernel and initial RAM disk out of the qcow2 `image` into `folder`."""
    with mounted(image) as root:
        try:
            entry = read_entry(root)
        except BootEntryError as error:
            raise BootEntryError(f"{image}: {error}") from error
        kernel = _copy(root, entry.kernel, folder / "kernel", image)
        initrd = _copy(root, entry.initrd, folder / "initrd", image)
    return Extracted(kernel, initrd, entry.parameters)


def _copy(root: Path, name: str, target: Path, image: Path) -> Path:
    # /vmlinuz and /boot/vmlinuz are links on Debian; an absolute one would lead out of the image.
    source = Path(root, name.lstrip("/"))
    for _ in range(8):
        if not source.is_symlink():
            break
        link = source.readlink()
        source = Path(root, str(link).lstrip("/")) if link.is_absolute() else source.parent / link
    if not source.is_file():
        raise BootEntryError(f"{image}: its boot loader names {name}, which is not in the image")
    shutil.copyfile(source, target)
    return target


def _from_bls(root: Path, path: Path) -> BootEntry:
    fields: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        key, _, value = line.strip().partition(" ")
        if key and not key.startswith("#"):
            fields[key] = value.strip()
    try:
        kernel, initrd = fields["linux"], fields["initrd"].split()[0]
    except (KeyError, IndexError):
        raise BootEntryError(f"{path.name}: no 'linux' or no 'initrd' line") from None
    return BootEntry(_on_root(root, kernel), _on_root(root, initrd), fields.get("options", ""))


def _on_root(root: Path, name: str) -> str:
    # Where /boot is a file system of its own, entries name files from its top.
    if not Path(root, name.lstrip("/")).exists() and not name.startswith("/boot/"):
        return "/boot/" + name.lstrip("/")
    return name


def _from_zipl(path: Path) -> BootEntry:
    # Sections that begin with ':' are menus: they parse, and nothing here looks at them.
    config = ConfigParser(
        interpolation=None, strict=False, comment_prefixes=("#",), delimiters=("=",)
    )
    try:
        config.read_string(path.read_text(encoding="utf-8"))
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
        raise BootEntryError(f"/etc/zipl.conf: cannot tell what it boots: {error}") from error
