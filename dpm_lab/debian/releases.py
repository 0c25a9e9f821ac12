"""What a base system can be made of, and the choice between them.

An archive can be out of step: in November 2026 the index of Debian 13.8 for s390x named files that
answered 404 for days, and the release file of Debian's testing was three weeks past its date. So
what only has to be newer than Debian 12 can be made of several releases, and each one is asked for
all of its packages before anything is built.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from dpm_lab.errors import ToolError


class ArchiveError(ToolError):
    """Debian's archive does not have, today, what a base system is made of."""


@dataclass(frozen=True)
class Release:
    """What a base system can be made of.

    Attributes:
        name: as ``dpm-lab osa --release`` takes it
        suite: the suite that everything comes from which `newer` does not bring
        newer: a suite of backports
        pinned: the packages that come from `newer` where it has them, as apt_preferences(5)
            names packages; apt takes nothing from backports unless it is told to
        picked: packages, each with the suite that it is taken from; nothing else of that suite is
    """

    name: str
    suite: str
    newer: str | None = None
    pinned: str = "*"
    picked: tuple[tuple[str, str], ...] = ()

    @property
    def suites(self) -> tuple[str, ...]:
        """All suites, the oldest first."""
        others = dict.fromkeys(suite for _, suite in self.picked)
        return tuple(filter(None, (self.suite, self.newer, *others)))

    @property
    def preferences(self) -> str:
        """A file for ``/etc/apt/preferences.d``; empty where there is nothing to prefer."""
        found = []
        if self.newer is not None:
            # 500 is the priority of any other suite, so the newer version wins.
            found.append((self.pinned, self.newer, 500))
        # What is negative is never installed; a package's own record comes before that of all.
        found += [("*", suite, -1) for suite in self.suites[1:] if suite != self.newer]
        found += [(package, suite, 500) for package, suite in self.picked]
        return "\n".join(
            f"Package: {packages}\nPin: release n={suite}\nPin-Priority: {priority}\n"
            for packages, suite, priority in found
        )

    def picking(self, package: str, suite: str) -> Release:
        """Return the same with a package of another suite."""
        return replace(
            self,
            name=f"{self.name} with {suite}'s {package}",
            picked=(*self.picked, (package, suite)),
        )


BULLSEYE = Release("bullseye", "bullseye")
BOOKWORM = Release("bookworm", "bookworm")
TRIXIE = Release("trixie", "trixie")
FORKY = Release("forky", "forky")
#: Kernel 6.12 and systemd 254, with the libraries that they need.
BACKPORTS = Release("bookworm-backports", "bookworm", "bookworm-backports")
#: Better than nothing: only the kernel is new.
BACKPORTED_KERNEL = Release("bookworm-kernel", "bookworm", "bookworm-backports", "src:linux")

#: What is newer than Debian 12, the best one first. Backports come before testing, because testing
#: is another system each month.
NEWER = (TRIXIE, BACKPORTS, FORKY, BACKPORTED_KERNEL)


@dataclass(frozen=True)
class Choice:
    """The release that a system is made of.

    Attributes:
        why: what is wrong with each better one today
    """

    release: Release
    why: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ", ".join([self.release.name, *self.why])


def choose(
    candidates: Sequence[Release],
    *,
    is_made: Callable[[Release], bool],
    missing: Callable[[Release], str],
) -> Choice:
    """Return the first of `candidates` that is made already, or else that can be made.

    What was made once is taken without asking: it is good whatever state the archive is in now.

    Args:
        is_made: whether the cache has the system made of a release
        missing: what the archive lacks for it, empty where it lacks nothing
            (:meth:`dpm_lab.debian.system.System.missing`)

    Raises:
        ArchiveError: none of them is made, and none can be.
    """
    for release in candidates:
        if is_made(release):
            return Choice(release)
    why: list[str] = []
    for release in candidates:
        wrong = missing(release)
        if not wrong:
            return Choice(release, tuple(why))
        why.append(f"not {release.name} ({wrong})")
    raise ArchiveError(f"Debian's archive cannot give the base system today: {', '.join(why)}")
