"""A build whose folder is on a disk, with a newer kernel: zipl leaves the builder's disk alone.

``kernel-core`` calls zipl when it is installed, and the base image's ``/etc/zipl.conf`` has
``target=/boot``: in a build without tmpfs that is a folder of the builder's own disk, whose first
block zipl would write. Here that disk is a loop device, and zipl is told that it knows it
(``image-build/testing/el-base/root/usr/lib/el-base/zipl_helper.loop``).
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pytest

from dpm_image import inputs, verify
from dpm_image.build import Options, build, cache_folder, plan
from tests.image.conftest import ByRelease
from tests.image.el_base import NEWER_KERNELS

pytestmark = [pytest.mark.image, pytest.mark.slow]

RELEASE = "10"

_MIB = 2**20

#: As large as a build needs it; the file has holes.
_SIZE = 12 * 1024 * _MIB


@dataclass(frozen=True)
class Built:
    """What a build came to.

    Attributes:
        before: what is on the builder's disk outside its file system, as a digest
        after: the same, when the image was built
        wrong: what ``dpm-image verify`` says, by check
        entries: the boot entries of the image
    """

    before: str
    after: str
    wrong: dict[str, str]
    entries: list[str]


@contextmanager
def disk(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Yield a disk with a partition, and where that is mounted."""
    whole, place = folder / "disk.raw", folder / "mounted"
    place.mkdir()
    with whole.open("wb") as file:
        file.truncate(_SIZE)
    _run("sfdisk", "--quiet", "--no-tell-kernel", str(whole), text="label: dos\n1MiB,,83\n")
    loops = [
        _run("losetup", "--find", "--show", f"--offset={start}", str(whole)) for start in (_MIB, 0)
    ]
    try:
        _run("mkfs.ext4", "-q", loops[0])
        _run("mount", loops[0], str(place))
        try:
            yield whole, place
        finally:
            _run("umount", "--lazy", str(place))
    finally:
        for loop in loops:
            _run("losetup", "--detach", loop)


def outside(whole: Path) -> str:
    """Return a digest of what is in front of the disk's partition: its boot record, above all."""
    _run("sync")
    with whole.open("rb") as file:
        return hashlib.sha256(file.read(_MIB)).hexdigest()


def _run(*command: str, text: str | None = None) -> str:
    answer = subprocess.run(command, check=True, input=text, stdout=subprocess.PIPE, text=True)
    return answer.stdout.strip()


def build_there(options: Options, folder: Path) -> Built:
    """Build on a disk, and return what came of it."""
    with disk(folder) as (whole, place), pytest.MonkeyPatch.context() as environment:
        base = plan(options).base
        environment.setenv("XDG_CACHE_HOME", str(place))
        environment.setenv("DIB_NO_TMPFS", "1")
        # The unpacked base image is the same wherever it is made.
        if base.is_dir():
            shutil.copytree(base, plan(options).base)
        before = outside(whole)
        image = build(options)
        after = outside(whole)
        wrong = {one.name: one.found for one in verify.verify(image) if not one.right}
        with verify.opened(image) as opened:
            entries = opened.files("boot/loader/entries/*.conf")
    return Built(before, after, wrong, list(entries))


@pytest.fixture(scope="module")
def built(
    el_options: ByRelease[Options],
    el_images: ByRelease[Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Built:
    """Built once for an image's key."""
    assert el_images[RELEASE].exists()
    options = replace(el_options[RELEASE], packages=("kernel-core",))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DIB_EL_BASE_DISK", "1")
        key = inputs.key({"image": plan(options).image.stem, "test": inputs.digest(Path(__file__))})
        folder = cache_folder() / "on-disk"
        file = folder / f"{key}.json"
        if not file.exists():
            found = build_there(options, tmp_path_factory.mktemp("on-disk"))
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            file.write_text(json.dumps(asdict(found)))
    return Built(**json.loads(file.read_text()))


def test_the_builders_disk_is_as_it_was(built: Built) -> None:
    assert built.after == built.before


def test_the_image_has_the_newer_kernel_alone_and_is_right(built: Built) -> None:
    assert built.wrong == {}
    assert [Path(name).name.split("-", 1)[1] for name in built.entries] == [
        f"{NEWER_KERNELS[RELEASE]}.conf"
    ]
