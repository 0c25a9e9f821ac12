"""What a person is shown of a selection, and of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from dpm_lab.cloud.tempest.run import Results
from dpm_lab.cloud.tempest.selection import Chosen, Group

_HEAD = ("GROUP", "SELECTED", "PASSED", "SKIPPED", "FAILED", "WHAT")


def listing(chosen: Chosen) -> Iterator[str]:
    """Give the lines of ``--list``: each test by group, then what is excluded by reason."""
    for name, tests in chosen.selected.items():
        yield f"{name}: {len(tests)} tests"
        yield from (f"  {_short(test)}" for test in tests)
    for why in dict.fromkeys(chosen.excluded.values()):
        tests = [test for test, each in chosen.excluded.items() if each == why]
        yield f"excluded, {len(tests)}: {why}"
        yield from (f"  {_short(test)}" for test in tests)


def lines(results: Results, groups: Iterable[Group]) -> Iterator[str]:
    """Give the lines of a run's end."""
    rows = []
    about = {each.name: each.about for each in groups}
    for name, tests in results.chosen.selected.items():
        count = results.count(tests)
        numbers = (len(tests), count["passed"], count["skipped"], count["failed"])
        rows.append((name, *map(str, numbers), about[name]))
    total = results.count(results.chosen.tests)
    numbers = (len(results.chosen.tests), total["passed"], total["skipped"], total["failed"])
    rows.append(("all", *map(str, numbers), f"{results.minutes:.0f} minutes"))
    yield from _columns([_HEAD, *rows])
    skipped = Counter(each.said for each in results.all() if each.end == "skipped")
    yield from _reasons("skipped by Tempest", skipped)
    yield from _reasons("excluded", Counter(results.chosen.excluded.values()))
    failed = [each for each in results.all() if each.end == "failed"]
    if failed:
        yield ""
        yield "failed:"
        yield from (f"  {_short(each.test)}: {each.cause}" for each in failed)


def _short(test: str) -> str:
    return test.partition("[")[0]


def _columns(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[at]) for row in rows) for at in range(len(_HEAD))]
    for row in rows:
        cells = [
            cell.rjust(width) if 0 < at < len(_HEAD) - 1 else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def _reasons(what: str, counts: Counter[str]) -> Iterator[str]:
    if counts:
        yield ""
        yield f"{what}, and why:"
        yield from (f"  {number:4}  {why}" for why, number in counts.most_common())
