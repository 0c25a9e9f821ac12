"""Measures everything and prints one table; 1 where a target is missed."""

from __future__ import annotations

import sys

from bench import driver, imitation, osa, start
from bench.measure import Row, table

PARTS = (
    ("what a start costs", start.rows),
    ("many cards", imitation.rows),
    ("the true driver", osa.rows),
    ("the Nova driver", driver.rows),
)


def main() -> int:
    print("counting: requests of the Nova driver ...", file=sys.stderr, flush=True)
    requests, all_wanted = driver.requests()
    rows: list[Row] = []
    for name, measure in PARTS:
        print(f"measuring: {name} ...", file=sys.stderr, flush=True)
        rows += measure()
    print(f"{requests}\n\n{table(rows)}")
    return 1 if any(row.verdict == "MISSED" for row in rows) or not all_wanted else 0


if __name__ == "__main__":
    sys.exit(main())
