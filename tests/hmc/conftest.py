"""An HMC of the lab, and the driver's door to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dpm_hmc.client import Hmc
from dpm_hmc.cpc import Cpc
from nova_dpm.check import start
from tests.driver.lab import Lab


@pytest.fixture(scope="module")
def _z13() -> Iterator[Lab]:
    with Lab("z13") as lab:
        yield lab


@pytest.fixture
def lab(_z13: Lab) -> Iterator[Lab]:
    """A z13 with nothing on it, in the time of `tests.driver.haste`."""
    yield _z13
    _z13.control.reset()


@pytest.fixture
def hmc(lab: Lab) -> Iterator[Hmc]:
    """The door to it, logged on."""
    hmc = lab.hmc()
    hmc.api_version()
    lab.control.reset_log()
    yield hmc
    hmc.close()


@pytest.fixture
def cpc(lab: Lab, hmc: Hmc) -> Cpc:
    """The machine."""
    found = start.usable_cpc(hmc, lab.settings())
    lab.control.reset_log()
    return found
