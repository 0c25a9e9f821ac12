"""The lab's HMCs, one process for each machine, and a Nova on one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
            for operation in ("start", "stop", "fulfil"):
                running[machine].control.set_duration(operation, 0.05)
            return running[machine]

        yield hmc


@pytest.fixture
def clouds(hmcs: Callable[[str], HmcProcess], tmp_path: Path) -> Iterator[Callable[..., Cloud]]:
    """Return a function that starts a Nova on a machine, with options of ``[dpm]`` if given."""
    # Late: Nova's tests set up logging and threads when they are imported.
    from tests.nova.cloud import Cloud

    with ExitStack() as stack:

        def cloud(machine: str, **dpm: Any) -> Cloud:
            return stack.enter_context(Cloud(hmcs(machine), tmp_path / "nova.conf", dpm))

        yield cloud
