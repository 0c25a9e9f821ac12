"""Marks these tests; runs the fault matrix in processes beside them; says what came of it."""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

import pytest

from tests.driver.matrix import SUBJECTS, Outcome, Verdict, cases, judge

PROCESSES = min(2, os.cpu_count() or 1)
_tally: Counter[Verdict] = Counter()

Matrix = dict[tuple[str, str], list["Future[Outcome]"]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.driver)


@pytest.fixture(scope="session")
def matrix() -> Iterator[Matrix]:
    """All cases, being judged."""
    with pytest.MonkeyPatch.context() as patch:
        # The processes import Nova, and with it eventlet, which complains of itself.
        patch.setenv("PYTHONWARNINGS", "ignore")
        pool = ProcessPoolExecutor(
            PROCESSES, multiprocessing.get_context("spawn"), initializer=_silence
        )
        submitted = {
            subject: [pool.submit(judge, case) for case in cases(*subject)] for subject in SUBJECTS
        }
    yield submitted
    pool.shutdown(cancel_futures=True)


def _silence() -> None:
    logging.getLogger().addHandler(logging.NullHandler())


@pytest.fixture(scope="session")
def judged(matrix: Matrix) -> dict[tuple[str, str], list[Outcome]]:
    """All cases, judged, and counted for the summary."""
    outcomes = {
        subject: [future.result() for future in futures] for subject, futures in matrix.items()
    }
    for each in outcomes.values():
        _tally.update(outcome.verdict for outcome in each)
    return outcomes


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the matrix's size and its result."""
    if _tally:
        terminalreporter.section("fault matrix")
        for verdict in Verdict:
            terminalreporter.write_line(f"{_tally[verdict]:5d}  {verdict.value}")
        terminalreporter.write_line(f"{_tally.total():5d}  cases")
