"""Measures and prints one table."""

from __future__ import annotations

import argparse
import sys

from bench import chain, driver, imitation, osa, start
from bench.measure import Row, table

PARTS = {
    "start": ("what a start of the agent costs", start.rows),
    "cards": ("many slow cards, imitated", imitation.rows),
    "qeth": ("the kernel's own qeth driver", osa.rows),
    "driver": ("the Nova driver", driver.rows),
}
REQUESTS = "requests"
CHAIN = "chain"


def main() -> int:
    """Exit status: 0 all targets met, 1 one is missed."""
    names = [REQUESTS, *PARTS, CHAIN]
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measures against a peer or a floor, in one run, and prints the medians. Takes"
        " some 10 minutes, and root for the chain; another program on the machine shows in the"
        " figures.",
        epilog="Exit status: 0 all targets met, 1 one is missed.",
    )
    parser.add_argument(
        "part", nargs="*", metavar="PART", help=f"one of {', '.join(names)} (default: all)"
    )
    chosen = parser.parse_args().part or names
    for name in chosen:
        if name not in names:
            parser.error(f"no part {name!r}: {', '.join(names)}")

    printed: list[str] = []
    is_met = True
    if REQUESTS in chosen:
        print("counting: requests of the Nova driver ...", file=sys.stderr, flush=True)
        requests, is_met = driver.requests()
        printed.append(requests)
    rows: list[Row] = []
    for name, (says, measure) in PARTS.items():
        if name in chosen:
            print(f"measuring: {says} ...", file=sys.stderr, flush=True)
            rows += measure()
    if rows:
        printed.append(table(rows))
    if CHAIN in chosen:
        print("measuring: a server from its creation to ssh ...", file=sys.stderr, flush=True)
        figures, is_right = chain.figures()
        printed.append(figures)
        is_met &= is_right
    print("\n\n".join(printed))
    return 0 if is_met and all(row.verdict != "MISSED" for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
