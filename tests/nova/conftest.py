"""The lab's HMCs, one process for each machine, and a Nova on one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dpm_lab.hmc import HmcProcess
from tests import brisk

if TYPE_CHECKING:
    from tests.nova.cloud import Cloud


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave Nova's deprecations to Nova."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning"))


@pytest.fixture(scope="session")
def hmcs() -> Iterator[Callable[[str], HmcProcess]]:
    """Return a function that returns the HMC of a machine, as it was at its start."""
    running: dict[str, HmcProcess] = {}
    with ExitStack() as stack:

        def hmc(machine: str) -> HmcProcess:
            if machine not in running:
                running[machine] = stack.enter_context(HmcProcess(machine, options=brisk.OPTIONS))
            running[machine].control.reset()
            return running[machine]

        yield hmc


@pytest.fixture(scope="session")
def nova(
    hmcs: Callable[[str], HmcProcess], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OneNova]:
    """Return the one Nova of this process, which is on one machine or another, or not there."""
    one = OneNova(hmcs, tmp_path_factory.mktemp("nova") / "nova.conf")
    yield one
    one.end()


class OneNova:
    """Starts a Nova where another machine is asked for; there can be one in a process."""

    def __init__(self, hmcs: Callable[[str], HmcProcess], conf: Path) -> None:
        self._hmcs = hmcs
        self._conf = conf
        self._running: Cloud | None = None

    def on(self, machine: str) -> Cloud:
        """Return a Nova on a machine, the running one if it is."""
        # Late: Nova's tests set up logging and threads when they are imported.
        from tests.nova.cloud import Cloud

        if self._running is None or self._running.machine.name != machine:
            self.end()
            self._running = Cloud(self._hmcs(machine), self._conf).__enter__()
        return self._running

    def end(self) -> None:
        """Have no Nova."""
        running, self._running = self._running, None
        if running is not None:
            running.__exit__()


@pytest.fixture(scope="session")
def machine(request: pytest.FixtureRequest) -> str:
    """Return the name of the machine, of those that `tests.nova.machine.on` names."""
    return str(request.param)


@pytest.fixture
def cloud(nova: OneNova, machine: str) -> Cloud:
    """Return a Nova on that machine without servers and ports, and an HMC as at its start."""
    cloud = nova.on(machine)
    cloud.clear()
    return cloud
