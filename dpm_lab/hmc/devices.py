"""Device numbers: unique in a partition over its NICs, HBAs and virtual storage resources.

NICs that are PCI functions have numbers of another space (IBM, NIC object: "among PCI-based ones").
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from dpm_lab.hmc.refusals import Refusal, bad
from dpm_lab.hmc.tree import Tree

_LOWEST, _HIGHEST = 0x0001, 0xFFFF
#: Where generated numbers begin, as in zhmcclient.mock.
_GENERATED = 0x8000
#: NICs that are qeth devices: read, write and data channel, consecutive.
_THREE = frozenset({"osd", "iqd"})


_PCI = frozenset({"roce", "cna", "neth", "netd"})


def is_pci(nic_type: str) -> bool:
    """Return whether a NIC of a type is a PCI function."""
    return nic_type in _PCI


def width(nic_type: str) -> int:
    """Return how many device numbers a NIC of a type takes."""
    return 3 if nic_type in _THREE else 1


def taken(tree: Tree, partition: Any, but: str = "", *, pci: bool = False) -> set[int]:
    """Return the numbers in use in one space, but those of the device at URI `but`."""
    return {
        number
        for uri, first, count in (_pci if pci else _devices)(tree, partition)
        if uri != but
        for number in range(first, first + count)
    }


def _pci(tree: Tree, partition: Any) -> Iterator[tuple[str, int, int]]:
    for nic in partition.nics.list():
        if is_pci(nic.properties["type"]):
            yield nic.uri, int(nic.properties["device-number"], 16), 1


def _devices(tree: Tree, partition: Any) -> Iterator[tuple[str, int, int]]:
    for nic in partition.nics.list():
        kind = nic.properties["type"]
        if not is_pci(kind):
            yield nic.uri, int(nic.properties["device-number"], 16), width(kind)
    for hba in partition.hbas.list():
        yield hba.uri, int(hba.properties["device-number"], 16), 1
    for uri in partition.properties.get("storage-group-uris", ()):
        for port in tree.find(uri).virtual_storage_resources.list():
            if port.properties["partition-uri"] == partition.uri:
                yield port.uri, int(port.properties["device-number"], 16), 1


def choose(
    tree: Tree,
    partition: Any,
    wanted: object,
    count: int,
    but: str = "",
    *,
    pci: bool = False,
) -> str:
    """Return the number `wanted`, or a free one where that is None, as four hexadecimal digits.

    :raises Refusal: 400, 7: it is no number from 0001 to FFFF; 409, 113 (both guessed): it, or one
        of the `count` that begin with it, is in use.
    """
    used = taken(tree, partition, but, pci=pci)
    if wanted is None:
        return f"{_free(used, count):04x}"
    if not isinstance(wanted, str) or not re.fullmatch(r"[0-9A-Fa-f]{4}", wanted):
        raise bad("device-number", wanted, "it has four hexadecimal digits")
    first = int(wanted, 16)
    if not _LOWEST <= first <= _HIGHEST - count + 1:
        raise bad("device-number", wanted, f"{count} numbers must fit between 0001 and FFFF")
    clash = used.intersection(range(first, first + count))
    if clash:
        raise Refusal(
            409,
            113,
            f"Device number {wanted}: {min(clash):04x} is in use in the partition",
        )
    return wanted.lower()


def _free(used: set[int], count: int) -> int:
    for lowest in (_GENERATED, _LOWEST):
        for first in range(lowest, _HIGHEST - count + 2):
            if used.isdisjoint(range(first, first + count)):
                return first
    raise Refusal(409, 113, "The partition has no device numbers left")
