"""The agent's RPM: built by rpmbuild here, installed and erased in a system with systemd."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import dpm_guest
from tests.packaging import files, roots

#: What an installation leaves beside the package's files: the unit enabled, bytecode for the boot.
WANTED = "etc/systemd/system/sysinit.target.wants/dpm-guest.service"
BYTECODE = "usr/lib/dpm-guest/dpm_guest/__pycache__"

INSTALL = f"""
set -eu
# Debian's systemd enables what no preset names, EL's does not.
mkdir -p $ROOT/usr/lib/systemd/system-preset
echo 'disable *' >$ROOT/usr/lib/systemd/system-preset/99-default-disable.preset
rpm --root $ROOT --dbpath /rpm --nodeps --install "$1"
readlink $ROOT/{WANTED} | sed 's,.*/,,'
ls $ROOT/{BYTECODE} | grep -c 'watch.cpython-3.*\\.pyc'
chroot $ROOT dpm-guest status --cmdline /dev/null || [ $? = 1 ]
rpm --root $ROOT --dbpath /rpm --nodeps --erase nova-dpm-guest
find $ROOT -xdev -name '*dpm-guest*'
"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The RPM and the source RPM."""
    return files.built("rpm/build", tmp_path_factory.mktemp("rpm"))


@pytest.fixture(scope="module")
def rpm(packages: list[Path]) -> Path:
    return next(path for path in packages if path.name.endswith(".noarch.rpm"))


def asked(rpm: Path, *what: str) -> list[str]:
    """What ``rpm --query`` says of a package file."""
    command = ["rpm", "--query", "--package", *what, str(rpm)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def test_the_rpm_has_the_files_of_an_image_with_their_modes(rpm: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    options = ("--root", str(root), "--dbpath", "/rpm", "--nodeps", "--noscripts")
    subprocess.run(["rpm", *options, "--install", str(rpm)], check=True)
    shutil.rmtree(root / "rpm")

    assert files.below(root) == files.installed(tmp_path / "image")
    assert set(asked(rpm, "--queryformat", "[%{FILEUSERNAME}:%{FILEGROUPNAME}\n]")) == {"root:root"}


def test_the_rpm_is_of_this_version_for_every_machine_and_needs_pyudev(rpm: Path) -> None:
    assert asked(rpm, "--queryformat", "%{VERSION} %{ARCH}") == [f"{dpm_guest.__version__} noarch"]
    assert {
        "kmod",
        "python3 >= 3.9",
        "python3-pyudev >= 0.22",
        "systemd",
        "systemd-udev",
    } <= set(asked(rpm, "--requires"))
    assert f"- {dpm_guest.__version__}-1" in asked(rpm, "--changelog")[0]


def test_a_second_build_gives_the_same_bytes(rpm: Path, tmp_path: Path) -> None:
    again = files.built("rpm/build", tmp_path)

    assert rpm.read_bytes() in [path.read_bytes() for path in again]


def test_the_source_rpm_builds_the_same_rpm(packages: list[Path], tmp_path: Path) -> None:
    source = next(path for path in packages if path.name.endswith(".src.rpm"))
    rpm = next(path for path in packages if path != source)

    subprocess.run(
        [
            *("rpmbuild", "--rebuild", "--nodeps", "--define", "_buildhost localhost"),
            *("--define", f"_topdir {tmp_path}", str(source)),
        ],
        check=True,
        capture_output=True,
    )

    assert (tmp_path / "RPMS/noarch" / rpm.name).read_bytes() == rpm.read_bytes()


@pytest.mark.parametrize("kind", [roots.OLD, roots.NEW])
def test_it_enables_its_unit_by_preset_and_leaves_nothing_when_it_is_erased(
    rpm: Path, kind: str
) -> None:
    done = roots.get(kind).run("--", "bash", "-c", INSTALL, "install", rpm)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == [
        "dpm-guest.service",
        "1",
        "no NIC on the kernel command line",
    ]  # fmt: skip


def test_the_macros_of_systemd_are_used_where_the_machine_has_them(tmp_path: Path) -> None:
    """EL's own, which do more than ours (a helper, and one day something else)."""
    macros = [
        option
        for name in ("systemd_post", "systemd_preun", "systemd_postun")
        for option in ("--define", f"{name}() /usr/lib/systemd/helper {name} %{{?*}}")
    ]

    rpm = files.built("rpm/build", tmp_path, *macros)[0]

    scripts = asked(rpm, "--scripts")
    # What tries again in the background is ended with the package too.
    units = {"systemd_preun": "dpm-guest.service dpm-guest-retry.service"}
    for name in ("systemd_post", "systemd_preun", "systemd_postun"):
        wanted = f"/usr/lib/systemd/helper {name} {units.get(name, 'dpm-guest.service')}"
        assert wanted in scripts
    assert not any("systemctl" in line for line in scripts)


@pytest.mark.parametrize("step", ["__brp_mangle_shebangs", "__brp_python_bytecompile"])
def test_el_does_not_rewrite_the_files_after_they_are_installed(tmp_path: Path, step: str) -> None:
    """redhat-rpm-config rewrites first lines and compiles Python files at the end of a build, each
    by a macro that the spec empties."""
    files.built(
        "rpm/build",
        tmp_path,
        *("--define", f"{step} /bin/false"),
        *("--define", f"__os_install_post %{{?{step}}}"),
    )
