"""The distributions that an image can be made of: those that the checkout has an element for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dpm_image.errors import ImageError
from dpm_lab.process import ask
from dpm_lab.source import CHECKOUT

#: An element of this name makes a whole image of a distribution.
ELEMENT = "{}-dpm"


@dataclass(frozen=True)
class Distribution:
    """What a person has to know to choose one."""

    releases: str
    needs: str


_KNOWN = {
    "debian": Distribution("bookworm (12)", "nothing: packages come from Debian's mirrors"),
    "rhel": Distribution("9, 10", "a RHEL guest image for s390x; a subscription or repositories"),
}


class NotReadyError(ImageError):
    """A build lacks something that only the caller can give."""


def names(checkout: Path = CHECKOUT) -> tuple[str, ...]:
    """Return the names of the distributions."""
    suffix = ELEMENT.format("")
    folders = (checkout / "elements").glob(f"*{suffix}")
    found = (folder.name.removesuffix(suffix) for folder in folders)
    # zipl-dpm is a boot loader: what makes a whole image brings an operating system.
    return tuple(sorted(name for name in found if _is_image(checkout, name)))


def about(name: str) -> Distribution:
    """Return what is known of a distribution; of one that somebody else added, nothing is."""
    return _KNOWN.get(name, Distribution("", f"see elements/{ELEMENT.format(name)}/README.rst"))


def check(name: str, environment: Mapping[str, str], checkout: Path = CHECKOUT) -> None:
    """Have the element itself look whether `environment` has what a build needs.

    The same program is the first hook of the build, for those who call ``disk-image-create``.

    Raises:
        NotReadyError: something is missing; the text is the element's own sentence.
    """
    element = ELEMENT.format(name)
    program = checkout / "elements" / element / "bin" / f"{element}-check"
    if not program.exists():
        return
    answer = ask([program], environment={**environment, "ARCH": "s390x"})
    if answer.code:
        raise NotReadyError(answer.errors.removeprefix(f"{element}: "))


def _is_image(checkout: Path, distribution: str) -> bool:
    dependencies = checkout / "elements" / ELEMENT.format(distribution) / "element-deps"
    return dependencies.is_file() and "dpm-guest" in dependencies.read_text("utf-8").split()
