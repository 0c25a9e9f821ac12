"""What a storage folder knows of its LUNs, in one JSON file that is replaced as a whole."""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from dpm_lab.errors import LabError

#: The WWPNs of the subsystem's two ports; each LUN is behind both.
TARGETS = ("500507680b21ac01", "500507680b22ac01")

_FILE, _LOCK = "state.json", "lock"
_WWPN = re.compile(r"[0-9a-f]{16}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

#: Peripheral addressing, one byte (SAM-5, 4.7.7): what os-brick and zfcp write as 00nn000000000000.
_NUMBERS = range(1, 256)


class StorageError(LabError):
    """The storage subsystem cannot do what it was asked for."""


class NoSuchLunError(StorageError):
    """There is no LUN, or no snapshot, of that name."""


class InUseError(StorageError):
    """A guest has the LUN open, or something depends on it."""


@dataclass(frozen=True)
class Lun:
    """A LUN.

    Attributes:
        number: what a Cinder connection calls ``target_lun``
        layer: the file in the folder that is written to
        size: bytes
        masked: WWPNs of hosts that see it
        parameters: kernel parameters of its boot map, where firmware has changed them: those that
            zipl wrote, and what firmware made of them
    """

    name: str
    number: int
    layer: str
    size: int
    masked: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()

    @property
    def fcp_lun(self) -> str:
        """The LUN as sysfs and the HMC write it: 16 hexadecimal digits."""
        return f"{self.number:04x}000000000000"


@dataclass
class State:
    """All that is known.

    Attributes:
        luns: by name
        snapshots: the layer of each, by name
        layers: what each file in the folder stands on: another one's name, the path of an image,
            or nothing
    """

    luns: dict[str, Lun] = field(default_factory=dict)
    snapshots: dict[str, str] = field(default_factory=dict)
    layers: dict[str, str | None] = field(default_factory=dict)

    def lun(self, name: str) -> Lun:
        """Return the LUN of a name.

        Raises:
            NoSuchLunError: there is none.
        """
        try:
            return self.luns[name]
        except KeyError:
            raise NoSuchLunError(f"the storage has no LUN {name!r}") from None

    def chain(self, layer: str, folder: Path) -> tuple[Path, ...]:
        """Return the files that a layer consists of, from the top down."""
        return tuple(folder / each for each in self._stack(layer))

    def _stack(self, layer: str) -> Iterator[str]:
        each: str | None = layer
        while each is not None:
            yield each
            each = self.layers.get(each)

    def free_number(self) -> int:
        """Return the lowest number that no LUN has.

        Raises:
            StorageError: all are taken.
        """
        taken = {lun.number for lun in self.luns.values()}
        for number in _NUMBERS:
            if number not in taken:
                return number
        raise StorageError(f"the storage has its maximum of {len(_NUMBERS)} LUNs; delete some")

    def put(self, lun: Lun, **changes: object) -> Lun:
        """Keep a LUN with some of its attributes changed."""
        changed = replace(lun, **changes)  # type: ignore[arg-type]
        self.luns[lun.name] = changed
        return changed

    def forget_unused(self) -> None:
        """Take away the layers that nothing stands on any more."""
        used = {lun.layer for lun in self.luns.values()} | set(self.snapshots.values())
        kept = {each for top in used for each in self._stack(top)}
        self.layers = {each: below for each, below in self.layers.items() if each in kept}


def check_name(name: str) -> str:
    """Return a name that is fit for a file.

    Raises:
        StorageError: it is not.
    """
    if not _NAME.fullmatch(name):
        raise StorageError(
            f"{name!r} is no name of a LUN: it has up to 128 letters, digits, '.', '_' and '-'"
        )
    return name


def check_wwpns(wwpns: Iterable[str]) -> tuple[str, ...]:
    """Return WWPNs in the form in which they are compared: 16 digits in lower case.

    Raises:
        StorageError: one of them is no WWPN.
    """
    found = tuple(wwpn.lower().replace(":", "").removeprefix("0x") for wwpn in wwpns)
    for wwpn in found:
        if not _WWPN.fullmatch(wwpn):
            raise StorageError(f"{wwpn!r} is no WWPN: it has 16 hexadecimal digits")
    return found


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def read(folder: Path) -> State:
    """Return what is known now; a folder that is new knows nothing.

    Raises:
        StorageError: the file is damaged.
    """
    path = folder / _FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        luns = {
            name: Lun(name, **{key: _frozen(value) for key, value in each.items()})
            for name, each in data["luns"].items()
        }
        return State(luns, dict(data["snapshots"]), dict(data["layers"]))
    except FileNotFoundError:
        return State()
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{path}: damaged: {error}") from error


@contextmanager
def changing(folder: Path) -> Iterator[State]:
    """Yield what is known, to be changed; nobody else changes it meanwhile.

    It is written when the block ends well, and stays as it was otherwise.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state = read(folder)
        yield state
        luns = {name: asdict(lun) for name, lun in state.luns.items()}
        for each in luns.values():
            del each["name"]
        data = {"luns": luns, "snapshots": state.snapshots, "layers": state.layers}
        new = folder / f"{_FILE}.new"
        with new.open("w", encoding="utf-8") as file:
            json.dump(data, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        new.replace(folder / _FILE)
