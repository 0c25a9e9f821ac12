"""Writes down what the HMC has, so that one that is started again goes on with it."""

from __future__ import annotations

from pathlib import Path

from dpm_lab.hmc.api import kept
from dpm_lab.hmc.api.tree import Tree
from dpm_lab.hmc.wire.files import SECRET, write_new


class Keeper:
    """A file with all resources, written before a request that changes them is answered.

    So an HMC that is killed knows all that it has said.
    """

    def __init__(self, tree: Tree, path: Path) -> None:
        self._tree = tree
        self._path = path

    def start(self) -> None:
        """Go on with what the file has, if there is one, and write it from now on.

        Raises:
            MachineError: the file is of another machine, or cannot be read.
            StartError: it cannot be written.
        """
        if self._path.exists():
            kept.restore(self._tree, self._path.read_text(encoding="utf-8"))
        before = self._tree.changed

        def changed() -> None:
            before()
            self._write()

        with self._tree.lock:
            self._write()
            self._tree.changed = changed

    def _write(self) -> None:
        new = self._path.with_suffix(".new")
        write_new(new, kept.text(self._tree), SECRET)
        new.replace(self._path)
