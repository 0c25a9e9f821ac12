"""For all tests: what an archive lacks today skips tests, and a run ends with its notes."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from dpm_lab.debian.releases import ArchiveError
from tests import notes


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """A fixture's base system cannot be made today."""
    return (yield from _skipped_without_archive())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """A test's own base system cannot be made today."""
    return (yield from _skipped_without_archive())


def _skipped_without_archive() -> Generator[None]:
    try:
        yield
    except ArchiveError as error:
        pytest.skip(str(error))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the notes."""
    for line in notes.lines():
        terminalreporter.write_line(line)
