"""Guests that are booted once for many tests, because a boot takes most of a minute."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dpm_lab.guests.hercules.guest import Configuration, Guest
from tests.osa.nics import NICS, TUPLES, reset


@pytest.fixture(scope="session")
def minimal_guest() -> Iterator[Guest]:
    """Debian 12 in which nothing was brought up."""
    with Guest(Configuration(NICS, TUPLES)) as guest:
        guest.check("modprobe -a qeth qeth_l2 qeth_l3")
        yield guest


@pytest.fixture
def guest(minimal_guest: Guest) -> Guest:
    """The same, as if just booted."""
    reset(minimal_guest)
    return minimal_guest
