"""The base system of a distribution, which outlives builds: whole, or made anew beside the old one.

diskimage-builder writes its tarball in place (elements/debootstrap/root.d/08-debootstrap, at the
end), so a build that is killed or meets a full disk leaves half of one, which every later build
would unpack. So it gets a folder of its own, which takes the other's place when it is whole.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dpm_image.build import durable, mounts
from dpm_lab import signals
from dpm_lab.progress import Progress

#: How diskimage-builder's elements call a base system: debootstrap's, and unpacked guest images.
_TARBALLS = ("*.tar.gz", "*.tgz")

#: A tar archive ends in two blocks of zeros. tar itself does not miss them, nor does gzip when the
#: tar before it in a pipe was killed.
_END = bytes(1024)

_NEW, _OLD = ".new", ".old"


@contextmanager
def in_use(place: Path, path: str, progress: Progress, *, anew: bool) -> Iterator[Path]:
    """Yield the folder for diskimage-builder's cache: `place` where it is whole, or a new one.

    A new one becomes `place` in the end if it is whole, also after a failure of what came later: a
    base system takes minutes. Until then the old one stays. The cache's lock has to be held.
    """
    _recover(place, path)
    if not anew and place.is_dir():
        if whole(place):
            os.utime(place)  # the oldest go when the cache is tidied
            yield place
            return
        progress.line(f"the base system in {place} is damaged, and is made anew")
    new = place.with_name(place.name + _NEW)
    new.mkdir(parents=True)
    try:
        yield new
    finally:
        with signals.held():
            _take(new, place, path, progress)


def whole(folder: Path) -> bool:
    """Whether no base system in `folder` is cut off."""
    return all(_is_whole(tarball) for tarball in _tarballs(folder))


def _tarballs(folder: Path) -> list[Path]:
    return [found for pattern in _TARBALLS for found in folder.glob(pattern)]


def _is_whole(tarball: Path) -> bool:
    tail = b""
    inflate = zlib.decompressobj(wbits=31)  # gzip's own header and checksum
    try:
        with tarball.open("rb") as file:
            while data := file.read(2**20):
                tail = (tail + inflate.decompress(data))[-len(_END) :]
    except zlib.error:
        return False
    return inflate.eof and tail == _END


def _take(new: Path, place: Path, path: str, progress: Progress) -> None:
    """Put `new` into its place if that is a gain, and remove what is not needed."""
    if whole(new) and (_tarballs(new) or not _tarballs(place)):
        for tarball in _tarballs(new):
            durable.settle(tarball)
        old = place.with_name(place.name + _OLD)
        if place.exists():
            place.rename(old)
        durable.rename(new, place)
        mounts.remove(old, path)
    else:
        if place.exists():
            progress.line(f"the former base system stays in {place}")
        mounts.remove(new, path)


def _recover(place: Path, path: str) -> None:
    """Finish what a killed build began to do in :func:`_take`; `base/*` is of all distributions."""
    for old in place.parent.glob(f"*{_OLD}"):
        former = old.with_name(old.name.removesuffix(_OLD))
        if former.exists():
            mounts.remove(old, path)
        else:
            old.rename(former)
    for new in place.parent.glob(f"*{_NEW}"):
        mounts.remove(new, path)
