"""What became of tests: what is read, what is counted, what is shown."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace

import pytest

from dpm_lab.cloud.tempest import table
from dpm_lab.cloud.tempest.run import Result, Results, class_of
from dpm_lab.cloud.tempest.selection import Chosen, Group

pytest.importorskip("subunit", reason="python-subunit is not installed (extra: test)")

import subunit

from dpm_lab.cloud.inside.tempest import results as inside

BOOT, STOP, PAUSE, LOST = (
    "tempest.A.test_boot[id-1]",
    "tempest.A.test_stop[id-2]",
    "tempest.B.test_pause[id-3]",
    "tempest.C.test_lost[id-4]",
)
EXCLUDED = "tempest.A.test_console[id-5]"
_TRACEBACK = "Traceback:\n  File x\nTimeoutException: Request timed out\n\n"


@pytest.fixture
def results() -> Results:
    """Return those of four tests, of which one told nothing."""
    chosen = Chosen({"servers": [BOOT, STOP], "rest": [PAUSE, LOST]}, {EXCLUDED: "no screen"})
    found = Results(chosen, minutes=2.4)
    found.add(Result(BOOT, "passed", 3.0))
    found.add(Result(STOP, "failed", 3.0, _TRACEBACK))
    found.add(Result("setUpClass (tempest.B)", "skipped", 0.0, "Pause is not available."))
    return found


def test_a_class_that_was_skipped_skips_its_tests(results: Results) -> None:
    assert results.of(PAUSE) == Result(PAUSE, "skipped", 0.0, "Pause is not available.")


def test_a_test_of_which_nothing_was_told_has_failed(results: Results) -> None:
    assert results.of(LOST).end == "failed"
    assert results.of(LOST).cause == "it did not run"


def test_what_a_class_leaves_behind_is_a_failure(results: Results) -> None:
    results.add(Result("tearDownClass (tempest.A)", "failed", 0.0, "volume in use"))

    assert [each.test for each in results.all() if each.end == "failed"] == [
        STOP,
        LOST,
        "tearDownClass (tempest.A)",
    ]


def test_a_class_that_failed_is_not_told_again_beside_its_tests(results: Results) -> None:
    results.add(Result("setUpClass (tempest.C)", "failed", 0.0, "no network"))

    assert results.of(LOST) == Result(LOST, "failed", 0.0, "no network")
    assert results.failed_classes() == []


def test_the_class_of_a_test_is_its_name_without_the_last_part() -> None:
    assert class_of("tempest.api.Servers.test_x[id-1,smoke]") == "tempest.api.Servers"


def test_the_table_counts_and_says_why(results: Results) -> None:
    groups = (Group("servers", "servers", ()), Group("rest", "all else", ()))

    lines = list(table.lines(results, groups))

    assert [line.split()[:5] for line in lines[1:4]] == [
        ["servers", "2", "1", "0", "1"],
        ["rest", "2", "0", "1", "1"],
        ["all", "4", "1", "1", "2"],
    ]
    assert lines[3].endswith("2 minutes")
    assert lines[4:] == [
        "",
        "skipped by Tempest, and why:",
        "     1  Pause is not available.",
        "",
        "excluded, and why:",
        "     1  no screen",
        "",
        "failed:",
        "  tempest.A.test_stop: TimeoutException: Request timed out",
        "  tempest.C.test_lost: it did not run",
    ]


def test_the_list_has_each_test_and_each_reason(results: Results) -> None:
    assert list(table.listing(results.chosen)) == [
        "servers: 2 tests",
        "  tempest.A.test_boot",
        "  tempest.A.test_stop",
        "rest: 2 tests",
        "  tempest.B.test_pause",
        "  tempest.C.test_lost",
        "excluded, 1: no screen",
        "  tempest.A.test_console",
    ]


def test_results_are_told_as_they_come(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = io.BytesIO()
    stream = subunit.StreamResultToBytes(data)
    for test, status, name, text in (
        (BOOT, "success", None, b""),
        (STOP, "fail", "traceback", _TRACEBACK.encode()),
        (PAUSE, "skip", "reason", b"Pause is not available."),
        (LOST, "inprogress", None, b""),
    ):
        if name:
            stream.status(
                test_id=test,
                file_name=name,
                file_bytes=text,
                mime_type="text/plain; charset=utf8",
                eof=True,
            )
        stream.status(test_id=test, test_status=status)
    data.write(b"not subunit\n")
    data.seek(0)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=data))

    inside.main()

    told = [Result(**json.loads(line)) for line in capsys.readouterr().out.splitlines()]
    assert [(each.test, each.end, each.cause) for each in told] == [
        (BOOT, "passed", ""),
        (STOP, "failed", "TimeoutException: Request timed out"),
        (PAUSE, "skipped", "Pause is not available."),
        (LOST, "failed", ""),
    ]
