"""Tells results of tests as they come: reads subunit, writes a line of JSON for each test."""

from __future__ import annotations

import json
import sys
from typing import Any

import subunit
import testtools

#: What subunit calls them; all others are steps on the way.
_ENDS = {
    "success": "passed",
    "xfail": "passed",
    "fail": "failed",
    "uxsuccess": "failed",
    # Begun, and never ended: its process died.
    "inprogress": "failed",
    "skip": "skipped",
}


def line(test: dict[str, Any]) -> dict[str, Any] | None:
    """Return what is told of a test; None where it has not ended.

    Args:
        test: as testtools' ``StreamToDict`` has it
    """
    end = _ENDS.get(test["status"])
    if end is None:
        return None
    details = {name: each.as_text().strip() for name, each in test["details"].items()}
    said = details.get("reason") if end == "skipped" else details.get("traceback")
    began, ended = test["timestamps"]
    return {
        "test": test["id"],
        "end": end,
        "seconds": (ended - began).total_seconds() if began and ended else 0.0,
        "said": said or "",
    }


def main() -> None:
    """Read to the end."""

    def tell(test: Any) -> None:
        told = line(test)
        if told:
            print(json.dumps(told), flush=True)

    result = testtools.StreamToDict(tell)
    result.startTestRun()
    subunit.ByteStreamToStreamResult(sys.stdin.buffer, non_subunit_name="other").run(result)
    result.stopTestRun()


if __name__ == "__main__":
    main()
