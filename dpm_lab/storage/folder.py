"""The folder: LUNs are made, copied, grown, shown to hosts and deleted.

A copy never copies data. A LUN's file is an overlay; a snapshot freezes it, and the LUN goes on in
a new overlay. A file is removed when no LUN and no snapshot stands on it any more.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from dpm_lab.guests.disk import qcow2
from dpm_lab.process import ask, run
from dpm_lab.storage.state import (
    TARGETS,
    InUseError,
    Lun,
    NoSuchLunError,
    State,
    StorageError,
    changing,
    check_name,
    check_wwpns,
    read,
)

#: The formats of images that are taken and given.
Format = Literal["qcow2", "raw"]


class Storage:
    """The storage subsystem in a folder; more than one process may use it at a time."""

    #: The WWPNs of its ports.
    targets = TARGETS

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).absolute()
        self._layers = self.folder / "luns"
        self._images = self.folder / "images"

    # -- what there is

    def luns(self) -> tuple[Lun, ...]:
        """Return all LUNs."""
        return tuple(read(self.folder).luns.values())

    def lun(self, name: str) -> Lun:
        """Return one.

        Raises:
            NoSuchLunError: there is none of that name.
        """
        return read(self.folder).lun(name)

    def snapshots(self) -> tuple[str, ...]:
        """Return the names of all snapshots."""
        return tuple(read(self.folder).snapshots)

    def seen_by(self, *wwpns: str) -> tuple[Lun, ...]:
        """Return the LUNs that hosts with these WWPNs see."""
        wanted = set(check_wwpns(wwpns))
        return tuple(lun for lun in self.luns() if wanted & set(lun.masked))

    def find(self, host: str, target: str, fcp_lun: str) -> Lun | None:
        """Return the LUN on a path, None where the host does not see one there."""
        if target not in self.targets:
            return None
        return next((lun for lun in self.seen_by(host) if lun.fcp_lun == fcp_lun), None)

    def files(self, name: str) -> tuple[Path, ...]:
        """Return the qcow2 files that a LUN consists of, from the top down.

        Raises:
            NoSuchLunError: there is none of that name.
        """
        state = read(self.folder)
        return state.chain(state.lun(name).layer, self._layers)

    def size(self, name: str) -> int:
        """Return a LUN's size in bytes."""
        return self.lun(name).size

    def has_image(self, key: str) -> bool:
        """Whether an image is kept here."""
        return self._image(key).exists()

    # -- LUNs

    def create(self, name: str, size: int) -> Lun:
        """Make an empty LUN of so many bytes."""
        with self._new(name) as state:
            return self._add(state, name, None, size)

    def create_from_image(
        self,
        name: str,
        image: Path | None,
        size: int | None = None,
        *,
        keep_as: str | None = None,
        form: Format = "qcow2",
    ) -> Lun:
        """Make a LUN that has the content of an image.

        A qcow2 that is not kept has to stay where it is. One that is kept is linked into the folder
        where that can be, and copied otherwise; a raw one is converted. It goes with the last LUN
        that stands on it.

        Args:
            image: not needed where it is kept already
            size: bytes; default: the image's
            keep_as: the name that it is kept under, which stands for its content

        Raises:
            LabError: it is no qcow2 that stands alone
            StorageError: the image is larger than that
        """
        with self._new(name) as state:
            backing = str(self._kept(image, keep_as, form))
            return self._add(state, name, backing, size)

    def put_image(self, name: str, image: Path | None, *, keep_as: str, form: Format) -> None:
        """Give a LUN the content of an image, and nothing of what it had.

        Raises:
            InUseError: a guest has it open
            LabError: as of `create_from_image`
        """
        with changing(self.folder) as state:
            lun = state.lun(name)
            self._check_idle(lun)
            backing = str(self._kept(image, keep_as, form))
            layer = self._make_layer(state, name, backing, lun.size)
            state.put(lun, layer=layer, parameters=())
            self._sweep(state)

    def write_to(self, name: str, file: Path, form: Format) -> None:
        """Copy what a LUN has to a file of its own.

        Raises:
            InUseError: a guest has it open
        """
        with changing(self.folder) as state:
            lun = state.lun(name)
            self._check_idle(lun)
            run(["qemu-img", "convert", "-f", "qcow2", "-O", form, self._layers / lun.layer, file])

    def clone(self, source: str, name: str, size: int | None = None) -> Lun:
        """Make a LUN that has the content of another one as it is now.

        Raises:
            InUseError: a guest writes to it
        """
        with self._new(name) as state:
            layer = self._freeze(state, source)
            made = self._add(state, name, layer, size)
            # What firmware has written is in the copy's boot map as well.
            return state.put(made, parameters=state.lun(source).parameters)

    def delete(self, name: str) -> None:
        """Delete a LUN. Its snapshots and clones stay.

        Raises:
            InUseError: hosts see it, or a guest has it open
        """
        with changing(self.folder) as state:
            lun = state.lun(name)
            if lun.masked:
                raise InUseError(f"LUN {name} is masked to {', '.join(lun.masked)}; unmask it")
            self._check_idle(lun)
            del state.luns[name]
            self._sweep(state)

    def extend(self, name: str, size: int) -> None:
        """Make a LUN larger; a guest that has it open does not let it.

        Raises:
            InUseError: a guest has it open
            StorageError: it is larger already
        """
        with changing(self.folder) as state:
            lun = state.lun(name)
            self._check_idle(lun)
            path = self._layers / lun.layer
            present = _size(path)
            if size < present:
                raise StorageError(f"LUN {name} has {present} bytes, which is more than {size}")
            run(["qemu-img", "resize", "-q", "-f", "qcow2", path, str(size)])
            state.put(lun, size=size)

    # -- snapshots

    def snapshot(self, source: str, name: str) -> None:
        """Keep what a LUN has now under a name of its own.

        Raises:
            InUseError: a guest writes to it
        """
        check_name(name)
        with changing(self.folder) as state:
            if name in state.snapshots:
                raise StorageError(f"there is a snapshot {name} already")
            state.snapshots[name] = self._freeze(state, source)

    def create_from_snapshot(self, snapshot: str, name: str, size: int | None = None) -> Lun:
        """Make a LUN that has the content of a snapshot."""
        with self._new(name) as state:
            return self._add(state, name, _snapshot(state, snapshot), size)

    def delete_snapshot(self, name: str) -> None:
        """Delete a snapshot. LUNs that were made of it stay."""
        with changing(self.folder) as state:
            _snapshot(state, name)
            del state.snapshots[name]
            self._sweep(state)

    # -- masking

    def mask(self, name: str, wwpns: Iterable[str]) -> None:
        """Let hosts with these WWPNs see a LUN, beside those that do already."""
        wanted = check_wwpns(wwpns)
        with changing(self.folder) as state:
            lun = state.lun(name)
            state.put(lun, masked=tuple(dict.fromkeys((*lun.masked, *wanted))))

    def unmask(self, name: str, wwpns: Iterable[str] | None = None) -> None:
        """Have hosts with these WWPNs, or all, see a LUN no more."""
        gone = None if wwpns is None else set(check_wwpns(wwpns))
        with changing(self.folder) as state:
            lun = state.lun(name)
            left = () if gone is None else tuple(w for w in lun.masked if w not in gone)
            state.put(lun, masked=left)

    def note_parameters(self, name: str, *texts: str) -> None:
        """Remember the kernel parameters of zipl and of firmware; do so before it writes them."""
        with changing(self.folder) as state:
            state.put(state.lun(name), parameters=texts)

    # -- inside

    @contextmanager
    def _new(self, name: str) -> Iterator[State]:
        check_name(name)
        with changing(self.folder) as state:
            if name in state.luns:
                raise StorageError(f"there is a LUN {name} already")
            yield state

    def _add(self, state: State, name: str, backing: str | None, size: int | None) -> Lun:
        number = state.free_number()
        layer = self._make_layer(state, name, backing, size)
        lun = state.luns[name] = Lun(name, number, layer, _size(self._layers / layer))
        return lun

    def _image(self, key: str) -> Path:
        return self._images / f"{check_name(key)}.qcow2"

    def _kept(self, image: Path | None, key: str | None, form: Format) -> Path:
        """Return the qcow2 of an image."""
        kept = self._image(key) if key is not None else None
        if kept is not None and kept.exists():
            return kept.resolve()
        if image is None:
            raise StorageError(f"the storage has no image {key!r}")
        if kept is None:
            qcow2.check(image)
            return image.resolve()
        self._images.mkdir(exist_ok=True)
        new = kept.with_suffix(".new")
        new.unlink(missing_ok=True)
        if form == "raw":
            run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", image, new])
        else:
            _link(image, new)
        try:
            qcow2.check(new)
        except BaseException:
            new.unlink()
            raise
        new.replace(kept)
        return kept.resolve()

    def _make_layer(self, state: State, name: str, backing: str | None, size: int | None) -> str:
        if backing is not None:
            present = _size(self._layers / backing)
            if size is not None and size < present:
                raise StorageError(f"{size} bytes are too few: {backing} has {present}")
        layer = f"{name}.{uuid.uuid4().hex[:8]}.qcow2"
        self._layers.mkdir(exist_ok=True)
        words: list[str | Path] = ["qemu-img", "create", "-q", "-f", "qcow2"]
        if backing is not None:
            words += ["-F", "qcow2", "-b", (self._layers / backing).resolve()]
        words.append(self._layers / layer)
        words += [str(size)] if size is not None else []
        run(words)
        state.layers[layer] = backing
        return layer

    def _freeze(self, state: State, name: str) -> str:
        """Have a LUN go on in a new layer; return the one that changes no more."""
        lun = state.lun(name)
        self._check_idle(lun)
        state.put(lun, layer=self._make_layer(state, name, lun.layer, None))
        return lun.layer

    def _check_idle(self, lun: Lun) -> None:
        # QEMU locks a file that it writes to, and its tools refuse to open it then ("Failed to get
        # shared "write" lock", block/file-posix.c).
        answer = ask(["qemu-img", "info", "-f", "qcow2", self._layers / lun.layer])
        if "lock" in answer.errors:
            raise InUseError(f"a guest has LUN {lun.name} open; stop its partition")
        if answer.code:
            raise StorageError(f"LUN {lun.name}: {answer.errors}")

    def _sweep(self, state: State) -> None:
        state.forget_unused()
        # Those, too, that were made by somebody who then failed or ended.
        for file in self._layers.glob("*.qcow2"):
            if file.name not in state.layers:
                file.unlink()
        used = set(state.layers.values())
        for file in self._images.glob("*"):
            if str(file.resolve()) not in used:
                file.unlink()


def _snapshot(state: State, name: str) -> str:
    try:
        return state.snapshots[name]
    except KeyError:
        raise NoSuchLunError(f"the storage has no snapshot {name!r}") from None


def _link(source: Path, new: Path) -> None:
    """Have a file under a second name, by which it stays when the first one goes."""
    try:
        os.link(source.resolve(), new)
    except OSError:  # another file system, or one without such links
        shutil.copyfile(source, new)


def _size(path: Path) -> int:
    # -U: also while a guest has it open.
    found = json.loads(run(["qemu-img", "info", "-U", "-f", "qcow2", "--output=json", path]))
    return int(found["virtual-size"])
