"""The lab's HMCs, one process for each machine, and a Nova on one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dpm_lab.hmc import HmcProcess

if TYPE_CHECKING:
    from tests.nova.cloud import Cloud


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, and leave Nova's deprecations to Nova."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.nova)
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning"))


@pytest.fixture(scope="session")
def hmcs() -> Iterator[Callable[[str], HmcProcess]]:
    """Return a function that returns the HMC of a machine, as it was at its start."""
    running: dict[str, HmcProcess] = {}
    with ExitStack() as stack:

        def hmc(machine: str) -> HmcProcess:
            if machine not in running:
                running[machine] = stack.enter_context(HmcProcess(machine))
            running[machine].control.reset()
            return running[machine]

        yield hmc


@pytest.fixture(scope="module")
def running_cloud(
    request: pytest.FixtureRequest,
    hmcs: Callable[[str], HmcProcess],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Cloud]:
    """Return a Nova on the machine that `tests.nova.machine.on` names, for a module's tests."""
    # Late: Nova's tests set up logging and threads when they are imported.
    from tests.nova.cloud import Cloud

    conf = tmp_path_factory.mktemp("nova") / "nova.conf"
    with Cloud(hmcs(request.param), conf) as cloud:
        yield cloud


@pytest.fixture
def cloud(running_cloud: Cloud) -> Iterator[Cloud]:
    """Return that Nova without servers and ports, and its HMC as it was at its start."""
    running_cloud.clear()
    yield running_cloud
    running_cloud.clear()
