"""Device numbers of the driver's NICs."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count

from dpm_guest.ids import DEVNOS_OF_A_NIC, Devno

_FIRST = 0x1000
"""Where they begin: the HMC gives numbers of its own from 0001 upwards."""


def devno_at(place: int) -> Devno:
    """Return the device number of a NIC by its place among those that are made together.

    >>> devno_at(0), devno_at(2)
    ('1000', '1006')
    """
    return Devno.of(_FIRST + DEVNOS_OF_A_NIC * place)


def free_devno(taken: Iterable[Devno], former: Devno | None = None) -> Devno:
    """Return a number for a NIC more: `former` if it is free, else the first that is.

    >>> free_devno([Devno("1000"), Devno("1005")])
    '1009'
    >>> free_devno([Devno("1000")], Devno("2000"))
    '2000'

    Args:
        taken: where each of the other NICs begins, whoever has made it
        former: of a NIC that is made anew
    """
    used = {devno for first in taken for devno in first.triple}
    if former is not None and used.isdisjoint(former.triple):
        return former
    return next(devno for devno in map(devno_at, count()) if used.isdisjoint(devno.triple))
