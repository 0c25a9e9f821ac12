"""What an image's boot loader boots, as zipl's own files say it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dpm_image.disk.bootentry import BootEntry, BootEntryError, read_entry
from dpm_image.disk.files import Files

#: What each entry names, beside which is the newest (:mod:`tests.unit.dpm_image.test_versions`).
CASES = [
    case
    for case in json.loads((Path(__file__).parents[2] / "data/boot-entries.json").read_text())
    if case["newest"]
]

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
        ("[defaultboot]\nno keyword\n", "line 2"),
        ("[defaultboot]\ndefault='a\n[a]\nimage=/x\n", "line 2: quotes"),
        ("[defaultboot]\ndefault=a\n[a]\ntarget=/boot\ndumpto=/dev/sda1\n", "no image"),
        ("[defaultboot]\ndefaultmenu=gone\n", "no menu :gone"),
        (f"{MENU}1=two\n", "two"),
        (f"{MENU}default=7\n1=one\n", "None"),
        ("[defaultboot]\ndefaultauto\ntarget=/boot\n", "no section has an image"),
        (
            "[defaultboot]\ndefault=a\n[a]\nimage=/x\nramdisk=/y\nparmfile=/gone\n",
            "/gone, which is not in the image",
        ),
    ],
)
def test_a_zipl_conf_that_says_nothing_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BootEntryError, match=said):
        read_entry(Files(root_with(tmp_path, etc__zipl_conf=text)))


ONE = BootEntry("/boot/one", "/boot/one.img", "root=/dev/sda1")
OTHER = BootEntry("/boot/other", "/boot/other.img", "root=/dev/sdb1")

OTHER_SECTION = """\
[other]
image = /boot/other
ramdisk = /boot/other.img
parameters = 'root=/dev/sdb1'
"""


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        (f"{MENU}default=1\n1=one\n", ONE),
        (f"{OTHER_SECTION}{MENU}1=one\n2=other\n", ONE),
        (f"{OTHER_SECTION}{MENU}2=other\n1=one\nprompt=0\n", OTHER),
        (f"{OTHER_SECTION}{MENU}default=2\n1=one\n2=other\n", OTHER),
        (f"{OTHER_SECTION}{MENU}  default\t=  '2' \n\t1 = \"one\"\n\n2=other\n", OTHER),
        (f"[defaultboot]\ndefaultauto\ntarget=/boot\n{OTHER_SECTION}{MENU}", OTHER),
        (f"[defaultboot]\ntarget=/boot\ndefault=one\n{OTHER_SECTION}{MENU}", ONE),
        (f"[defaultboot]\ndefaultauto\ndefault=gone\n{OTHER_SECTION}{MENU}", OTHER),
        (f"[dump]\ndumpto=/dev/sdc1\n[defaultboot]\ndefaultauto\n{OTHER_SECTION}", OTHER),
        (f"# a comment = 1\n  [defaultboot] \n\tdefault=\tother \n{OTHER_SECTION}", OTHER),
    ],
    ids=[
        *("menu", "first of the menu", "first in the file", "menu's default", "blanks and quotes"),
        *("automatic", "by target", "automatic, default gone", "dump", "section"),
    ],
)
def test_the_default_is_the_one_of_zipl(tmp_path: Path, text: str, entry: BootEntry) -> None:
    assert read_entry(Files(root_with(tmp_path, etc__zipl_conf=text))) == entry


@pytest.mark.parametrize(
    ("line", "parameters"),
    [
        ('parameters = "root=LABEL=x quiet"', "root=LABEL=x quiet"),
        (
            "parameters='root=LABEL=x dyndbg=\"module zfcp +p\"'",
            'root=LABEL=x dyndbg="module zfcp +p"',
        ),
        ("parameters=root=LABEL=x quiet  ", "root=LABEL=x quiet"),
        ("parmfile=/etc/parm,0x1000", "from=file two=lines"),
        ("parmfile=/etc/parm\nparameters='quiet'", "from=file two=lines quiet"),
        ("", ""),
    ],
    ids=["double", "single", "none", "file", "file and line", "nothing"],
)
def test_parameters_are_put_together_as_zipl_does(
    tmp_path: Path, line: str, parameters: str
) -> None:
    text = f"[defaultboot]\ndefault=a\n[a]\nimage=/x\nramdisk=/y\n{line}\n"
    root = root_with(tmp_path, etc__zipl_conf=text, etc__parm="from=file\n\ntwo=lines\n")

    assert read_entry(Files(root)).parameters == parameters


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES])
def test_an_entry_is_read_as_the_table_has_it(tmp_path: Path, case: dict[str, Any]) -> None:
    folder = tmp_path / "boot/loader/entries"
    folder.mkdir(parents=True)
    (folder / case["newest"]).write_text(case["entries"][case["newest"]])
    for name in (case["linux"], case["initrd"]):
        (tmp_path / name.lstrip("/")).touch()

    entry = read_entry(Files(tmp_path))

    assert (entry.kernel, entry.initrd) == (case["linux"], case["initrd"])
    assert entry.parameters == case["options"]


AUTO = "[defaultboot]\ndefaultauto\nprompt=1\ntimeout=5\ntarget=/boot\n"


@pytest.mark.parametrize(
    ("config", "version"),
    [
        ("", "570"),
        (AUTO, "570"),
        (f"{AUTO}default=EL 70\n", "70"),
        (f"{AUTO}default=gone\n", "570"),
    ],
    ids=["none", "automatic", "title", "title that is gone"],
)
def test_entries_are_sections_by_their_titles(tmp_path: Path, config: str, version: str) -> None:
    # kernel-install writes the title of the newest kernel behind what is there (UPDATEDEFAULT).
    if config:
        root_with(tmp_path, etc__zipl_conf=config)
    for name in ("70", "570"):
        path = tmp_path / f"boot/loader/entries/{'f' * 32}-5.14.0-{name}.el9.s390x.conf"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"title EL {name}\nlinux /{name}\ninitrd /{name}.img\n")

    assert read_entry(Files(tmp_path)).kernel == f"/boot/{version}"


def test_a_zipl_conf_of_the_package_is_read_where_there_is_no_other(tmp_path: Path) -> None:
    path = tmp_path / "usr/lib/s390-tools/zipl.conf"
    path.parent.mkdir(parents=True)
    path.write_text(CLASSIC)

    assert read_entry(Files(tmp_path)).kernel == "/boot/vmlinuz"


def test_an_entry_without_initrd_is_named(tmp_path: Path) -> None:
    root = root_with(tmp_path, boot__loader__entries__a_conf="linux /vmlinuz\n")

    with pytest.raises(BootEntryError, match=r"a\.conf"):
        read_entry(Files(root))


def test_an_image_without_either_is_said_to_have_neither(tmp_path: Path) -> None:
    with pytest.raises(BootEntryError, match="zipl-dpm"):
        read_entry(Files(tmp_path))
