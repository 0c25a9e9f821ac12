"""What a base system can be made of: this machine's apt, asked about archives on the loopback."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dpm_lab.debian.archive import Archive
from dpm_lab.debian.releases import (
    BACKPORTED_KERNEL,
    BACKPORTS,
    BOOKWORM,
    NEWER,
    TRIXIE,
    ArchiveError,
    Release,
    choose,
)
from dpm_lab.debian.system import System
from tests.unit.dpm_lab.debian.mirror import Mirror

KERNEL = ("linux-image-s390x", "6.12.117-1")


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    with Mirror(tmp_path) as made:
        yield made


def test_nothing_is_missing_where_all_files_are_there(mirror: Mirror) -> None:
    mirror.publish("trixie", KERNEL, ("zlib1g", "1.3"))

    assert mirror.archive.missing(TRIXIE, "s390x", ["linux-image-s390x"]) == ""


def test_a_file_that_the_index_names_and_the_archive_lacks_is_named(mirror: Mirror) -> None:
    mirror.publish("trixie", KERNEL, ("zlib1g", "1.3"))
    mirror.lose("zlib1g", "1.3")

    said = mirror.archive.missing(TRIXIE, "s390x", ["linux-image-s390x"])

    assert said == "1 of 2 files: zlib1g_1.3_s390x.deb answers 404"


def test_of_many_files_the_first_are_named(mirror: Mirror) -> None:
    packages = [(f"p{number}", "1") for number in range(5)]
    mirror.publish("trixie", *packages)
    for package in packages:
        mirror.lose(*package)

    said = mirror.archive.missing(TRIXIE, "s390x", ["p0"])

    assert said.startswith("5 of 5 files: ")
    assert said.endswith(" answers 404 and 2 more")


def test_a_package_that_the_archive_does_not_know_is_named(mirror: Mirror) -> None:
    mirror.publish("trixie", KERNEL)

    said = mirror.archive.missing(TRIXIE, "s390x", ["systemd"])

    assert said == "Unable to locate package systemd"


def test_an_archive_without_the_release_is_said(mirror: Mirror) -> None:
    said = mirror.archive.missing(TRIXIE, "s390x", ["systemd"])

    assert re.search(r"Failed to fetch \S+/dists/trixie/\S+ +404 ", said), said


def test_a_release_file_that_is_past_its_date_is_refused(mirror: Mirror) -> None:
    """Signed by a key that was thrown away: apt looks at the date of what is signed only."""
    signed = Path(__file__).parent / "expired"
    mirror.publish("trixie", KERNEL)
    shutil.copy(signed / "InRelease", mirror.folder / "dists/trixie")
    archive = Archive(mirror.archive.mirror, f"signed-by={signed / 'key.asc'}")

    said = archive.missing(TRIXIE, "s390x", ["linux-image-s390x"])

    assert "expired" in said


@pytest.mark.slow
def test_an_archive_that_does_not_answer_is_said(mirror: Mirror) -> None:
    mirror.publish("trixie", KERNEL)
    mirror.close()

    said = mirror.archive.missing(TRIXIE, "s390x", ["linux-image-s390x"])

    assert "Could not connect to 127.0.0.1" in said


@pytest.mark.parametrize(
    ("release", "wanted"),
    [
        (BOOKWORM, ["linux-image-s390x_6.1.1_s390x.deb", "systemd_252_s390x.deb"]),
        (BACKPORTS, ["linux-image-s390x_6.12.95_s390x.deb", "systemd_254_s390x.deb"]),
        (BACKPORTED_KERNEL, ["linux-image-s390x_6.12.95_s390x.deb", "systemd_252_s390x.deb"]),
    ],
    ids=lambda value: value.name if isinstance(value, Release) else "",
)
def test_backports_are_taken_where_a_release_says_so(
    mirror: Mirror, release: Release, wanted: list[str]
) -> None:
    mirror.publish("bookworm", ("linux-image-s390x", "6.1.1"), ("systemd", "252"))
    packages = [("linux-image-s390x", "6.12.95"), ("systemd", "254")]
    mirror.publish("bookworm-backports", *packages)
    for path in (mirror.folder / "pool").iterdir():
        path.unlink()

    said = mirror.archive.missing(release, "s390x", ["linux-image-s390x", "systemd"])

    assert all(f"{name} answers 404" in said for name in wanted), said


def test_a_package_is_picked_of_another_suite_and_nothing_else_of_that(mirror: Mirror) -> None:
    mirror.publish("bookworm", ("cloud-init", "22.4.2"), ("python3", "3.11"))
    mirror.publish("trixie", ("cloud-init", "25.1.4"), ("python3", "3.13"))
    for path in (mirror.folder / "pool").iterdir():
        path.unlink()
    release = BOOKWORM.picking("cloud-init", "trixie")

    said = mirror.archive.missing(release, "s390x", ["cloud-init"])

    assert release.name == "bookworm with trixie's cloud-init"
    assert "cloud-init_25.1.4_s390x.deb answers 404" in said
    assert "python3_3.11_s390x.deb answers 404" in said


def test_what_is_essential_in_a_suite_that_only_a_package_is_picked_of_is_not_asked_for(
    mirror: Mirror,
) -> None:
    mirror.publish("bookworm", ("libc6", "2.36"))
    mirror.publish("trixie", ("cloud-init", "25.1.4"))
    index = mirror.folder / "dists/trixie/main/binary-s390x/Packages"
    other = "\n\nPackage: login.defs\nVersion: 1\nArchitecture: s390x\nEssential: yes\n"
    index.write_text(index.read_text().rstrip() + other)
    system = System("s390x", "essential", ("libc6",))

    assert system.missing(BOOKWORM.picking("cloud-init", "trixie"), mirror.archive) == ""


def test_the_best_one_that_can_be_made_is_chosen_and_it_is_said_why() -> None:
    wrong = {"trixie": "1 of 2 files: a answers 404"}

    choice = choose(
        NEWER, is_made=lambda _: False, missing=lambda release: wrong.get(release.name, "")
    )

    assert choice.release == BACKPORTS
    assert str(choice) == "bookworm-backports, not trixie (1 of 2 files: a answers 404)"


def test_what_was_made_once_is_taken_without_asking_the_archive() -> None:
    def ask(release: Release) -> str:
        raise AssertionError(f"asked for {release.name}")

    choice = choose(NEWER, is_made=lambda release: release.name == "forky", missing=ask)

    assert choice.release.name == "forky"


def test_where_nothing_can_be_made_each_reason_is_said() -> None:
    with pytest.raises(ArchiveError) as caught:
        choose(
            [TRIXIE, BACKPORTS],
            is_made=lambda _: False,
            missing=lambda release: f"no {release.name}",
        )

    assert "not trixie (no trixie), not bookworm-backports (no bookworm-backports)" in str(
        caught.value
    )


def test_a_system_whose_packages_went_away_meanwhile_says_which(
    mirror: Mirror, tmp_path: Path
) -> None:
    mirror.publish("trixie", KERNEL)
    mirror.lose(*KERNEL)
    system = System("s390x", "extract", ("linux-image-s390x",))

    with pytest.raises(ArchiveError) as caught:
        system.make(TRIXIE, tmp_path / "made.tar", mirror.archive)

    assert str(caught.value) == (
        "Debian's archive cannot give trixie: 1 of 1 files: "
        "linux-image-s390x_6.12.117-1_s390x.deb answers 404"
    )
