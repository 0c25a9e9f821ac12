"""Device numbers: unique in a partition over its NICs, HBAs and virtual storage resources.

NICs that are PCI functions have numbers of another space (IBM, NIC object: "among PCI-based ones").
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from dpm_lab.hmc.api.refusals import Reason, bad
from dpm_lab.hmc.api.resources import Resource
from dpm_lab.hmc.api.tree import Tree

_LOWEST, _HIGHEST = 0x0001, 0xFFFF
#: Where generated numbers begin, as in zhmcclient.mock.
_GENERATED = 0x8000
#: NICs that are qeth devices: read, write and data channel, consecutive.
_THREE = frozenset({"osd", "iqd"})
#: NICs that are PCI functions.
_PCI = frozenset({"roce", "cna", "neth", "netd"})


def _width(nic_type: str) -> int:
    return 3 if nic_type in _THREE else 1


def _taken(tree: Tree, partition: Resource, but: str, *, pci: bool) -> set[int]:
    """Return the numbers in use in one space, but those of the device at URI `but`."""
    devices = _nics(partition, pci=pci)
    if not pci:
        devices = itertools.chain(devices, _storage(tree, partition))
    return {
        number
        for uri, first, count in devices
        if uri != but
        for number in range(first, first + count)
    }


def _nics(partition: Resource, *, pci: bool) -> Iterator[tuple[str, int, int]]:
    for nic in partition.of("nic"):
        kind = nic.properties["type"]
        if (kind in _PCI) == pci:
            yield nic.uri, int(nic.properties["device-number"], 16), _width(kind)


def _storage(tree: Tree, partition: Resource) -> Iterator[tuple[str, int, int]]:
    for hba in partition.of("hba"):
        yield hba.uri, int(hba.properties["device-number"], 16), 1
    for uri in partition.properties.get("storage-group-uris", ()):
        for port in tree.find(uri).of("virtual-storage-resource"):
            if port.properties["partition-uri"] == partition.uri:
                yield port.uri, int(port.properties["device-number"], 16), 1


def choose(
    tree: Tree, partition: Resource, wanted: object, but: str = "", *, nic_type: str = ""
) -> str:
    """Return the number `wanted`, or a free one where that is None, as four hexadecimal digits.

    Args:
        but: the URI of the device that it is for, whose own number is free
        nic_type: what kind of NIC it is for; "": for something else

    Raises:
        Refusal: 400, 7: it is no number from 0001 to FFFF; 409, 113 (both guessed): it, or one of
            those that the device has besides, is in use.
    """
    count = _width(nic_type)
    used = _taken(tree, partition, but, pci=nic_type in _PCI)
    if wanted is None:
        return f"{_free(used, count):04x}"
    if not isinstance(wanted, str) or not re.fullmatch(r"[0-9A-Fa-f]{4}", wanted):
        raise bad("device-number", wanted, "it has four hexadecimal digits")
    first = int(wanted, 16)
    if not _LOWEST <= first <= _HIGHEST - count + 1:
        raise bad("device-number", wanted, f"{count} numbers must fit between 0001 and FFFF")
    clash = used.intersection(range(first, first + count))
    if clash:
        raise Reason.DEVICE_NUMBER_TAKEN(
            f"Device number {wanted}: {min(clash):04x} is in use in the partition",
        )
    return wanted.lower()


def _free(used: set[int], count: int) -> int:
    for lowest in (_GENERATED, _LOWEST):
        for first in range(lowest, _HIGHEST - count + 2):
            if used.isdisjoint(range(first, first + count)):
                return first
    raise Reason.DEVICE_NUMBER_TAKEN("The partition has no device numbers left")
