"""The same inputs give the same image: a second build differs in nothing but what a table names."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

import dpm_lab.cache
from dpm_image import compare
from dpm_image.__main__ import main
from dpm_image.build.build import build
from dpm_image.build.plan import Options, plan
from dpm_image.compare import Entry, Tree
from dpm_image.disk.rootfs import mounted
from dpm_lab.guests.disk.apart import apart
from dpm_lab.guests.disk.rawdisk import exported
from tests.image.test_image_build import changed

#: diskimage-builder's list of what is installed, with versions.
PACKAGES = "/etc/dib-manifests/dib-manifest-dpkg-image"


@dataclass(frozen=True)
class Built:
    """What a build made: all that is in the image, and the packages by name and version."""

    tree: Tree
    packages: tuple[str, ...]


def seen(image: Path) -> Built:
    """Return what is in `image`."""
    with apart(), exported(image) as disk, mounted(disk, image) as root:
        listed = json.loads((root / PACKAGES[1:]).read_text())["packages"]
    packages = tuple(f"{one['package']} {one['version']}" for one in listed)
    return Built(compare.read(image), packages)


@contextmanager
def another_machine(folder: Path) -> Iterator[None]:
    """Build on disk, not in memory, with another cache, umask and time zone."""
    base = plan(Options()).base
    base.mkdir(parents=True, exist_ok=True)
    mine = os.umask(0o077)
    try:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("XDG_CACHE_HOME", str(folder))
            environment.setenv("DIB_NO_TMPFS", "1")
            environment.setenv("TZ", "Pacific/Auckland")
            # The base system takes minutes to make; which build made it does not matter.
            other = plan(Options()).base
            other.parent.mkdir(parents=True)
            other.symlink_to(base)
            yield
    finally:
        os.umask(mine)


@pytest.fixture(scope="module")
def image() -> Path:
    """The Debian image as it comes."""
    return build()


def built_again(folder: Path) -> Built:
    """Build the image as another machine would, and return what is in it."""
    with another_machine(folder):
        again = build()
    found = seen(again)
    again.unlink()
    return found


def kept(file: Path) -> Built | None:
    """Return what the second build had in it, if there was one of these inputs."""
    if not file.exists():
        return None
    found = json.loads(file.read_text())
    tree = {path: Entry(**entry) for path, entry in found["tree"].items()}
    return Built(tree, tuple(found["packages"]))


@pytest.fixture(scope="module")
def two_builds(image: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Built, Built]:
    """What two builds of the same inputs made; the second is made once for an image's key.

    The mirror is an input too: where it moved on meanwhile, both are built anew.
    """
    folder = dpm_lab.cache.folder() / "second-builds"
    file = folder / f"{image.stem}.json"
    first, second = seen(image), kept(file)
    if second is None or first.packages != second.packages:
        second = built_again(tmp_path_factory.mktemp("second"))
        if first.packages != second.packages:
            first = seen(build(force=True))
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        file.write_text(json.dumps(asdict(second)))
    return first, second


def told(first: Tree, second: Tree) -> str:
    """Return all that differs and no table names, a line for each kind of each path."""
    lines = []
    for one in compare.unnamed(compare.differences(first, second)):
        a, b = first.get(one.path), second.get(one.path)
        for kind in one.kinds:
            values = f": {getattr(a, kind)!r}, {getattr(b, kind)!r}" if a and b else ""
            lines.append(f"{one.path}: {kind}{values}")
    return "\n".join(lines)


def test_two_builds_differ_in_nothing_but_what_the_table_names(
    two_builds: tuple[Built, Built],
) -> None:
    first, second = two_builds
    packages, others = set(first.packages), set(second.packages)

    assert packages == others, (
        "the mirror moved on while they were built, so the images may differ; test again\n"
        f"only the first has {sorted(packages - others)}\n"
        f"only the second has {sorted(others - packages)}"
    )
    said = told(first.tree, second.tree)
    assert not said, f"the first and the second build differ:\n{said}"


def test_the_kernel_the_agent_and_the_packages_are_compared(
    two_builds: tuple[Built, Built],
) -> None:
    for tree in (built.tree for built in two_builds):
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
