"""A fibre channel volume, as Cinder describes it in a ``connection_info``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dpm_hmc import answers
from dpm_hmc.answers import Properties
from nova_dpm.errors import RefusedError

PROTOCOL = "fibre_channel"

_UNREADABLE = (
    "Cinder's connection of the volume cannot be read; an operator finds the reason in the log of "
    "nova-compute"
)
_WWPN = re.compile(r"(?:0x)?[0-9a-f]{16}|(?:[0-9a-f]{2}:){7}[0-9a-f]{2}", re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,19})|0x[0-9a-f]{1,16}", re.ASCII | re.IGNORECASE)

_AS_IS = ("SAM", "transparent")
_SAM2 = "SAM2"
_SAM3_FLAT = "SAM3-flat"
_FLAT = 0x4000
"""The bits by which a LUN's first two bytes say that they are a number in a flat space."""
_FIRST_FLAT = 256


@dataclass(frozen=True)
class Path:
    """One way to a volume: both ends' WWPNs and the LUN, 16 lower case hex digits each."""

    initiator: str
    target: str
    lun: str

    def __str__(self) -> str:
        return f"LUN {self.lun} of target {self.target}, from WWPN {self.initiator}"


@dataclass(frozen=True)
class FcVolume:
    """A volume and the ways to it.

    Args:
        targets: WWPN and LUN of each target port
        zones: the targets that an initiator reaches, by its WWPN; empty where nobody said
    """

    targets: tuple[tuple[str, str], ...]
    zones: Mapping[str, frozenset[str]]

    def __str__(self) -> str:
        luns = {lun for _, lun in self.targets}
        if len(luns) == 1:
            return f"LUN {luns.pop()} of targets {', '.join(wwpn for wwpn, _ in self.targets)}"
        return ", ".join(f"LUN {lun} of target {wwpn}" for wwpn, lun in self.targets)

    @classmethod
    def parse(cls, connection_info: object) -> FcVolume:
        """Read a connection of Cinder.

        Raises:
            RefusedError: it is none of fibre channel, or names no target or LUN.
        """
        if not isinstance(connection_info, Mapping):
            raise RefusedError(_UNREADABLE, f"it is {type(connection_info).__name__}")
        kind = connection_info.get("driver_volume_type")
        if kind != PROTOCOL:
            raise RefusedError(
                f"the volume is connected over {kind}, and a partition can have {PROTOCOL} only; "
                "choose a volume type of a fibre channel backend"
            )
        data = connection_info.get("data") or {}
        if not isinstance(data, Mapping):
            raise RefusedError(_UNREADABLE, f"its data is {type(data).__name__}")
        wwpns = _as_list(data.get("target_wwns")) or _as_list(data.get("target_wwn"))
        luns = _as_list(data.get("target_luns")) or _as_list(data.get("target_lun"))
        if not wwpns or not luns:
            raise RefusedError(
                "Cinder's connection of the volume names no target WWPN or no LUN; ask an operator "
                "to look at Cinder's backend"
            )
        if len(luns) == 1:
            luns *= len(wwpns)
        try:
            mode = data.get("addressing_mode")
            pairs = zip(wwpns, luns, strict=True)
            targets = [(_wwpn(wwpn), fcp_lun(lun, mode)) for wwpn, lun in pairs]
            zones = {
                _wwpn(initiator): frozenset(_wwpn(target) for target in _as_list(reached))
                for initiator, reached in _zones(data.get("initiator_target_map")).items()
            }
        except ValueError as error:
            raise RefusedError(_UNREADABLE, str(error)) from None
        return cls(tuple(targets), zones)

    def path(self, initiators: Iterable[str], ignored: frozenset[str]) -> Path:
        """Return the way to boot over: the first initiator that reaches a target, and that target.

        Raises:
            RefusedError: there is none.
        """
        return next(self.paths(initiators, ignored))

    def paths(self, initiators: Iterable[str], ignored: frozenset[str]) -> Iterator[Path]:
        """Yield the ways to boot over, by initiator, then by target.

        Args:
            initiators: the partition's WWPNs, in their order
            ignored: target WWPNs not to boot from

        Raises:
            RefusedError: there is none.
        """
        usable = [(wwpn, lun) for wwpn, lun in self.targets if wwpn not in ignored]
        found = [
            Path(initiator, target, lun)
            for initiator in initiators
            for target, lun in usable
            if not self.zones or target in self.zones.get(initiator, ())
        ]
        if found:
            yield from found
            return
        named = ", ".join(wwpn for wwpn, _ in self.targets)
        raise RefusedError(
            "no way to the volume: none of the partition's WWPNs reaches a target of it; an "
            "operator finds zoning and targets to check in the log of nova-compute",
            f"its targets are {named}; check the zoning, and target_wwpn_ignore_list",
        )


def fcp_lun(lun: object, addressing_mode: object = None) -> str:
    """Return a LUN as the 16 hex digits that the HMC and zfcp want.

    They are os-brick's for s390x (7.1, ``connectors/fibre_channel_s390x.py``, ``_get_lun_string``):
    up to 16 bits are the first level of the LUN, up to 32 bits the first two (DS8000).

    Args:
        lun: a number, or its text
        addressing_mode: how the array writes it (os-brick's ``constants.py``: ``SAM``, ``SAM2``,
            ``SAM3-flat``, ``transparent``); nothing stands for ``SAM``

    >>> fcp_lun(1)
    '0001000000000000'
    >>> fcp_lun(0x40104022)
    '4010402200000000'
    >>> fcp_lun(300, "SAM2")
    '412c000000000000'

    Raises:
        ValueError: `lun` is no number that can be one, or the mode is unknown.
    """
    if addressing_mode not in (None, "", *_AS_IS, _SAM2, _SAM3_FLAT):
        raise ValueError(f"addressing_mode {addressing_mode!r} is none of os-brick's")
    written = str(lun) if type(lun) is int else lun
    if not isinstance(written, str) or not _NUMBER.fullmatch(written):
        raise ValueError(f"{lun!r} is no LUN")
    number = int(written, 0)
    if addressing_mode == _SAM3_FLAT or (addressing_mode == _SAM2 and number >= _FIRST_FLAT):
        number += _FLAT
    if not 0 <= number < 1 << 32:
        raise ValueError(f"LUN {lun} is out of range")
    return f"{number:04x}".ljust(16, "0") if number < 1 << 16 else f"{number:08x}00000000"


def wwpn(properties: Properties, name: str) -> str:
    """Return a property of the HMC that is a WWPN: 16 lower case hex digits.

    Raises:
        AnswerError: it is none.
    """
    return answers.matching(properties, name, "[0-9a-f]{16}", "a WWPN")


def _wwpn(value: object) -> str:
    if not isinstance(value, str) or not _WWPN.fullmatch(value):
        raise ValueError(f"{value!r} is no WWPN")
    return value.lower().removeprefix("0x").replace(":", "")


def _zones(value: object) -> Mapping[object, object]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError(f"initiator_target_map is {type(value).__name__}")
    return value


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple | set) else [value]
