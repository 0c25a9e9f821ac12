"""A base system, made by mmdebstrap."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from dpm_lab.debian.archive import Archive
from dpm_lab.debian.releases import ArchiveError, Release
from dpm_lab.errors import ToolError
from dpm_lab.process import run

#: apt-patterns(7). A suite that single packages are taken from may have other essential ones.
_ESSENTIAL = "?narrow(?codename(^{suite}$),?essential)"
_REQUIRED = "?narrow(?codename(^{suite}$),?priority(required))"
#: What each of mmdebstrap's variants has besides the packages that are named (its manual page).
_BESIDES = {
    "extract": (),
    "essential": (_ESSENTIAL,),
    "minbase": (_ESSENTIAL, _REQUIRED, "apt"),
}


@dataclass(frozen=True)
class System:
    """What to make.

    Attributes:
        architecture: Debian's word for it, ``s390x`` or ``amd64``
        variant: mmdebstrap's
        packages: what it has beyond that
        options: further ones of mmdebstrap
    """

    architecture: str
    variant: str
    packages: tuple[str, ...]
    options: tuple[str, ...] = ()

    def missing(self, release: Release, archive: Archive | None = None) -> str:
        """Return what an archive (default: this machine's) lacks for it, in a few words."""
        archive = Archive.own() if archive is None else archive
        besides = (each.format(suite=release.suite) for each in _BESIDES[self.variant])
        packages = (*besides, *self.packages)
        return archive.missing(release, self.architecture, packages)

    def make(self, release: Release, target: Path, archive: Archive | None = None) -> None:
        """Make it in `target`, a folder or a tarball.

        Raises:
            ArchiveError: the archive lacks files, which the text names.
            ToolError: mmdebstrap failed for another reason.
        """
        archive = Archive.own() if archive is None else archive
        with tempfile.NamedTemporaryFile("w", prefix="dpm-lab-", encoding="utf-8") as preferences:
            preferences.write(release.preferences)
            preferences.flush()
            command = [
                "mmdebstrap",
                "--quiet",
                f"--variant={self.variant}",
                f"--architectures={self.architecture}",
                f"--include={','.join(self.packages)}",
                '--aptopt=Acquire::Languages "none"',
                "--aptopt=Acquire::Retries 5",
                f"--setup-hook=copy-in {preferences.name} /tmp",
                f'--setup-hook=mv "$1{preferences.name}" "$1/etc/apt/preferences.d/release"',
                *self.options,
                release.suite,
                str(target),
                *archive.sources(release),
            ]
            try:
                run(command, "see tools/debian-packages.txt and the mirrors of this machine's apt")
            except ToolError:
                # Its words are many. Where the archive is the cause, the archive's say more.
                if wrong := self.missing(release, archive):
                    raise ArchiveError(
                        f"Debian's archive cannot give {release.name}: {wrong}"
                    ) from None
                raise
