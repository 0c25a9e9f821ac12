"""One HMC of each kind for all tests; each test finds it as it was at the start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from dpm_lab.hmc import HmcServer
from tests import brisk
from tests.hmc.lab.client import Lab

TIMES = {**brisk.TIMES, "ports": 3600}
"""No discovery comes where a test does not want one."""

#: Tests of other things look at once; those of `test_status` say what is shown for a time.
AT_ONCE = {"after-start": "none", "after-stop": "none"}


@pytest.fixture(scope="package")
def labs() -> Iterator[Callable[[str], Lab]]:
    with ExitStack() as stack:
        made: dict[str, Lab] = {}

        def get(name: str) -> Lab:
            if name not in made:
                made[name] = Lab(
                    stack.enter_context(HmcServer(name, durations=TIMES, behaviour=AT_ONCE))
                )
            lab = made[name]
            lab.control.reset()
            return lab

        yield get


@pytest.fixture
def z13(labs: Callable[[str], Lab]) -> Lab:
    return labs("z13")


@pytest.fixture
def z14(labs: Callable[[str], Lab]) -> Lab:
    return labs("z14")


@pytest.fixture
def z16(labs: Callable[[str], Lab]) -> Lab:
    return labs("z16")


@pytest.fixture
def z17(labs: Callable[[str], Lab]) -> Lab:
    return labs("z17")
