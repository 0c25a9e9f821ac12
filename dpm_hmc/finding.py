"""A check asks one thing; a finding is its answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from dpm_hmc.errors import DpmError

OK = "ok"
WARNING = "warning"
FAILED = "failed"
SKIPPED = "skipped"


@dataclass(frozen=True)
class Finding:
    """The answer to one check.

    Args:
        check: what was looked at
        result: `OK`; `WARNING`: it works, but somebody should look; `FAILED`; `SKIPPED`
        detail: what was found
        cure: what to do about it
        command: that does it, where there is one
    """

    check: str
    result: str
    detail: str
    cure: str = ""
    command: str = ""


@dataclass(frozen=True)
class Check:
    """One question to the HMC that has to be answered well before a program starts.

    Args:
        name: what is looked at
        option: of ``[dpm]`` that it is about
        run: returns the answer; raises `DpmError` where it cannot start so
    """

    name: str
    option: str
    run: Callable[[], Finding]


def fine(detail: str) -> Finding:
    """Return what is as it should be, of a check that has its name elsewhere."""
    return Finding("", OK, detail)


def doubtful(detail: str, cure: str) -> Finding:
    """Return what works, and somebody should look at."""
    return Finding("", WARNING, detail, cure)


def failed(check: str, error: DpmError) -> Finding:
    """Return what an error says."""
    return Finding(check, FAILED, error.finding, error.cure)


def answer(check: str, run: Callable[[], Finding]) -> Finding:
    """Run a check, and return its answer, also where that is an error."""
    try:
        return replace(run(), check=check)
    except DpmError as error:
        return failed(check, error)
