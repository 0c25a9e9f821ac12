"""What an image's boot loader boots, as zipl's own files say it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dpm_image.bootentry import BootEntry, BootEntryError, read_entry
from dpm_image.files import Files

CLASSIC = """\
# After a change run zipl.
[defaultboot]
default = linux

[linux]
target = /boot
image = /boot/vmlinuz
ramdisk = /boot/initrd.img
parameters = "root=LABEL=cloudimg-rootfs console=ttyS0 console=ttysclp0"
"""

MENU = """\
[defaultboot]
defaultmenu=menu
[one]
target=/boot
image=/boot/one,0x10000
ramdisk=/boot/one.img,0x2000000
parameters="root=/dev/sda1"
:menu
"""


def root_with(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_the_default_section_of_zipl_conf_is_read(tmp_path: Path) -> None:
    root = root_with(tmp_path, etc__zipl_conf=CLASSIC)

    assert read_entry(Files(root)) == BootEntry(
        "/boot/vmlinuz",
        "/boot/initrd.img",
        "root=LABEL=cloudimg-rootfs console=ttyS0 console=ttysclp0",
    )


def test_the_newest_entry_of_the_boot_loader_specification_is_read(tmp_path: Path) -> None:
    for version in ("5.14.0-503", "5.14.0-611"):
        path = tmp_path / f"boot/loader/entries/id-{version}.el9.s390x.conf"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f"title EL {version}\n# a comment\nlinux /boot/vmlinuz-{version}\n"
            f"initrd /boot/initramfs-{version}.img $tuned_initrd\noptions root=LABEL=x quiet\n"
        )

    assert read_entry(Files(tmp_path)) == BootEntry(
        "/boot/vmlinuz-5.14.0-611", "/boot/initramfs-5.14.0-611.img", "root=LABEL=x quiet"
    )


def test_entries_of_a_separate_boot_file_system_name_files_from_its_top(tmp_path: Path) -> None:
    root = root_with(tmp_path, boot__loader__entries__a_conf="linux /vmlinuz\ninitrd /initrd\n")

    assert read_entry(Files(root)).kernel == "/boot/vmlinuz"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[defaultboot]\ndefault=gone\n", "gone"),
        ("[defaultboot]\ndefault=a\n[a]\nimage=/x\n", "ramdisk"),
        ("no section\n", "cannot tell"),
    ],
)
def test_a_zipl_conf_that_says_nothing_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BootEntryError, match=said):
        read_entry(Files(root_with(tmp_path, etc__zipl_conf=text)))


def test_an_entry_without_initrd_is_named(tmp_path: Path) -> None:
    root = root_with(tmp_path, boot__loader__entries__a_conf="linux /vmlinuz\n")

    with pytest.raises(BootEntryError, match=r"a\.conf"):
        read_entry(Files(root))


def test_an_image_without_either_is_said_to_have_neither(tmp_path: Path) -> None:
    with pytest.raises(BootEntryError, match="zipl-dpm"):
        read_entry(Files(tmp_path))
