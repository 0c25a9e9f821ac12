"""Writes down what the HMC has, so that one that is started again goes on with it."""

from __future__ import annotations

import threading
from pathlib import Path

from dpm_lab.hmc.api import kept
from dpm_lab.hmc.api.tree import Tree
from dpm_lab.hmc.wire.files import SECRET, write_new

#: Changes that come within so many seconds of each other are written at once.
_PAUSE = 0.1


class Keeper:
    """A file with all resources, written after each change in a thread of its own.

    An HMC that is killed loses what changed in the last tenth of a second.
    """

    def __init__(self, tree: Tree, path: Path) -> None:
        self._tree = tree
        self._path = path
        self._news = threading.Event()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hmc-keeper", daemon=True)

    def start(self) -> None:
        """Go on with what the file has, if there is one, and write it from now on.

        Raises:
            MachineError: the file is of another machine, or cannot be read.
            StartError: it cannot be written.
        """
        if self._path.exists():
            kept.restore(self._tree, self._path.read_text(encoding="utf-8"))
        self._write()
        before = self._tree.changed

        def changed() -> None:
            before()
            self._news.set()

        self._tree.changed = changed
        self._thread.start()

    def close(self) -> None:
        """Write it once more, and end."""
        if self._thread.is_alive():
            self._end.set()
            self._news.set()
            self._thread.join()
            self._write()

    def _run(self) -> None:
        while not self._end.is_set():
            self._news.wait()
            self._news.clear()
            self._write()
            self._end.wait(_PAUSE)

    def _write(self) -> None:
        with self._tree.lock:
            text = kept.text(self._tree)
        new = self._path.with_suffix(".new")
        write_new(new, text, SECRET)
        new.replace(self._path)
