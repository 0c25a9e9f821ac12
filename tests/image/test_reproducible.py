"""The same inputs give the same image: a second build differs in nothing but what a table names."""

from __future__ import annotations

import json
import shutil
from dataclasses import astuple
from pathlib import Path

import pytest

from dpm_image import compare
from dpm_image.__main__ import main
from dpm_image.build import build, cache_folder
from dpm_image.compare import Entry, Tree
from tests.image.test_image_build import changed

pytestmark = [pytest.mark.image, pytest.mark.slow]

#: diskimage-builder's list of what is installed, with versions.
PACKAGES = "/etc/dib-manifests/dib-manifest-dpkg-image"


@pytest.fixture(scope="module")
def image() -> Path:
    """The Debian image as it comes."""
    return build()


def built_again(folder: Path) -> Tree:
    """Build the image in a cache of its own, but for the base system, and return what is in it."""
    cache = folder / "nova-dpm"
    cache.mkdir(parents=True)
    (cache / "base").symlink_to(cache_folder() / "base")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("XDG_CACHE_HOME", str(folder))
        again = build()
    seen = compare.read(again)
    again.unlink()
    return seen


def kept(file: Path) -> Tree | None:
    """Return what the second build had in it, if there was one of these inputs."""
    if not file.exists():
        return None
    return {path: Entry(*fields) for path, fields in json.loads(file.read_text()).items()}


def same_packages(first: Tree, second: Tree) -> bool:
    return first[PACKAGES].content == second[PACKAGES].content


@pytest.fixture(scope="module")
def two_builds(image: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Tree, Tree]:
    """What two builds of the same inputs have in them; the second is made once for an image's key.

    The mirror is an input too: where it moved on meanwhile, both are built anew.
    """
    folder = cache_folder() / "second-builds"
    file = folder / f"{image.stem}.json"
    first, second = compare.read(image), kept(file)
    if second is None or not same_packages(first, second):
        second = built_again(tmp_path_factory.mktemp("second"))
        if not same_packages(first, second):
            first = compare.read(build(force=True))
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        file.write_text(json.dumps({path: astuple(entry) for path, entry in second.items()}))
    return first, second


def test_two_builds_differ_in_nothing_but_what_the_table_names(
    two_builds: tuple[Tree, Tree],
) -> None:
    assert compare.unnamed(compare.differences(*two_builds)) == []


def test_the_kernel_the_agent_and_the_packages_are_compared(two_builds: tuple[Tree, Tree]) -> None:
    for tree in two_builds:
        files = [path for path, entry in tree.items() if entry.type == "file"]
        assert len(files) > 10_000
        assert "/usr/lib/dpm-guest/dpm_guest/configure.py" in files
        assert any(path.startswith("/boot/vmlinuz-") for path in files)
        assert PACKAGES in files
        assert tree["(disk) label of the file system"].content == "cloudimg-rootfs"


def test_what_was_changed_in_an_image_is_listed_and_the_image_is_not_touched(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.qcow2"
    shutil.copyfile(image, other)
    with changed(other) as root:
        (root / "etc/hostname").write_text("mine\n")
        (root / "usr/bin/dpm-guest").chmod(0o700)
        (root / "etc/fstab").unlink()
        (root / "root/added").touch()
    before = image.stat()

    status = main(["compare", str(image), str(other)])

    assert status == 1
    lines = [line.split("  ") for line in capsys.readouterr().out.split("\n\n")[0].splitlines()]
    assert {(words[0], words[-1].strip()) for words in lines} == {
        ("only in A", "/etc/fstab"),
        ("content", "/etc/hostname"),
        ("only in B", "/root/added"),
        ("mode", "/usr/bin/dpm-guest"),
    }
    assert (image.stat().st_mtime_ns, image.stat().st_size) == (before.st_mtime_ns, before.st_size)
