"""What the tests of RHEL images share: guest images of EL's shape, and what is built on them."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from dpm_image.build.build import build
from dpm_image.build.plan import Options
from dpm_image.errors import ImageError
from dpm_lab.debian.releases import ArchiveError
from dpm_lab.guests.qemu import emulator
from dpm_lab.progress import Progress
from tests.image.el_base import RELEASES, ElBase, el_base

KEY = "a-key-that-nobody-may-see"

_Thing = TypeVar("_Thing")


class ByRelease(dict[str, _Thing]):
    """Something for each release of EL; who asks for one that could not be made is told why."""

    def __init__(self, lacking: Mapping[str, Exception]) -> None:
        self.lacking = dict(lacking)

    def __missing__(self, release: str) -> _Thing:
        raise self.lacking[release]


@pytest.fixture(scope="session")
def el_bases() -> ByRelease[ElBase]:
    """The guest images; what takes long is emulated, one processor each."""
    found = ByRelease[ElBase]({})

    def make(release: str) -> None:
        try:
            found[release] = el_base(release)
        except ArchiveError as error:
            found.lacking[release] = error

    with ThreadPoolExecutor() as pool:
        list(pool.map(make, RELEASES))
    return found


@pytest.fixture(scope="session")
def el_options(
    el_bases: ByRelease[ElBase], tmp_path_factory: pytest.TempPathFactory
) -> ByRelease[Options]:
    """9 with a subscription, 10 with repositories only."""
    key = tmp_path_factory.mktemp("key") / "key"
    key.write_text(KEY)
    found = ByRelease[Options](el_bases.lacking)
    for release, base in el_bases.items():
        found[release] = Options(
            distribution="rhel",
            release=release,
            local_image=base.image,
            repositories=(base.repositories,),
        )
    if "9" in found:
        subscription = {"METHOD": "portal", "ORG": "1234567"}
        found["9"] = replace(found["9"], subscription=subscription, activation_key_file=key)
    return found


@pytest.fixture(scope="session")
def el_images(el_options: ByRelease[Options]) -> ByRelease[Path]:
    found = ByRelease[Path](el_options.lacking)
    for release, chosen in el_options.items():
        try:
            found[release] = build(chosen)
        except ImageError as error:
            found.lacking[release] = error
    return found


@pytest.fixture(scope="session", params=list(RELEASES))
def el_image(request: pytest.FixtureRequest, el_images: ByRelease[Path]) -> Path:
    return el_images[request.param]


@pytest.fixture(scope="session")
def sound_emulator() -> str:
    """A QEMU that runs what its guest has written last."""
    program = emulator.find(Progress())
    number = emulator.version(program)
    if not emulator.is_sound(number):
        pytest.skip(f"wants a QEMU without the fault of {number}, and Debian's backports give none")
    return str(program)
