"""What ``dpm-lab demo --quick`` takes: a cloud, and a server in it that boots."""

from __future__ import annotations

import re
import subprocess
import sys
import time

from bench.measure import aligned

_SECONDS = re.compile(r"^ *(\d+) s  (.+)$", re.MULTILINE)
_COUNTED = re.compile(r"^(Requests to the HMC|Memory)[^:]*: (.+)$", re.MULTILINE)
_AGENT = re.compile(r"^The agent in the boot: (.+)$", re.MULTILINE)


def figures() -> tuple[str, bool]:
    """Return a table, and whether all was right; the seconds depend on the machine."""
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "dpm_lab", "demo", "--quick"],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    lines = [("dpm-lab demo --quick, caches as they are", f"{time.monotonic() - begin:.0f} s")]
    lines += [(what, f"{seconds} s") for seconds, what in _SECONDS.findall(done.stdout)]
    lines += [(what, value) for what, value in _COUNTED.findall(done.stdout)]
    lines += [("the agent in the guest's boot", said) for said in _AGENT.findall(done.stdout)]
    lines.append(("verdict", "ok" if done.returncode == 0 else "MISSED"))
    return aligned([("THE WHOLE CHAIN", ""), *lines]), done.returncode == 0
