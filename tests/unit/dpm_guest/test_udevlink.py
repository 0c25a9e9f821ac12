"""The .link files that tell udev the MACs."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from dpm_guest import udevlink
from dpm_guest.bootparams import NicParams, parse

POLICY = ("NamePolicy=path",)

DEBIAN = """\
# comment
[Match]
OriginalName=*

[Link]
NamePolicy=keep kernel database onboard slot path
AlternativeNamesPolicy=database onboard slot path
MACAddressPolicy=persistent
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(udevlink, "DIRECTORY", str(tmp_path / "network"))
    return tmp_path / "network"


def nic(text: str) -> NicParams:
    (found,) = parse(text).nics
    return found


def test_the_distributions_naming_is_kept_and_its_mac_policy_is_not(tmp_path: Path) -> None:
    (tmp_path / "99-default.link").write_text(DEBIAN)

    policy = udevlink.naming_policy((str(tmp_path / "absent"), str(tmp_path)))

    assert policy == (
        "NamePolicy=keep kernel database onboard slot path",
        "AlternativeNamesPolicy=database onboard slot path",
    )


def test_a_masked_default_keeps_the_kernels_names(tmp_path: Path) -> None:
    """A link to /dev/null in /etc is how an administrator turns renaming off (systemd.link(5))."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "lib").mkdir()
    (tmp_path / "etc/99-default.link").symlink_to("/dev/null")
    (tmp_path / "lib/99-default.link").write_text(DEBIAN)

    assert udevlink.naming_policy((str(tmp_path / "etc"), str(tmp_path / "lib"))) == ()


def test_a_system_without_a_default_gets_systemds(tmp_path: Path) -> None:
    (policy,) = udevlink.naming_policy((str(tmp_path),))

    assert policy.startswith("NamePolicy=keep")


def test_only_nics_with_a_usable_mac_get_a_file(run: Path) -> None:
    changed = [
        udevlink.write(nic(text), POLICY)
        for text in ("0600,1,0a0000000011;", "0700,0;", "0800,0,010000000001;")
    ]

    assert changed == [True, False, False]
    assert [file.name for file in run.iterdir()] == ["70-dpm-0600.link"]
    text = (run / "70-dpm-0600.link").read_text()
    assert "Path=ccwgroup-0.0.0600 ccw-0.0.0600\n" in text
    assert text.endswith("MACAddress=0a:00:00:00:00:11\n")


def _which(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_ino, found.st_mtime_ns


def test_a_second_time_nothing_changes_and_that_is_said(run: Path) -> None:
    assert udevlink.write(nic("0600,1,0a0000000011;"), POLICY)
    first = _which(run / "70-dpm-0600.link")

    assert not udevlink.write(nic("0600,1,0a0000000011;"), POLICY)

    assert _which(run / "70-dpm-0600.link") == first
    assert udevlink.write(nic("0600,1,0a0000000012;"), POLICY)


def test_a_full_disk_leaves_no_half_written_file_and_is_named(run: Path) -> None:
    """A limit on the size of files stands in for the full disk: write(2) fails as there."""
    udevlink.write(nic("0700,0,0a0000000012;"), POLICY)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, hard))
    try:
        with pytest.raises(OSError) as caught:
            udevlink.write(nic("0600,1,0a0000000011;"), POLICY)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert str(caught.value.filename).startswith(str(run / "70-dpm-0600.link"))
    assert [file.name for file in run.iterdir()] == ["70-dpm-0700.link"]
