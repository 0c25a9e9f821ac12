"""Whether Debian's archive has all packages of a system: apt says which, the archive has them."""

from __future__ import annotations

import concurrent.futures
import functools
import http.client
import re
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dpm_lab.debian.releases import Release
from dpm_lab.errors import ToolError
from dpm_lab.process import run

_AT_ONCE = 8
_SECONDS = 60.0
_TRIES = 2
#: Of the files that are missing, so many are named.
_NAMED = 3
#: A server that knows no HEAD: whether it has the file is seen when it is fetched.
_UNTOLD = (405, 501)
_URI = re.compile(r"^'([^']+)' \S+ \d+", re.MULTILINE)
_HINT = "see the mirrors of this machine's apt"


@dataclass(frozen=True)
class Archive:
    """An archive of Debian packages.

    Attributes:
        mirror: its URI, without ``dists``
        options: those of a line in ``sources.list`` (sources.list(5))
    """

    mirror: str
    options: str = "signed-by=/usr/share/keyrings/debian-archive-keyring.gpg"

    @classmethod
    def own(cls) -> Archive:
        """Return the one that this machine's apt takes Debian from; it has other releases too.

        Raises:
            ToolError: this is no Debian, or apt knows no mirror.
        """
        command = ["apt-get", "indextargets", "--format", "$(REPO_URI)"]
        for release in ("bookworm", "trixie"):
            query = [f"Release: {release}", "Component: main", "Origin: Debian"]
            lines = run([*command, *query], "is this Debian?").split()
            if lines:
                return cls(lines[0])
        raise ToolError("this machine's apt knows no mirror of Debian; run 'apt-get update'")

    def sources(self, release: Release) -> list[str]:
        """Return the lines of ``sources.list`` for a release."""
        return [f"deb [{self.options}] {self.mirror} {suite} main" for suite in release.suites]

    def missing(self, release: Release, architecture: str, packages: Sequence[str]) -> str:
        """Return what it lacks of `packages` and all that they depend on, in a few words.

        Args:
            architecture: Debian's word for it, ``s390x`` or ``amd64``
            packages: as ``apt-get install`` takes them
        """
        try:
            uris = self._uris(release, architecture, packages)
        except ToolError as error:
            # apt names each index and package that it has a complaint about in a line of its own.
            said = [line[3:] for line in str(error).splitlines() if line.startswith("E: ")]
            return said[0] if said else str(error).splitlines()[0]
        with concurrent.futures.ThreadPoolExecutor(_AT_ONCE) as pool:
            wrong = [one for one in pool.map(_wrong_with, uris) if one]
        if not wrong:
            return ""
        more = f" and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
        return f"{len(wrong)} of {len(uris)} files: {', '.join(wrong[:_NAMED])}{more}"

    def fetch(
        self, release: Release, architecture: str, packages: Sequence[str], folder: Path
    ) -> list[Path]:
        """Fetch packages, without what they depend on, into `folder`; apt checks their signatures.

        Raises:
            ToolError: the archive lacks one of them.
        """
        with self._apt(release, architecture) as apt:
            run(["env", f"--chdir={folder}", *apt, "download", *packages], _HINT)
        return sorted(folder.glob("*.deb"))

    def _uris(self, release: Release, architecture: str, packages: Sequence[str]) -> list[str]:
        with self._apt(release, architecture) as apt:
            install = ["install", "--yes", "--no-install-recommends", "--print-uris"]
            return _URI.findall(run([*apt, *install, *packages], _HINT))

    @contextmanager
    def _apt(self, release: Release, architecture: str) -> Iterator[list[str]]:
        """An apt with its own configuration for all but archive and machine; its lists are new."""
        with tempfile.TemporaryDirectory(prefix="dpm-lab-") as folder:
            place = Path(folder)
            for name in ("lists/partial", "archives/partial", "preferences.d"):
                (place / name).mkdir(parents=True)
            (place / "status").touch()
            (place / "sources.list").write_text("\n".join(self.sources(release)) + "\n")
            (place / "preferences.d/release").write_text(release.preferences)
            settings = {
                "Dir::State::lists": place / "lists",
                "Dir::State::status": place / "status",
                "Dir::State::extended_states": place / "extended_states",
                "Dir::Cache": place,
                "Dir::Etc::sourcelist": place / "sources.list",
                "Dir::Etc::sourceparts": "/dev/null",
                "Dir::Etc::preferences": "/dev/null",
                "Dir::Etc::preferencesparts": place / "preferences.d",
                "APT::Architecture": architecture,
                "APT::Architectures": architecture,
                "APT::Sandbox::User": "root",  # others may not enter the folder
                "Acquire::Languages": "none",
                "Acquire::Retries": _TRIES,
                # mmdebstrap's apt does not read this machine's configuration: what that one
                # refuses is refused here too.
                "Acquire::Check-Valid-Until": "true",
                "Acquire::Check-Date": "true",
            }
            apt = ["apt-get", *(f"-o{name}={value}" for name, value in settings.items())]
            run([*apt, "--error-on=any", "update"], _HINT)
            yield apt


@functools.cache
def _opener() -> urllib.request.OpenerDirector:
    """Requests go where apt's go."""
    asked = run(["apt-config", "dump", "--format", "%f %v%n", "Acquire::http::Proxy"], _HINT)
    words = asked.split()
    proxies = {"http": words[1]} if len(words) == 2 and words[1] != "DIRECT" else None
    return urllib.request.build_opener(urllib.request.ProxyHandler(proxies))


def _wrong_with(uri: str) -> str:
    """What is wrong with a file of the archive, in a few words; nothing if it can be fetched."""
    if urllib.parse.urlsplit(uri).scheme not in ("http", "https"):
        return ""
    name = urllib.parse.unquote(uri.rpartition("/")[2])
    said = ""
    for _ in range(_TRIES):
        try:
            request = urllib.request.Request(uri, method="HEAD")
            with _opener().open(request, timeout=_SECONDS):
                return ""
        except urllib.error.HTTPError as error:
            if error.code in _UNTOLD:
                return ""
            said = f"{name} answers {error.code}"
            if error.code < 500:
                break
        except (OSError, http.client.HTTPException) as error:
            said = f"{name}: {getattr(error, 'reason', error)}"
    return said
