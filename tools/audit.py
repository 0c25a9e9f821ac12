#!/usr/bin/env python3
"""Whether anything in tools/constraints.txt has a known vulnerability that a newer version fixes.

Asks with pip-audit, once a day: the answer is kept in .venv until then, or until the file changes.
Says one line. Exit status 1: something has to be updated. Where the database cannot be asked, that
is said and fails nothing. Until somebody fixes it, neither does a vulnerability.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parents[1]
PINS = TOP / "tools/constraints.txt"
KEPT = TOP / ".venv/.audit"

#: Seconds for one answer, and for all of them (some 10 s where the network is good).
ANSWER, ALL = 3, 60


def ask() -> tuple[str, int]:
    """Return what is to be said, and the exit status."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(PINS)]
    command += ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--timeout", str(ANSWER)]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report")
        command += ["--format", "json", "--output", str(report)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=ALL)
        except subprocess.TimeoutExpired:
            return f"skipped known vulnerabilities: no end after {ALL} s", 0
        if not report.exists():
            why = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            return f"skipped known vulnerabilities: pip-audit: {why[:120]}", 0
        return judge(json.loads(report.read_text()))


def judge(report: dict[str, Any]) -> tuple[str, int]:
    """Return what a report of pip-audit comes to."""
    packages = report["dependencies"]
    unknown = [package for package in packages if "skip_reason" in package]
    if len(unknown) == len(packages):
        return f"skipped known vulnerabilities: the database has none of {len(packages)}", 0
    found = [
        (f"{package['name']} {package['version']}: {each['id']}", each["fix_versions"])
        for package in packages
        for each in package.get("vulns", [])
    ]
    bad = [f"{what}, fixed in {', '.join(fixes)}" for what, fixes in found if fixes]
    if bad:
        return "\n".join([*bad, "FAILED  known vulnerabilities; run tools/update-constraints"]), 1
    notes = [f"{what}, not fixed yet" for what, _ in found]
    if unknown:
        notes.append(f"{len(unknown)} of {len(packages)} packages are not in the database")
    return f"ok      known vulnerabilities{''.join(f'; {note}' for note in notes)}", 0


def main() -> int:
    """Say it."""
    today = datetime.now(UTC).date().isoformat()
    key = hashlib.sha256(PINS.read_bytes() + today.encode()).hexdigest()
    if KEPT.is_file():
        kept, _, said = KEPT.read_text().partition("\n")
        if kept == key:
            print(said)
            return 0
    said, status = ask()
    if status == 0 and KEPT.parent.is_dir():
        KEPT.write_text(f"{key}\n{said}")
    print(said)
    return status


if __name__ == "__main__":
    sys.exit(main())
