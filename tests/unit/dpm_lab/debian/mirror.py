"""An archive of Debian packages of the test's own."""

from __future__ import annotations

import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from dpm_lab.debian.archive import Archive


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


class Mirror:
    """An archive on the loopback: an index for each suite, and a pool.

    Args:
        architecture: Debian's word for that of its packages
    """

    def __init__(self, folder: Path, architecture: str = "s390x") -> None:
        self.folder = folder
        self.architecture = architecture
        handler = partial(Handler, directory=str(folder))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.archive = Archive(f"http://127.0.0.1:{self._server.server_port}", "trusted=yes")
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def __enter__(self) -> Mirror:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def pool(self, name: str, version: str) -> Path:
        """Return where the pool has a package."""
        file = self.folder / f"pool/{name}_{version}_{self.architecture}.deb"
        file.parent.mkdir(exist_ok=True)
        return file

    def publish(self, suite: str, *packages: tuple[str, str]) -> None:
        """Write a suite's index; a package that another one depends on comes after it.

        A package that the pool has (:meth:`pool`) is taken as it is, for others there is a file.
        """
        index = self.folder / f"dists/{suite}/main/binary-{self.architecture}/Packages"
        index.parent.mkdir(parents=True)
        entries = []
        for number, (name, version) in enumerate(packages):
            file = self.pool(name, version)
            if not file.exists():
                file.write_bytes(b"deb")
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            lines = [f"Package: {name}", f"Version: {version}"]
            lines += [f"Architecture: {self.architecture}", f"Filename: pool/{file.name}"]
            lines += [f"Size: {file.stat().st_size}", f"SHA256: {digest}"]
            lines += ["Source: linux"] if name.startswith("linux-") else []
            if number + 1 < len(packages):
                lines.append(f"Depends: {packages[number + 1][0]}")
            entries.append("\n".join(lines))
        index.write_text("\n\n".join(entries) + "\n")
        head = f"Suite: {suite}\nCodename: {suite}\nComponents: main\n"
        head += f"Architectures: {self.architecture}\n"
        if "backports" in suite:
            head += "NotAutomatic: yes\nButAutomaticUpgrades: yes\n"
        (index.parents[2] / "Release").write_text(head)

    def lose(self, name: str, version: str) -> None:
        """The index names a file that is not there."""
        self.pool(name, version).unlink()
