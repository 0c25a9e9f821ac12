"""Hooks and programs of the elements with EL 9's programs: coreutils 8.32, bash 5.1, Python 3.9.

What runs in an image's root runs with what that has. No architecture matters to it, so its tests
run once more in a system as old as EL 9.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.packaging import TOP, roots

#: Of the machine that builds, which is never that old, and why.
BUILDER = {
    "debian.bats": "hooks beside mmdebstrap",
    "rhel-check.bats": "what is looked at before anything begins",
    "size.bats": "the size of a root, from outside",
    "stand-ins.bats": "programs for a kernel without device-mapper",
}


@pytest.fixture(scope="module")
def root() -> roots.Root:
    return roots.get(roots.HOOKS)


def test_the_system_has_the_programs_of_el_9(root: roots.Root) -> None:
    # What a file's device is with %Hd:%Ld came with coreutils 9.0 (its NEWS).
    done = root.run("sh", "-c", "stat -c %Hd:%Ld /; mke2fs -V 2>&1; python3 -V; bash --version")

    assert done.returncode == 0, done.stderr
    first, *versions = done.stdout.splitlines()
    assert first == "?d:?d"
    assert versions[0].startswith("mke2fs 1.46.")
    assert "Python 3.9." in done.stdout
    assert "version 5.1." in done.stdout


def test_hooks_and_programs_do_their_work_with_the_programs_of_el_9(root: roots.Root) -> None:
    files = sorted(path.name for path in (TOP / "tests/elements").glob("*.bats"))

    done = root.run(
        *("env", "--chdir=/src", "bats", "--print-output-on-failure"),
        *(f"tests/elements/{name}" for name in files if name not in BUILDER),
    )

    assert BUILDER.keys() <= set(files)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\nok ") > 50


#: What e2fsprogs 1.47 turns on unless a distribution says otherwise, as Debian 12 does.
NEWER_DEFAULTS = """\
[defaults]
base_features = sparse_super,large_file,filetype,resize_inode,dir_index,ext_attr
blocksize = 4096
inode_size = 256
[fs_types]
ext4 = {
features = has_journal,extent,flex_bg,metadata_csum,metadata_csum_seed,64bit,orphan_file
}
"""


def grown(root: roots.Root, disk: Path) -> subprocess.CompletedProcess[str]:
    """Check a file system and let it grow, with the e2fsprogs of EL 9's age."""
    script = (
        'cp "$1" "$ROOT/disk"; truncate -s 128M "$ROOT/disk"; '
        'chroot "$ROOT" sh -c "e2fsck -fy /disk && resize2fs /disk"'
    )
    return root.run("--", "bash", "-c", script, "grown", disk)


def test_a_root_file_system_of_a_newer_builder_grows_on_el_9(
    root: roots.Root, tmp_path: Path
) -> None:
    config = tmp_path / "mke2fs.conf"
    config.write_text(NEWER_DEFAULTS)
    environment = {**os.environ, "MKE2FS_CONFIG": str(config)}
    environment |= {"DIB_RELEASE": "9", "DIB_ROOT_FSTYPE": "ext4"}
    hook = TOP / "elements/rhel-dpm/block-device.d/60-rhel-dpm-mkfs"
    said = subprocess.run([hook], check=True, env=environment, capture_output=True, text=True)
    words = subprocess.run(
        ["bash", "-c", f"MKFS_OPTS=\n{said.stdout}\necho $MKFS_OPTS"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    for name, options in {"plain": [], "ours": words}.items():
        command = ["mkfs.ext4", "-q", "-F", *options, str(tmp_path / name), "64M"]
        subprocess.run(command, check=True, env=environment)

    assert "unsupported feature" in grown(root, tmp_path / "plain").stderr
    done = grown(root, tmp_path / "ours")
    assert done.returncode == 0, done.stdout + done.stderr
