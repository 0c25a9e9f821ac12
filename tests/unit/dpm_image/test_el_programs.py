"""The stand-ins for EL 9's older programs refuse what these do not know, and nothing else.

They are tried on this machine's own programs: whether those are newer does not matter for what is
refused.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dpm_lab.source import CHECKOUT

OLDER = CHECKOUT / "image-build/testing/el-base/root-9/usr/local/lib/el-9/older"


def run(folder: Path, program: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Call a program as a hook on EL 9 would."""
    link = folder / program
    link.symlink_to(OLDER)
    return subprocess.run([link, *words], check=False, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("%Hd:%Ld", "?d:?d"),
        ("%Hr,%Lr", "?r,?r"),
        ("%-5Hd|", "?d|"),
        ("%%Hd", "%Hd"),
        ("%F %%", "directory %"),
    ],
)
def test_stat_has_no_name_for_a_part_of_a_device_number_and_calls_that_no_error(
    tmp_path: Path, form: str, said: str
) -> None:
    answer = run(tmp_path, "stat", "-c", form, "/")

    assert (answer.returncode, answer.stdout, answer.stderr) == (0, f"{said}\n", "")


def test_stat_tells_the_number_of_a_device(tmp_path: Path) -> None:
    answer = run(tmp_path, "stat", "--printf=%d", "/")

    assert int(answer.stdout) == Path("/").stat().st_dev


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("cksum", "--algorithm=sha256", "/dev/null"), 1),
        (("cksum", "-a", "sha256", "/dev/null"), 1),
        (("date", "--resolution"), 1),
        (("dd", "if=/dev/null", "iseek=1"), 1),
        (("ls", "--zero", "/"), 2),
        (("dmesg", "--json"), 1),
        (("lsblk", "--noempty"), 1),
        (("mount", "--mkdir", "/dev/null", "/nowhere"), 1),
        (("mount", "-o", "ro,X-mount.subdir=a", "/dev/null", "/nowhere"), 1),
        (("mkswap", "--quiet", "/dev/null"), 1),
        (("nsenter", "--wdns=/", "true"), 1),
        (("unshare", "--map-auto", "true"), 1),
    ],
)
def test_an_option_that_came_later_is_refused(
    tmp_path: Path, words: tuple[str, ...], status: int
) -> None:
    answer = run(tmp_path, *words)

    assert answer.returncode == status
    assert answer.stdout == ""
    assert answer.stderr.startswith(f"{words[0]}: unrecognized option")


@pytest.mark.parametrize(
    "words",
    [
        ("cksum", "/dev/null"),
        ("date", "--utc", "-d", "@0"),
        ("dd", "if=/dev/null", "skip=1"),
        ("ls", "-a", "/"),
        ("unshare", "--help"),
    ],
)
def test_what_both_know_is_done(tmp_path: Path, words: tuple[str, ...]) -> None:
    answer = run(tmp_path, *words)
    program = subprocess.run(words, check=False, capture_output=True, text=True)

    assert (answer.returncode, answer.stdout) == (program.returncode, program.stdout)


@pytest.mark.parametrize("program", ["resize2fs", "tune2fs"])
@pytest.mark.parametrize(("feature", "taken"), [("orphan_file", False), ("^orphan_file", True)])
def test_a_file_system_of_a_newer_builder_is_not_opened(
    tmp_path: Path, program: str, feature: str, *, taken: bool
) -> None:
    disk = tmp_path / "disk"
    with disk.open("wb") as file:
        file.truncate(2**24)
    make = ["/usr/sbin/mkfs.ext4", "-q", "-F", "-O", feature, str(disk), "8M"]
    subprocess.run(make, check=True)
    words = {"resize2fs": [str(disk)], "tune2fs": ["-L", "root", str(disk)]}[program]

    answer = run(tmp_path, program, *words)

    assert ("unsupported feature" in answer.stderr) is not taken
    assert (answer.returncode == 0) is taken
