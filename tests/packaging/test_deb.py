"""The agent's Debian package: built here, installed and purged in two releases."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import dpm_guest
from tests.packaging import files, roots
from tests.packaging.test_rpm import BYTECODE, WANTED

INSTALL = f"""
set -eu
# The system was made without documents.
rm /etc/dpkg/dpkg.cfg.d/99mmdebstrap
dpkg --install "$1" >/dev/null
readlink /{WANTED} | sed 's,.*/,,'
ls /{BYTECODE} | grep -c 'watch.cpython-3.*\\.pyc'
dpkg --verify nova-dpm-guest
dpm-guest status --cmdline /dev/null || [ $? = 1 ]
systemctl disable dpm-guest.service 2>/dev/null
dpkg --install "$1" >/dev/null
test ! -e /{WANTED} && echo 'still disabled'
dpkg --purge nova-dpm-guest >/dev/null
find / -xdev -name '*dpm-guest*'
"""


@pytest.fixture(scope="module")
def deb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (package,) = files.built("deb/build", tmp_path_factory.mktemp("deb"))
    return package


def test_the_package_has_the_files_of_an_image_with_their_modes(deb: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    subprocess.run(["dpkg-deb", "--extract", deb, root], check=True)
    listed = subprocess.run(["dpkg-deb", "-c", deb], check=True, capture_output=True, text=True)

    assert files.below(root) == files.installed(tmp_path / "image")
    assert {line.split()[1] for line in listed.stdout.splitlines()} == {"root/root"}


def test_the_package_is_of_this_version_for_every_machine_and_needs_pyudev(deb: Path) -> None:
    done = subprocess.run(["dpkg-deb", "--field", deb], check=True, capture_output=True, text=True)

    fields = dict(line.split(": ", 1) for line in done.stdout.splitlines() if ": " in line)
    assert fields["Version"] == f"{dpm_guest.__version__}-1"
    assert fields["Architecture"] == "all"
    assert {"python3 (>= 3.9)", "python3-pyudev (>= 0.22)", "kmod", "systemd", "udev"} == set(
        fields["Depends"].split(", ")
    )


def test_a_second_build_gives_the_same_bytes(deb: Path, tmp_path: Path) -> None:
    (again,) = files.built("deb/build", tmp_path)

    assert again.read_bytes() == deb.read_bytes()


@pytest.mark.parametrize("kind", [roots.OLD, roots.NEW])
def test_it_enables_its_unit_once_and_leaves_nothing_when_it_is_purged(
    deb: Path, kind: str
) -> None:
    script = 'cp "$2" "$ROOT/agent.deb"; exec chroot "$ROOT" bash -c "$1" install /agent.deb'

    done = roots.get(kind).run("--", "bash", "-c", script, "copy", INSTALL, deb)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == [
        "dpm-guest.service",
        "1",
        "no NIC on the kernel command line",
        "still disabled",
    ]  # fmt: skip
