"""Findings as a table that a person reads, while they are found."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable

from dpm_hmc.finding import FAILED, OK, SKIPPED, WARNING, Finding

_ORDER = (OK, WARNING, FAILED, SKIPPED)
_CHECK_COLUMN = 24
_RESULT_COLUMN = 9
_LEAST_DETAIL = 40


def show(findings: Iterable[Finding]) -> list[Finding]:
    """Print each finding when it is there: an HMC that does not answer takes its time."""
    found = []
    print(_line("CHECK", "RESULT", "DETAIL"))
    for each in findings:
        found.append(each)
        print(_format(each), flush=True)
    counts = [(sum(each.result == kind for each in found), kind) for kind in _ORDER]
    print("\n" + ", ".join(f"{count} {kind}" for count, kind in counts if count))
    return found


def ended(run: Callable[[], int], *packages: str) -> int:
    """Run a command that shows a table, and return its exit status.

    Args:
        run: the command
        packages: that log what failed; the table has it already
    """
    for package in packages:
        logging.getLogger(package).addHandler(logging.NullHandler())
    try:
        return run()
    except KeyboardInterrupt:
        return 130  # as a shell reports SIGINT; an HMC that does not answer is waited for long
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # `head` has read enough
        return 1


def _format(finding: Finding) -> str:
    width = max(_columns() - _CHECK_COLUMN - _RESULT_COLUMN, _LEAST_DETAIL)
    lines = textwrap.wrap(_plain(finding.detail), width, break_on_hyphens=False)
    if finding.cure:
        cure = f"-> {_plain(finding.cure)}"
        lines += textwrap.wrap(cure, width, subsequent_indent="   ", break_on_hyphens=False)
    if finding.command:
        lines.append(f"   {_plain(finding.command)}")  # in one line, as it is to be pasted
    checks = textwrap.wrap(finding.check, _CHECK_COLUMN - 1)
    lines += [""] * (len(checks) - len(lines))
    checks += [""] * (len(lines) - len(checks))
    results = [finding.result] + [""] * (len(lines) - 1)
    return "\n".join(map(_line, checks, results, lines))


def _plain(text: str) -> str:
    """Names come from the HMC: what would move the cursor, or has no encoding, is escaped."""
    words = " ".join(text.split())
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in words
    )


def _line(check: str, result: str, detail: str) -> str:
    return f"{check:<{_CHECK_COLUMN}}{result:<{_RESULT_COLUMN}}{detail}".rstrip()


def _columns() -> int:
    return shutil.get_terminal_size((100, 24)).columns
